/** What operators change by command, seen by the host's kernel and from the far end. */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { GROUP } from '../../../src/lab/configuration.ts';
import { LAN, LANS } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { TestHost } from '../tools/harness.ts';
import { metricsOf } from '../tools/scrape.ts';

const host = TestHost.ofSuite({ ipv6: true });

/** Runs a command, words by spaces, that must be refused with `code` and a sentence. */
async function refuses(code: string, sentence: RegExp, line: string): Promise<void> {
  const { status, stdout, stderr } = await host.daemon.ipmpadm(line.split(' '));
  deepEqual({ status, stdout }, { status: 1, stdout: '' }, line);
  const [first = ''] = stderr.split('\n');
  match(first, sentence);
  ok(first.startsWith('ipmpadm: ') && first.endsWith(`(${code})`), first);
}

async function devices(): Promise<string[]> {
  return (await host.links('host')).map(({ ifname }) => ifname);
}

describe('groups and interfaces made by command', () => {
  test('[contract 4.3, 4.5] a group from nothing and back, devices and all', async () => {
    await host.adm('interface', 'create', 'net7');
    await host.adm('group', 'create', 'ipmp7', '-i', 'net7');
    await host.adm('address', 'add', '10.99.0.1/24', 'dev', 'ipmp7');
    await until('the devices are there', 10_000, async () => {
      const names = await devices();
      return names.includes('net7') && names.includes('ipmp7');
    });
    deepEqual(await host.addressesOn('ipmp7'), ['10.99.0.1/24']);
    equal((await host.admRows('group', 'show', 'ipmp7'))[0]?.state, 'ok');
    await refuses('EBUSY', /still has members net7/, 'group delete ipmp7');
    await host.adm('group', 'remove', 'ipmp7', 'net7');
    await host.adm('group', 'delete', 'ipmp7');
    await host.adm('interface', 'delete', 'net7');
    const left = await devices();
    ok(!left.includes('net7') && !left.includes('ipmp7'), left.join(' '));
  });

  test('[contract 4.23] refusals have the errno of IPMP, and change nothing', async () => {
    const before = await host.adm('-j', 'config', 'show');
    await refuses('EEXIST', /group ipmp0/, `group create ${GROUP}`);
    await refuses('ENXIO', /interface net9/, 'group create ipmp9 -i net9');
    await refuses('EALREADY', /net0.*ipmp0/, 'group create ipmp9 -i net0');
    await refuses('ENAMETOOLONG', /15/, 'group create a23456789012345b');
    await refuses('EALREADY', /net0 is already in group ipmp0/, 'group add nosuch net0');
    await host.adm('interface', 'create', 'net7');
    await refuses('ENOENT', /group nosuch/, 'group add nosuch net7');
    await host.adm('interface', 'delete', 'net7');
    await refuses('ENXIO', /interface nosuch/, 'interface delete nosuch');
    await refuses('EEXIST', /interface net0/, 'interface create net0');
    await refuses('EINVAL', /mtu.*12.*1280/, `group set ${GROUP} mtu=12`);
    await refuses('EINVAL', /address/, `address add 192.0.2.300/24 dev ${GROUP}`);
    await refuses('EEXIST', /192\.0\.2\.10/, `address add 192.0.2.10/24 dev ${GROUP}`);
    await refuses('EADDRNOTAVAIL', /192\.0\.2\.99/, `address delete 192.0.2.99 dev ${GROUP}`);
    await refuses('ENOENT', /nosuch/, 'group delete nosuch');
    await refuses('EINVAL', /2001:db8::1.*ff00::/, `multicast join 2001:db8::1 dev ${GROUP}`);
    equal(await host.adm('-j', 'config', 'show'), before);
    equal((await host.daemon.group()).state, 'ok');
  });

  test('[contract 4.3] a renamed group keeps its device and its kstat', async () => {
    await host.adm('group', 'rename', GROUP, 'storage');
    const [row] = await host.admRows('group', 'show', 'storage');
    equal(row?.ifname, GROUP);
    ok((await host.adm('kstat', '-p', `ipmp:0:${GROUP}:link_up`)).endsWith('\t1\n'));
    match(await host.adm('-s', 'group', 'show', 'storage'), /RX: +bytes +packets/);
    const { text } = await metricsOf(host.daemon.socket);
    match(text, /^ipmp_group_receive_packets_total\{group="storage"\} [1-9]\d*$/m);
    await refuses('EEXIST', /ipmp0/, `group create ${GROUP}`);
    await host.expectPing('host', LAN.gateways[0]);
    await host.adm('group', 'rename', 'storage', GROUP);
    equal((await host.admRows('group', 'show'))[0]?.group, GROUP);
  });
});

