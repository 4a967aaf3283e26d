/** What a running daemon shows, item by item of the contract: commands, API, kstats, metrics. */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { configurationFor, GROUP } from '../../../src/lab/configuration.ts';
import { socketOf } from '../../../src/lab/daemon-process.ts';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { contractFields, contractMetrics, documentedNames } from '../../tools/contract-page.ts';
import { TestHost } from '../tools/harness.ts';

/** A group of every Debian system, and its number. */
const OPERATORS = { name: 'operator', gid: 37 };
/** Somebody without any right of his own. */
const STRANGER = 12_345;
const FIFTEEN =
  'obytes obytes64 rbytes rbytes64 opackets opackets64 oerrors ipackets ipackets64 ierrors ' +
  'multircv multixmt brdcstrcv brdcstxmt link_up';
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

type Row = Record<string, unknown>;
type Change = Omit<Parameters<typeof configurationFor>[1], 'socket'>;

const OPTIONS = {
  group: { 'flap-damping': 'off' },
  interfaces: { net0: { 'test-addresses': ['192.0.2.21/24'] } },
};

let host: TestHost;

before(async () => {
  host = await TestHost.raise(OPTIONS);
  chmodSync(host.workspace.folder, 0o711);
});
after(() => host?.lower());

/** Runs a command that must succeed; answers what it printed. */
async function does(...words: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await host.daemon.ipmpadm(words);
  equal(status, 0, `ipmpadm ${words.join(' ')}: ${stderr}`);
  return stdout;
}

async function rows(...words: readonly string[]): Promise<Row[]> {
  const value = JSON.parse(await does('-j', ...words)) as Row | Row[];
  return Array.isArray(value) ? value : [value];
}

/** Puts another configuration in force. */
async function reload(change: Change = {}): Promise<void> {
  const options = { ...OPTIONS, socket: socketOf(host.workspace), ...change };
  const text = configurationFor(host.topology, options);
  writeFileSync(join(host.workspace.folder, 'ipmpd.yaml'), text);
  await does('reload');
}

/** Status and body of a request with curl; as another user if one is given. */
async function curl(
  path: string,
  { method = 'GET', user = 0, group = 0, body = '' } = {},
): Promise<{ status: number; text: string }> {
  const ids = [`--reuid=${user}`, `--regid=${group}`, '--clear-groups'];
  const who = user === 0 ? [] : ['setpriv', ...ids];
  const json = ['-H', 'content-type: application/json', '--data-binary', '@-'];
  const argv = ['curl', '-sS', '--unix-socket', host.daemon.socket, '-X', method];
  const last = [...(body === '' ? [] : json), '-w', '\n%{http_code}', `http://ipmpd${path}`];
  const text = await host.run('host', [...who, ...argv, ...last], body);
  const end = text.lastIndexOf('\n');
  return { status: Number(text.slice(end + 1)), text: text.slice(0, end) };
}

function codeOf(text: string): string {
  return (JSON.parse(text) as { error: { code: string } }).error.code;
}

async function kstat(name: string): Promise<bigint> {
  return BigInt((await does('kstat', '-p', name)).split('\t')[1]?.trim() ?? '');
}

