/** What a running daemon shows, item by item of the contract: commands, API, kstats, metrics. */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { type configurationFor, GROUP } from '../../../src/lab/configuration.ts';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { contractFields, contractMetrics, documentedNames } from '../../tools/contract-page.ts';
import { TestHost } from '../tools/harness.ts';

const FIFTEEN =
  'obytes obytes64 rbytes rbytes64 opackets opackets64 oerrors ipackets ipackets64 ierrors ' +
  'multircv multixmt brdcstrcv brdcstxmt link_up';
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

type Change = Omit<Parameters<typeof configurationFor>[1], 'socket'>;

const OPTIONS = {
  group: { 'flap-damping': 'off' },
  interfaces: { net0: { 'test-addresses': ['192.0.2.21/24'] } },
};

const host = TestHost.ofSuite(OPTIONS);

/** Puts another configuration in force. */
async function reload(change: Change = {}): Promise<void> {
  host.write(change);
  await host.reload();
}

/** Status and body of a request with curl. */
async function curl(path: string, { method = 'GET', body = '' } = {}) {
  const json = ['-H', 'content-type: application/json', '--data-binary', '@-'];
  const argv = ['curl', '-sS', '--unix-socket', host.daemon.socket, '-X', method];
  const last = [...(body === '' ? [] : json), '-w', '\n%{http_code}', `http://ipmpd${path}`];
  const text = await host.run('host', [...argv, ...last], body);
  const end = text.lastIndexOf('\n');
  return { status: Number(text.slice(end + 1)), text: text.slice(0, end) };
}

function codeOf(text: string): string {
  return (JSON.parse(text) as { error: { code: string } }).error.code;
}

async function kstat(name: string): Promise<bigint> {
  return BigInt((await host.adm('kstat', '-p', name)).split('\t')[1]?.trim() ?? '');
}

