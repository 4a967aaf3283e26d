/** What operators change by command, seen by the host's kernel and from the far end. */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { configurationFor, GROUP } from '../../../src/lab/configuration.ts';
import { LabDaemon, socketOf } from '../../../src/lab/daemon-process.ts';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { TestHost } from '../tools/harness.ts';

let host: TestHost;

/** Runs a command that must succeed; answers what it printed. */
async function does(...words: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await host.daemon.ipmpadm(words);
  equal(status, 0, `ipmpadm ${words.join(' ')}: ${stderr}`);
  return stdout;
}

/** Runs a command that must be refused with `code`, by a sentence that matches. */
async function refuses(code: string, sentence: RegExp, ...words: string[]): Promise<void> {
  const { status, stdout, stderr } = await host.daemon.ipmpadm(words);
  deepEqual({ status, stdout }, { status: 1, stdout: '' }, `ipmpadm ${words.join(' ')}`);
  const [first = ''] = stderr.split('\n');
  match(first, sentence);
  ok(first.startsWith('ipmpadm: ') && first.endsWith(`(${code})`), first);
}

async function devices(): Promise<string[]> {
  return (await host.links('host')).map(({ ifname }) => ifname);
}

async function rows(...words: readonly string[]): Promise<Record<string, unknown>[]> {
  return JSON.parse(await does('-j', ...words)) as Record<string, unknown>[];
}

async function restart(): Promise<void> {
  equal(await host.daemon.stop(), 0);
  const text = configurationFor(host.topology, { socket: socketOf(host.workspace) });
  host.daemon = await LabDaemon.start(host.workspace, text);
  await host.daemon.waitUntilOk();
}

before(async () => {
  host = await TestHost.raise();
});
after(() => host?.lower());

describe('groups and interfaces made by command', () => {
  test('[contract 4.3, 4.5] a group from nothing and back, devices and all', async () => {
    await does('interface', 'create', 'net7');
    await does('group', 'create', 'ipmp7', '-i', 'net7');
    await does('address', 'add', '10.99.0.1/24', 'dev', 'ipmp7');
    await until('the devices are there', 10_000, async () => {
      const names = await devices();
      return names.includes('net7') && names.includes('ipmp7');
    });
    const address = await host.run('host', ['ip', '-br', 'addr', 'show', 'dev', 'ipmp7']);
    match(address, /10\.99\.0\.1\/24/);
    equal((await rows('group', 'show', 'ipmp7'))[0]?.state, 'ok');
    await refuses('EBUSY', /still has members net7/, 'group', 'delete', 'ipmp7');
    await does('group', 'remove', 'ipmp7', 'net7');
    await does('group', 'delete', 'ipmp7');
    await does('interface', 'delete', 'net7');
    const left = await devices();
    ok(!left.includes('net7') && !left.includes('ipmp7'), left.join(' '));
  });

  test('[contract 4.23] refusals have the errno of IPMP, and change nothing', async () => {
    const before = await does('-j', 'config', 'show');
    await refuses('EEXIST', /group ipmp0/, 'group', 'create', GROUP);
    await refuses('ENXIO', /interface net9/, 'group', 'create', 'ipmp9', '-i', 'net9');
    await refuses('EALREADY', /net0.*ipmp0/, 'group', 'create', 'ipmp9', '-i', 'net0');
    await refuses('ENAMETOOLONG', /15/, 'group', 'create', 'a23456789012345b');
    await refuses('EALREADY', /net0 is already in group ipmp0/, 'group', 'add', 'nosuch', 'net0');
    await does('interface', 'create', 'net7');
    await refuses('ENOENT', /group nosuch/, 'group', 'add', 'nosuch', 'net7');
    await does('interface', 'delete', 'net7');
    await refuses('ENXIO', /interface nosuch/, 'interface', 'delete', 'nosuch');
    await refuses('EEXIST', /interface net0/, 'interface', 'create', 'net0');
    await refuses('EINVAL', /mtu.*12.*1280/, 'group', 'set', GROUP, 'mtu=12');
    await refuses('EINVAL', /address/, 'address', 'add', '192.0.2.300/24', 'dev', GROUP);
    await refuses('EEXIST', /192\.0\.2\.10/, 'address', 'add', '192.0.2.10/24', 'dev', GROUP);
    await refuses(
      'EADDRNOTAVAIL',
      /192\.0\.2\.99/,
      'address',
      'delete',
      '192.0.2.99',
      'dev',
      GROUP,
    );
    await refuses('EAFNOSUPPORT', /ff05::1/, 'multicast', 'join', 'ff05::1', 'dev', GROUP);
    equal(await does('-j', 'config', 'show'), before);
    equal((await host.daemon.group()).state, 'ok');
  });

  test('[contract 4.3] a renamed group keeps its device and its kstat', async () => {
    await does('group', 'rename', GROUP, 'storage');
    const [row] = await rows('group', 'show', 'storage');
    equal(row?.ifname, GROUP);
    ok((await does('kstat', '-p', `ipmp:0:${GROUP}:link_up`)).endsWith('\t1\n'));
    match(await does('-s', 'group', 'show', 'storage'), /RX: +bytes +packets/);
    const curl = ['curl', '-sS', '--unix-socket', host.daemon.socket, 'http://ipmpd/metrics'];
    match(
      await host.run('host', curl),
      /^ipmp_group_receive_packets_total\{group="storage"\} [1-9]\d*$/m,
    );
    await refuses('EEXIST', /ipmp0/, 'group', 'create', GROUP);
    deepEqual(await host.ping('host', LAN.gateways[0]), { answered: 3, duplicates: 0 });
    await does('group', 'rename', 'storage', GROUP);
    equal((await rows('group', 'show'))[0]?.group, GROUP);
  });
});