describe('commands', () => {
  test('[contract 4.10, 4.18, 4.24] each show has its fields, and words of the list', async () => {
    await host.ping('host', LAN.gateways[0]);
    const commands = contractFields();
    commands.delete('monitor');
    equal(commands.size, 7);
    for (const [show, fields] of commands) {
      const all = await rows(show, ...(['kstat', 'status'].includes(show) ? [] : ['show']));
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
    const head = /^ipmp0: state ok mtu 1500 fdt 1s/;
    match(await does('group', 'show'), /^ipmp0: state ok [^\n]*\n {4}active net0,net1\n/);
    match(await does('-d', 'group', 'show'), /\n {4}ifname ipmp0 .*lladdr .*spreading flow/);
    match(await does('-s', 'group', 'show'), /\n {4}RX: +bytes +packets +errors[^\n]*\n +[1-9]/);
    equal((await does('-o', 'group', 'show')).split('\n').length, 2);
    match(await does('-o', 'group', 'show'), head);
    equal(await does('-br', 'group', 'show'), 'ipmp0  ok  net0,net1\n');
    equal(await does('-br', 'i'), 'net0  ok  up  ipmp0\nnet1  ok  up  ipmp0\n');
    const plain = await does('-j', 'group', 'show');
    equal(plain.split('\n').length, 2);
    const pretty = await does('-j', '-p', 'group', 'show');
    equal(pretty, `${JSON.stringify(JSON.parse(plain), null, 4)}\n`);
    match(await does('help'), /^Usage: ipmpadm/);
    match(await does('group', 'help'), /group create NAME/);
    match(await does('group', 'create', 'help'), /group create NAME \[-i IF\]/);
    const { status, stderr } = await host.daemon.ipmpadm(['m']);
    equal(status, 2);
    match(stderr, /m.*(multicast.*monitor|monitor.*multicast)/s);
  });

  test('[contract 4.11, 4.19, 6.1, 6.3] kstats: names, class, globs, numbers', async () => {
    for (const [pattern, name] of [
      ['ipmp:0:ipmp0', GROUP],
      ['link:0:net1', 'net1'],
    ]) {
      const text = await does('-j', 'kstat', pattern ?? '');
      match(text, /"crtime":\d+\.\d{9},"snaptime":\d+\.\d{9},/);
      const [row] = JSON.parse(text) as { name: string; class: string; data: object }[];
      deepEqual([row?.name, row?.class], [name, 'net']);
      equal(Object.keys(row?.data ?? {}).join(' '), FIFTEEN);
    }
    match(
      await does('kstat', '-p', 'ip*::ipmp?:[or]packets64'),
      /^ipmp:0:ipmp0:opackets64\t\d+\n$/,
    );
    match(await does('kstat', '-p', 'link:::link_up'), /^(link:0:net\d:link_up\t1\n){2}$/);
    match(await does('kstat', '-p', 'ipmp:0:ipmp0:crtime'), /\t\d+\.\d{9}\n$/);
    match(await does('-j', '-p', 'kstat', 'ipmp'), /^\[\n {4}\{\n/);
    equal((await host.daemon.ipmpadm(['kstat', 'nosuch'])).status, 1);
  });

  test('[contract 4.12] status: one line a group', async () => {
    equal(await does('status'), 'ipmp0: ok active net0,net1\n');
    equal(await does('status', '--check'), 'ipmp0: ok active net0,net1\n');
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
  test('[contract 4.1, 4.13, 4.18, 4.20] monitor speaks in words of the lists', async () => {
    const [json, text]: [string[], string[]] = [[], []];
    const monitors = [
      host.daemon.monitor((line) => json.push(line), ['-j']),
      host.daemon.monitor((line) => text.push(line), ['-t']),
    ];
    const heard = (event: string, more = ''): Promise<boolean> =>
      until(`${event} ${more}`, 10_000, () =>
        json.some((line) => line.includes(`"event":"${event}"`) && line.includes(more)),
      );
    // Each try changes something, heard or not: the same value again would be no event.
    let failback = true;
    await until('the monitors listen', 10_000, async () => {
      failback = !failback;
      await does('group', 'set', GROUP, `failback=${failback ? 'on' : 'off'}`);
      return json.length > 0 && text.length > 0;
    });
    await does('group', 'set', GROUP, 'failback=on', 'mtu=1400');
    await heard('group-mtu', '1400');
    await does('group', 'set', GROUP, 'mtu=auto');
    await does('interface', 'offline', 'net0');
    await does('interface', 'online', 'net0');
    await does('interface', 'create', 'net9');
    await does('group', 'create', 'ipmp9', '-i', 'net9');
    await does('group', 'rename', 'ipmp9', 'ipmp8');
    await does('group', 'remove', 'ipmp8', 'net9');
    await does('group', 'delete', 'ipmp8');
    await does('interface', 'delete', 'net9');
    await does('address', 'add', '192.0.2.50/24', 'dev', GROUP);
    await heard('address-state', '192.0.2.50');
    await does('address', 'delete', '192.0.2.50', 'dev', GROUP);
    await does('neighbor', 'add', '192.0.2.71', 'lladdr', '02:00:00:00:77:01', 'dev', GROUP);
    await does('neighbor', 'delete', '192.0.2.71', 'dev', GROUP);
    for (const uplink of ['eth0', 'eth1']) await host.topology.cut(uplink);
    await heard('group-state', '"to":"failed"');
    for (const uplink of ['eth0', 'eth1']) await host.topology.repair(uplink);
    await host.daemon.waitUntilOk();
    await reload({ group: { ...OPTIONS.group, forwarding: false } });
    writeFileSync(join(host.workspace.folder, 'ipmpd.yaml'), 'groups: 7\n');
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

describe('the API', () => {
  test('[contract 5.1, 5.2, 5.3] HTTP and JSON on the socket', async () => {
    const document = JSON.parse((await curl('/v1/openapi.json')).text);
    match(document.openapi, /^3\.1\./);
    for (const path of ['/v1/groups', '/v1/events', '/metrics', '/healthz', '/readyz']) {
      ok(path in document.paths, path);
    }
    const groups = await curl('/v1/groups');
    deepEqual([groups.status, JSON.parse(groups.text)[0].group], [200, GROUP]);
    deepEqual(await curl('/healthz'), { status: 200, text: '{"healthy":true}' });
    equal((await curl('/readyz')).status, 200);
    const stream = ['curl', '-sS', '-i', '--max-time', '0.5', '--unix-socket', host.daemon.socket];
    const script = ['sh', '-c', '"$@" || true', '-', ...stream, 'http://ipmpd/v1/events'];
    match(await host.run('host', script), /^HTTP\/1\.1 200 OK\r\n.*text\/event-stream/s);
  });

  test('[contract 5.4] strangers read, operators operate, root does all', async () => {
    const offline = { method: 'POST', user: STRANGER, group: OPERATORS.gid };
    const path = '/v1/interfaces/net0/offline';
    equal((await curl('/v1/status', { user: STRANGER, group: STRANGER })).status, 200);
    const before = await curl(path, offline);
    deepEqual([before.status, codeOf(before.text)], [403, 'EPERM'], 'no such group: root alone');
    const said = host.daemon.log.match(/"event":"no-operators"/g);
    equal(said?.length, 1, 'and that is said once');
    await reload({ top: { control: { group: OPERATORS.name } } });
    equal((await curl(path, { ...offline, group: STRANGER })).status, 403);
    equal((await curl(path, offline)).status, 204);
    equal((await curl('/v1/interfaces/net0/online', offline)).status, 204);
    const create = await curl('/v1/groups', { ...offline, body: '{"name":"ipmp5"}' });
    deepEqual([create.status, codeOf(create.text)], [403, 'EPERM']);
    equal((await curl('/v1/reload', { method: 'POST' })).status, 200);
    await host.daemon.waitUntilOk();
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
  });

  test('[contract 5.7] silent clients hold up nobody', async () => {
    const silent: Socket[] = [];
    try {
      for (let count = 0; count < 40; count++) {
        const socket = connect(host.daemon.socket);
        socket.on('error', () => socket.destroy());
        await once(socket, 'connect');
        if (count % 2 === 0) socket.write('GET /v1/groups HTTP/1.1\r\nhost:');
        if (count % 5 === 1) socket.write('GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n');
        silent.push(socket.pause());
      }
      for (let round = 0; round < 5; round++) {
        const began = performance.now();
        equal((await host.daemon.groups()).length, 1);
        ok(performance.now() - began < 2000);
      }
    } finally {
      for (const socket of silent) socket.destroy();
    }
  });
});

describe('statistics', () => {
  test('[contract 6.1, 6.2] a group counts its members from join to leave', async () => {
    const group = (): Promise<bigint> => kstat('ipmp:0:ipmp0:opackets64');
    const { ifname } = await host.boundTo(LAN.data[0]);
    const args = ['-I', LAN.data[0]];
    await host.ping('host', LAN.gateways[0], { count: 400, intervalS: 0.002, args });
    const link = await kstat(`link:0:${ifname}:opackets64`);
    const before = await group();
    await does('group', 'remove', GROUP, ifname);
    const without = await group();
    await does('group', 'add', GROUP, ifname);
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
      match(await does('kstat', '-p', `ipmpd:0:${name}`), /^ipmpd:0:\S+\t\d+\n$/, name);
    }
  });

  test('[contract 6.5] nobody writes a kstat', async () => {
    for (const method of ['PUT', 'POST', 'PATCH', 'DELETE']) {
      const { status, text } = await curl('/v1/kstats/ipmp:0:ipmp0', { method, body: '{}' });
      deepEqual([status, codeOf(text)], [403, 'EACCES'], method);
    }
  });

  test('[contract 7.1, 7.2, 7.3, 7.4] every metric of the page, type and labels', async () => {
    for (const uplink of ['eth0', 'eth1']) await host.topology.cut(uplink);
    await host.waitForState('net0', 'failed');
    await host.waitForState('net1', 'failed');
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

  test('[contract 3.14, 3.16, 5.3] metrics over TCP where it is told, else nowhere', async () => {
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