describe('commands', () => {
  test('[contract 4.10, 4.18, 4.24] each show has its fields, and words of the list', async () => {
    await host.ping('host', LAN.gateways[0]);
    const commands = contractFields();
    commands.delete('monitor');
    equal(commands.size, 7);
    for (const [show, fields] of commands) {
      const all = await host.admRows(show, ...(['kstat', 'status'].includes(show) ? [] : ['show']));
      equal(all.length > 0, show !== 'target', `${show}: nothing is probed yet`);
      for (const row of all) {
        for (const { name, words } of fields) {
          ok(name in row, `${show} ${name}: ${JSON.stringify(row)}`);
          if (words.length > 0) ok(words.includes(String(row[name])), `${name} ${row[name]}`);
        }
        for (const key of Object.keys(row)) match(key, /^[a-z][a-z0-9_]*$/);
      }
    }
  });

  test('[contract 4.1, 4.2] -d -s -o -br -j -p, before the object, as of iproute2', async () => {
    const head = /^ipmp0: <RUNNING,IPMP> state ok mtu 1500 fdt 1s/;
    match(await host.adm('group', 'show'), head);
    match(await host.adm('group', 'show'), /^[^\n]*\n {4}active net0,net1\n/);
    match(await host.adm('-d', 'group', 'show'), /\n {4}ifname ipmp0 .*lladdr .*spreading flow/);
    match(
      await host.adm('-s', 'group', 'show'),
      /\n {4}RX: +bytes +packets +errors[^\n]*\n +[1-9]/,
    );
    equal((await host.adm('-o', 'group', 'show')).split('\n').length, 2);
    match(await host.adm('-o', 'group', 'show'), head);
    equal(await host.adm('-br', 'group', 'show'), 'ipmp0  ok  net0,net1\n');
    equal(await host.adm('-br', 'i'), 'net0  ok  up  ipmp0\nnet1  ok  up  ipmp0\n');
    const plain = await host.adm('-j', 'group', 'show');
    equal(plain.split('\n').length, 2);
    const pretty = await host.adm('-j', '-p', 'group', 'show');
    equal(pretty, `${JSON.stringify(JSON.parse(plain), null, 4)}\n`);
    match(await host.adm('help'), /^Usage: ipmpadm/);
    match(await host.adm('group', 'help'), /group create NAME/);
    match(await host.adm('group', 'create', 'help'), /group create NAME \[-i IF\]/);
    const { status, stderr } = await host.daemon.ipmpadm(['m']);
    equal(status, 2);
    match(stderr, /m.*(multicast.*monitor|monitor.*multicast)/s);
  });

  test('[contract 4.11, 4.19, 6.1, 6.3] kstats: names, class, globs, numbers', async () => {
    for (const [pattern, name] of [
      ['ipmp:0:ipmp0', GROUP],
      ['link:0:net1', 'net1'],
    ]) {
      const text = await host.adm('-j', 'kstat', pattern ?? '');
      match(text, /"crtime":\d+\.\d{9},"snaptime":\d+\.\d{9},/);
      const [row] = JSON.parse(text) as { name: string; class: string; data: object }[];
      deepEqual([row?.name, row?.class], [name, 'net']);
      equal(Object.keys(row?.data ?? {}).join(' '), FIFTEEN);
    }
    match(
      await host.adm('kstat', '-p', 'ip*::ipmp?:[or]packets64'),
      /^ipmp:0:ipmp0:opackets64\t\d+\n$/,
    );
    match(await host.adm('kstat', '-p', 'link:::link_up'), /^(link:0:net\d:link_up\t1\n){2}$/);
    match(await host.adm('kstat', '-p', 'ipmp:0:ipmp0:crtime'), /\t\d+\.\d{9}\n$/);
    match(await host.adm('-j', '-p', 'kstat', 'ipmp'), /^\[\n {4}\{\n/);
    equal((await host.daemon.ipmpadm(['kstat', 'nosuch'])).status, 1);
  });

  test('[contract 4.12] status: one line a group', async () => {
    equal(await host.adm('status'), 'ipmp0: ok active net0,net1\n');
    equal(await host.adm('status', '--check'), 'ipmp0: ok active net0,net1\n');
  });

  test('[contract 2.7] USR1: state and statistics go to the log', async () => {
    host.daemon.process.kill('SIGUSR1');
    const lines = await until('both are written', 10_000, () => {
      const all = host.daemon.log.split('\n').filter((line) => line.includes('"event":"dump'));
      return all.length === 2 && all.map((line) => JSON.parse(line));
    });
    const [state, statistics] = lines;
    deepEqual(
      [state.groups[0].group, state.interfaces.length, state.addresses.length],
      [GROUP, 2, 3],
    );
    deepEqual(Object.keys(statistics.kstats['ipmp:0:ipmp0']).sort(), FIFTEEN.split(' ').sort());
    ok('runt' in statistics.kstats['ipmpd:0:drops']);
  });
});

describe('events', () => {
  test('[contract 4.1, 4.13, 4.18, 4.20] monitor prints words of the lists', async () => {
    const [json, text]: [string[], string[]] = [[], []];
    const monitors = [
      host.daemon.monitor((line) => json.push(line), ['-j']),
      host.daemon.monitor((line) => text.push(line), ['-t']),
    ];
    const printed = (event: string, more = ''): Promise<boolean> =>
      until(`${event} ${more}`, 10_000, () =>
        json.some((line) => line.includes(`"event":"${event}"`) && line.includes(more)),
      );
    // Each try changes something, printed or not: the same value again would be no event.
    let failback = true;
    await until('the monitors print', 10_000, async () => {
      failback = !failback;
      await host.adm('group', 'set', GROUP, `failback=${failback ? 'on' : 'off'}`);
      return json.length > 0 && text.length > 0;
    });
    await host.adm('group', 'set', GROUP, 'failback=on', 'mtu=1400');
    await printed('group-mtu', '1400');
    await host.adm('group', 'set', GROUP, 'mtu=auto');
    await host.adm('interface', 'offline', 'net0');
    await host.adm('interface', 'online', 'net0');
    await host.adm('interface', 'create', 'net9');
    await host.adm('group', 'create', 'ipmp9', '-i', 'net9');
    await host.adm('group', 'rename', 'ipmp9', 'ipmp8');
    await host.adm('group', 'remove', 'ipmp8', 'net9');
    await host.adm('group', 'delete', 'ipmp8');
    await host.adm('interface', 'delete', 'net9');
    await host.adm('address', 'add', '192.0.2.50/24', 'dev', GROUP);
    await printed('address-state', '192.0.2.50');
    await host.adm('address', 'delete', '192.0.2.50', 'dev', GROUP);
    await host.adm('neighbor', 'add', '192.0.2.71', 'lladdr', '02:00:00:00:77:01', 'dev', GROUP);
    await host.adm('neighbor', 'delete', '192.0.2.71', 'dev', GROUP);
    for (const uplink of ['eth0', 'eth1']) await host.topology.cut(uplink);
    await printed('group-state', '"to":"failed"');
    for (const uplink of ['eth0', 'eth1']) await host.topology.repair(uplink);
    await host.daemon.waitUntilOk();
    await reload({ group: { ...OPTIONS.group, forwarding: false } });
    host.write('groups: 7\n');
    equal((await host.daemon.ipmpadm(['reload'])).status, 1);
    await reload();

    const [events, causes] = [documentedNames('event'), documentedNames('cause')];
    const fields = contractFields().get('monitor') ?? [];
    const seen = new Set<string>();
    for (const line of json) {
      const event = JSON.parse(line) as Record<string, string>;
      for (const { name } of fields) ok(name in event, `${name} in ${line}`);
      match(event.time ?? '', TIME);
      ok(events.includes(event.event ?? ''), line);
      ok(causes.includes(event.cause ?? ''), line);
      seen.add(event.event ?? '');
    }
    ok(seen.size >= 15, [...seen].join(' '));
    const stamped = /^\[\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z\] \S/;
    ok(text.every((line) => stamped.test(line)));
    for (const child of monitors) {
      const ended = once(child, 'exit');
      child.kill('SIGINT');
      deepEqual(await ended, [0, null]);
    }
  });
});

test('[contract 5.6] a body of 64 KiB, a configuration of 256 KiB, no byte more', async () => {
  const padded = (bytes: number): string => {
    const [head, tail] = ['{"name":"', '"}'];
    return head + 'x'.repeat(bytes - head.length - tail.length) + tail;
  };
  const post = async (path: string, body: string): Promise<string> => {
    const { status, text } = await curl(path, { method: 'POST', body });
    return status === 200 ? '200' : `${status} ${codeOf(text)}`;
  };
  equal(await post('/v1/groups', padded(64 * 1024)), '400 EINVAL', 'read, and refused');
  equal(await post('/v1/groups', padded(64 * 1024 + 1)), '413 EMSGSIZE');
  const file = (text: string): string => JSON.stringify({ file: 'f', text });
  const largest = '#é\n'.repeat(64 * 1024);
  equal(await post('/v1/config/check', file(largest)), '200');
  equal(await post('/v1/config/check', file(`${largest}#`)), '413 EMSGSIZE');
  for (const open of ['{', '[', '- ']) {
    const { text } = await curl('/v1/config/check', {
      method: 'POST',
      body: file(open.repeat(100_000)),
    });
    match(text, /is nested too deeply/);
  }
});

describe('statistics', () => {
  test('[contract 6.1, 6.2] a group counts its members from join to leave', async () => {
    const group = (): Promise<bigint> => kstat('ipmp:0:ipmp0:opackets64');
    const { ifname } = await host.boundTo(LAN.data[0]);
    const args = ['-I', LAN.data[0]];
    await host.ping('host', LAN.gateways[0], { count: 400, intervalS: 0.002, args });
    const link = await kstat(`link:0:${ifname}:opackets64`);
    const before = await group();
    await host.adm('group', 'remove', GROUP, ifname);
    const without = await group();
    await host.adm('group', 'add', GROUP, ifname);
    const again = await group();
    ok(before <= without && without <= again, `${before} ${without} ${again}`);
    ok(again - before < link, `what ${ifname} has sent before counts once: ${again - before}`);
    ok((await kstat(`link:0:${ifname}:opackets64`)) >= link);
    await host.daemon.waitUntilOk();
  });

  test('[contract 6.4] the rest: drops, punts, neighbours, workers, the chain', async () => {
    for (const name of [
      ...['drops:runt', 'datapath:punted', 'neighbors:entries', 'neighbors:limit'],
      ...['worker0:forwarded', 'control:announcements', 'kstats:chain_id', 'witness:lock_kept'],
    ]) {
      match(await host.adm('kstat', '-p', `ipmpd:0:${name}`), /^ipmpd:0:\S+\t\d+\n$/, name);
    }
  });

  test('[contract 6.5] kstats cannot be written', async () => {
    for (const method of ['PUT', 'POST', 'PATCH', 'DELETE']) {
      const { status, text } = await curl('/v1/kstats/ipmp:0:ipmp0', { method, body: '{}' });
      deepEqual([status, codeOf(text)], [403, 'EACCES'], method);
    }
  });

  test('[contract 7.1, 7.2, 7.3, 7.4] every metric of the page, type and labels', async () => {
    for (const uplink of host.topology.uplinks) await host.fail(uplink);
    const { text } = await curl('/metrics');
    for (const uplink of ['eth0', 'eth1']) await host.topology.repair(uplink);
    const types = new Map<string, string>();
    const labels = new Map<string, Set<string>>();
    for (const line of text.split('\n')) {
      const [, name = '', type = ''] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
      if (name !== '') types.set(name, type);
      const [, series = '', list = ''] = /^(ipmp\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
      const names = [...list.matchAll(/(\w+)="[^"]*"/g)].map(([, label = '']) => label);
      if (series !== '') labels.set(series, new Set([...(labels.get(series) ?? []), ...names]));
    }
    const page = contractMetrics();
    deepEqual([...labels.keys()].sort(), page.map(({ name }) => name).sort());
    for (const metric of page) {
      equal(types.get(metric.name), metric.type, metric.name);
      deepEqual([...(labels.get(metric.name) ?? [])].sort(), metric.labels.toSorted(), metric.name);
    }
    ok(types.has('process_cpu_seconds_total') && types.has('process_resident_memory_bytes'));
    for (const address of LAN.data) {
      const bound = text.match(new RegExp(`^ipmp_address_bound\\{.*"${address}/24".*$`, 'gm'));
      deepEqual(
        bound?.map((line) => / ?interface="" ?/.test(line) && line.endsWith(' 0')),
        [true],
      );
    }
    await host.daemon.waitUntilOk();
  });

  test('[contract 3.14, 3.16, 5.3] metrics over TCP where that is configured', async () => {
    const listeners = (): Promise<string> => host.run('host', ['ss', '-Hltn']);
    equal(await listeners(), '');
    match((await curl('/metrics')).text, /^ipmpd_build_info\{version="\S+"\} 1$/m);
    await reload({ top: { metrics: { listen: '127.0.0.1:9437' } } });
    match(await listeners(), /127\.0\.0\.1:9437/);
    const over = ['curl', '-sS', '--fail', 'http://127.0.0.1:9437/metrics'];
    match(await host.run('host', over), /^ipmpd_build_info\{version="\S+"\} 1$/m);
    await reload();
    equal(await listeners(), '');
  });
});