describe('what a group and its interfaces are told', () => {
  test('[contract 4.4] settings of a group take effect at once', async () => {
    await does('group', 'set', GROUP, 'mtu=1400', 'failback=off', 'spreading=destination');
    const [row] = await rows('group', 'show', GROUP);
    equal(row?.failback, false);
    equal(row?.spreading, 'destination');
    await until('the MTU is there', 10_000, async () => (await host.daemon.group()).mtu === 1400);
    await does('group', 'set', GROUP, 'forwarding=off');
    const forwarding = ['sysctl', '-n', `net.ipv4.conf.${GROUP}.forwarding`];
    equal((await host.run('host', forwarding)).trim(), '0');
    await does(
      ...['group', 'set', GROUP, 'mtu=auto', 'failback=on', 'spreading=flow', 'forwarding=on'],
    );
    await until('the MTU is back', 10_000, async () => (await host.daemon.group()).mtu === 1500);
  });

  test('[contract 4.6] offline loses nothing, online brings back, the last one stays', async () => {
    const stream = await host.echo(LAN.gateways[0]);
    const { ifname } = await host.boundTo(LAN.data[0]);
    const other = host.topology.members.find((name) => name !== ifname) ?? '';
    for (let round = 0; round < 5; round++) {
      await does('interface', 'offline', ifname);
      const row = await host.daemon.interface(ifname);
      deepEqual({ state: row.state, active: row.active }, { state: 'offline', active: false });
      equal((await host.boundTo(LAN.data[0])).ifname, other);
      await refuses('EBUSY', new RegExp(other), 'interface', 'offline', other);
      await does('interface', 'online', ifname);
      await host.daemon.waitUntilOk();
    }
    await refuses('EINVAL', /not offline/, 'interface', 'online', ifname);
    const { sent, received, duplicates } = await stream.stop();
    deepEqual({ received, duplicates }, { received: sent, duplicates: 0 });
  });

  test('[contract 4.5, 4.6] a standby waits, and carries data when it is told to', async () => {
    const [first = '', second = ''] = host.topology.members;
    await does('interface', 'set', second, 'standby=on');
    deepEqual((await host.daemon.group()).active, [first]);
    deepEqual((await host.daemon.group()).inactive, [second]);
    await does('interface', 'activate', second);
    deepEqual((await host.daemon.group()).active.toSorted(), [first, second].sort());
    await refuses('EALREADY', /active/, 'interface', 'activate', second);
    await does('interface', 'set', second, 'standby=off');
    await host.daemon.waitUntilOk();
  });

  test('[contract 4.7] addresses come and go on the device, and the LAN reaches them', async () => {
    await does('address', 'add', '192.0.2.50/24', 'dev', GROUP);
    await until('it is up', 10_000, async () => {
      const { state } = await host.daemon.address('192.0.2.50');
      return state === 'up';
    });
    deepEqual(await host.ping('gw', '192.0.2.50'), { answered: 3, duplicates: 0 });
    await does('address', 'delete', '192.0.2.50', 'dev', GROUP);
    const text = await host.run('host', ['ip', '-br', 'addr', 'show', 'dev', GROUP]);
    ok(!text.includes('192.0.2.50'), text);

    const [first = ''] = host.topology.members;
    await does('test-address', 'add', '192.0.2.60/24', 'dev', first);
    await until('it answers', 10_000, async () => {
      const { answered } = await host.ping('gw', '192.0.2.60', { count: 1 });
      return answered === 1;
    });
    const tests = (await rows('address', 'show')).filter(({ type }) => type === 'test');
    deepEqual(
      tests.map(({ address, ifname }) => ({ address, ifname })),
      [{ address: '192.0.2.60/24', ifname: first }],
    );
    await does('test-address', 'delete', '192.0.2.60/24', 'dev', first);
    await refuses(
      'EADDRNOTAVAIL',
      /192\.0\.2\.60/,
      'test-address',
      'delete',
      '192.0.2.60',
      'dev',
      first,
    );
  });

  test('[contract 4.8] static neighbours stay, a proxy is answered for', async () => {
    const lladdr = '02:00:00:00:77:01';
    await does('neighbor', 'add', '192.0.2.71', 'lladdr', lladdr, 'dev', GROUP);
    const found = (await rows('neighbor', 'show')).find(({ dst }) => dst === '192.0.2.71');
    deepEqual({ lladdr: found?.lladdr, state: found?.state }, { lladdr, state: 'PERMANENT' });
    await refuses(
      'EEXIST',
      /192\.0\.2\.71/,
      ...['neighbor', 'add', '192.0.2.71', 'lladdr', lladdr, 'dev', GROUP],
    );
    const [first = ''] = host.topology.members;
    const mac = await host.memberMac(first);
    await does('neighbor', 'add', '192.0.2.72', 'lladdr', mac, 'proxy', 'dev', GROUP);
    const asked = await host.run('gw', ['arping', '-c', '1', '-i', 'eth0', '192.0.2.72']);
    ok(asked.includes(mac), asked);
    await does('neighbor', 'delete', '192.0.2.72', 'dev', GROUP);
    await does('neighbor', 'delete', '192.0.2.71', 'dev', GROUP);
    await refuses('ENOENT', /192\.0\.2\.71/, 'neighbor', 'delete', '192.0.2.71', 'dev', GROUP);
  });

  test('[contract 4.9] a multicast membership is the kernel’s too', async () => {
    await does('multicast', 'join', '239.5.6.7', 'dev', GROUP);
    const listens = async (): Promise<boolean> =>
      (await host.run('host', ['ip', 'maddr', 'show', 'dev', GROUP])).includes('239.5.6.7');
    ok(await listens());
    deepEqual(
      (await rows('multicast', 'show')).map(({ address, group }) => ({ address, group })),
      [{ address: '239.5.6.7', group: GROUP }],
    );
    await refuses('EADDRINUSE', /239\.5\.6\.7/, 'multicast', 'join', '239.5.6.7', 'dev', GROUP);
    await does('multicast', 'leave', '239.5.6.7', 'dev', GROUP);
    ok(!(await listens()));
  });
});