describe('settings of a group and its interfaces', () => {
  test('[contract 4.4] settings of a group take effect at once', async () => {
    await host.adm('group', 'set', GROUP, 'mtu=1400', 'failback=off', 'spreading=destination');
    const [row] = await host.admRows('group', 'show', GROUP);
    equal(row?.failback, false);
    equal(row?.spreading, 'destination');
    await host.waitForMtu(1400);
    await host.adm('group', 'set', GROUP, 'forwarding=off');
    const forwarding = ['sysctl', '-n', `net.ipv4.conf.${GROUP}.forwarding`];
    equal((await host.run('host', forwarding)).trim(), '0');
    await host.adm(
      ...['group', 'set', GROUP, 'mtu=auto', 'failback=on', 'spreading=flow', 'forwarding=on'],
    );
    await host.waitForMtu(1500);
  });

  test('[contract 4.6] offline loses nothing, online brings back, the last one stays', async () => {
    const stream = await host.echo(LAN.gateways[0]);
    const { ifname } = await host.boundTo(LAN.data[0]);
    const other = host.topology.members.find((name) => name !== ifname) ?? '';
    for (let round = 0; round < 5; round++) {
      await host.adm('interface', 'offline', ifname);
      const row = await host.daemon.interface(ifname);
      deepEqual({ state: row.state, active: row.active }, { state: 'offline', active: false });
      equal((await host.boundTo(LAN.data[0])).ifname, other);
      await refuses('EBUSY', new RegExp(other), `interface offline ${other}`);
      await host.adm('interface', 'online', ifname);
      await host.daemon.waitUntilOk();
    }
    await refuses('EINVAL', /not offline/, `interface online ${ifname}`);
    const { sent, received, duplicates } = await stream.stop();
    deepEqual({ received, duplicates }, { received: sent, duplicates: 0 });
  });

  test('[contract 4.5, 4.6] a standby carries no data before it is activated', async () => {
    const [first = '', second = ''] = host.topology.members;
    await host.adm('interface', 'set', second, 'standby=on');
    deepEqual((await host.daemon.group()).active, [first]);
    deepEqual((await host.daemon.group()).inactive, [second]);
    await host.adm('interface', 'activate', second);
    deepEqual((await host.daemon.group()).active.toSorted(), [first, second].sort());
    await refuses('EALREADY', /active/, `interface activate ${second}`);
    await host.adm('interface', 'set', second, 'standby=off');
    await host.daemon.waitUntilOk();
  });
});

for (const { family, prefixLength, data } of LANS) {
  /** An address of the LAN that no station has. */
  const at = (last: number): string => data[0].replace(/10$/, String(last));
  const [added, tested, pinned, proxied] = [at(50), at(60), at(71), at(72)];

  describe(`addresses, neighbours and multicast of IPv${family}`, () => {
    test('[contract 4.7] addresses come and go on the device, the LAN reaches them', async () => {
      await host.adm('address', 'add', `${added}/${prefixLength}`, 'dev', GROUP);
      await host.waitForAddress(added);
      await host.expectPing('gw', added);
      await host.adm('address', 'delete', added, 'dev', GROUP);
      ok(!(await host.addressesOn(GROUP)).some((text) => text.startsWith(`${added}/`)));

      const [first = ''] = host.topology.members;
      const test = `${tested}/${prefixLength}`;
      await host.adm('test-address', 'add', test, 'dev', first);
      await host.waitForPing('gw', tested);
      const tests = (await host.admRows('address', 'show')).filter(({ type }) => type === 'test');
      deepEqual(
        tests.map(({ address, ifname }) => ({ address, ifname })),
        [{ address: test, ifname: first }],
      );
      await host.adm('test-address', 'delete', test, 'dev', first);
      await refuses(
        'EADDRNOTAVAIL',
        new RegExp(`does not have ${tested}`),
        `test-address delete ${tested} dev ${first}`,
      );
    });

    test('[contract 4.8] static neighbours stay, a proxy is answered for', async () => {
      const lladdr = '02:00:00:00:77:01';
      await host.adm('neighbor', 'add', pinned, 'lladdr', lladdr, 'dev', GROUP);
      const found = (await host.admRows('neighbor', 'show')).find(({ dst }) => dst === pinned);
      deepEqual({ lladdr: found?.lladdr, state: found?.state }, { lladdr, state: 'PERMANENT' });
      const again = `neighbor add ${pinned} lladdr ${lladdr} dev ${GROUP}`;
      await refuses('EEXIST', new RegExp(`${pinned} already`), again);
      const [first = ''] = host.topology.members;
      const mac = await host.memberMac(first);
      await host.adm('neighbor', 'add', proxied, 'lladdr', mac, 'proxy', 'dev', GROUP);
      await host.ping('gw', proxied, { count: 1 });
      equal((await host.kernelNeighbor(proxied, 'gw'))?.lladdr, mac);
      await host.adm('neighbor', 'delete', proxied, 'dev', GROUP);
      await host.adm('neighbor', 'delete', pinned, 'dev', GROUP);
      const gone = `neighbor delete ${pinned} dev ${GROUP}`;
      await refuses('ENOENT', new RegExp(`no neighbor ${pinned}`), gone);
    });

    test('[contract 4.9] a multicast membership is also one of the kernel', async () => {
      const joined = family === 4 ? '239.5.6.7' : 'ff05::1:3';
      const listens = async (): Promise<boolean> =>
        (await host.run('host', ['ip', 'maddr', 'show', 'dev', GROUP])).includes(` ${joined}\n`);
      await host.adm('multicast', 'join', joined, 'dev', GROUP);
      ok(await listens());
      deepEqual(
        (await host.admRows('multicast', 'show')).map(({ address, group }) => ({ address, group })),
        [{ address: joined, group: GROUP }],
      );
      const again = `multicast join ${joined} dev ${GROUP}`;
      await refuses('EADDRINUSE', new RegExp(`joined ${joined} already`), again);
      await host.adm('multicast', 'leave', joined, 'dev', GROUP);
      ok(!(await listens()));
    });
  });
}

describe('what lasts', () => {
  test('[contract 4.17] commands last until the stop; with --save longer', async () => {
    await host.adm('address', 'add', '192.0.2.51/24', 'dev', GROUP);
    await host.adm('group', 'set', GROUP, 'failback=off', '--save');
    const saved = readFileSync(join(host.workspace.folder, 'ipmpd.d', '50-ipmpadm.yaml'), 'utf8');
    match(saved, /failback: false/);
    ok(!saved.includes('192.0.2.51'), saved);
    await host.restart();
    await host.daemon.waitUntilOk();
    const [row] = await host.admRows('group', 'show', GROUP);
    equal(row?.failback, false);
    ok(!(await host.admRows('address', 'show')).some(({ address }) => address === '192.0.2.51/24'));
    await host.adm('group', 'set', GROUP, 'failback=on', '--save');
  });

  test('[contract 4.14] each value is shown with its origin', async () => {
    await host.adm('group', 'set', GROUP, 'neighbors=2048');
    const all = await host.admRows('config', 'show');
    const originOf = (key: string): unknown => all.find((row) => row.key === key)?.origin;
    equal(originOf(`groups.${GROUP}.neighbors`), 'command');
    equal(originOf(`groups.${GROUP}.spreading`), 'default');
    match(String(originOf(`groups.${GROUP}.failback`)), /50-ipmpadm\.yaml:\d+$/);
    match(String(originOf(`groups.${GROUP}.addresses`)), /ipmpd\.yaml:\d+$/);
    equal(originOf('control.socket'), 'argument');
    match(await host.adm('config', 'show'), /groups\.ipmp0\.neighbors += +2048 +# command/);
  });
});