describe('what lasts', () => {
  test('[contract 4.17] commands last until the stop; with --save longer', async () => {
    await does('address', 'add', '192.0.2.51/24', 'dev', GROUP);
    await does('group', 'set', GROUP, 'failback=off', '--save');
    const saved = readFileSync(join(host.workspace.folder, 'ipmpd.d', '50-ipmpadm.yaml'), 'utf8');
    match(saved, /failback: false/);
    ok(!saved.includes('192.0.2.51'), saved);
    await restart();
    const [row] = await rows('group', 'show', GROUP);
    equal(row?.failback, false);
    ok(!(await rows('address', 'show')).some(({ address }) => address === '192.0.2.51/24'));
    await does('group', 'set', GROUP, 'failback=on', '--save');
  });

  test('[contract 4.14] each value is shown with its origin', async () => {
    await does('group', 'set', GROUP, 'neighbors=2048');
    const all = await rows('config', 'show');
    const originOf = (key: string): unknown => all.find((row) => row.key === key)?.origin;
    equal(originOf(`groups.${GROUP}.neighbors`), 'command');
    equal(originOf(`groups.${GROUP}.spreading`), 'default');
    match(String(originOf(`groups.${GROUP}.failback`)), /50-ipmpadm\.yaml:\d+$/);
    match(String(originOf(`groups.${GROUP}.addresses`)), /ipmpd\.yaml:\d+$/);
    equal(originOf('control.socket'), 'argument');
    match(await does('config', 'show'), /groups\.ipmp0\.neighbors += +2048 +# command/);
  });
});
