/**
 * The exposition text: names, types and labels as promtool requires them, exact values, one
 * collection.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { ROWS_A_TURN } from '../../../src/base/turns.ts';
import { startMetricsListener } from '../../../src/ctl/api/metrics-listener.ts';
import { SharedText } from '../../../src/ctl/api/shared.ts';
import { PHYINT_TABLE } from '../../../src/ipmp/decide/phyint-state.ts';
import { DROP_REASONS } from '../../../src/stats/drop-reasons.ts';
import {
  FAILOVER_CAUSES,
  MetricsRenderer,
  type MetricsSnapshot,
} from '../../../src/stats/prometheus.ts';
import {
  INTERFACE_STATISTICS,
  interfaceStatistics,
  LINK_COUNTERS_ZERO,
} from '../../../src/stats/schema.ts';
import { turnsOf } from '../base/turns-of.ts';

const HUGE = 2n ** 53n + 1n;
const statistics = interfaceStatistics(
  { ...LINK_COUNTERS_ZERO, rbytes: HUGE, ierrors: 2n ** 32n + 7n },
  true,
);

const SNAPSHOT: MetricsSnapshot = {
  version: '0.1.0',
  groups: [
    {
      group: 'ipmp0',
      state: 'degraded',
      interfaces: 3,
      active: 2,
      failureDetectionSeconds: 0.5,
      statistics,
    },
  ],
  interfaces: [
    { ifname: 'net0', group: 'ipmp0', state: 'ok', isLinkUp: true, statistics },
    { ifname: 'net9', group: null, state: 'absent', isLinkUp: false, statistics: undefined },
  ],
  addresses: [
    { group: 'ipmp0', address: '192.0.2.10/24', inbound: 'net0' },
    { group: 'ipmp0', address: '192.0.2.11/24', inbound: null },
  ],
  failovers: [{ group: 'ipmp0', ifname: 'net1', cause: 'link-down', count: 4 }],
  drops: { runt: 5n },
};

/** The text for the last of `snapshots`, all of which one renderer renders in turn. */
async function rendered(...snapshots: readonly MetricsSnapshot[]): Promise<string> {
  const renderer = new MetricsRenderer();
  let text = '';
  try {
    for (const snapshot of snapshots) text = await renderer.render(snapshot);
  } finally {
    renderer.close();
  }
  return text;
}

/** Metric -> type, and series -> value; asserts the form of every line on the way. */
function parseExposition(text: string): {
  types: Map<string, string>;
  series: Map<string, string>;
} {
  const types = new Map<string, string>();
  const helps = new Set<string>();
  const series = new Map<string, string>();
  ok(text.endsWith('\n'));
  for (const line of text.split('\n').filter((entry) => entry !== '')) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
    if (comment !== null) {
      const [, kind, name = '', rest = ''] = comment;
      if (kind === 'HELP') ok(!helps.has(name), `HELP ${name} twice`);
      else ok(!types.has(name) && /^(counter|gauge|histogram|summary)$/.test(rest), line);
      if (kind === 'HELP') helps.add(name);
      else types.set(name, rest);
      continue;
    }
    const sample =
      /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*\})? (\S+)$/.exec(
        line,
      );
    ok(sample !== null, line);
    const [, name = '', labels = '', value = ''] = sample;
    ok(!series.has(name + labels), `${name}${labels} twice`);
    ok(/^[+-]?(Inf|NaN|Nan|\d+(\.\d+)?(e[+-]?\d+)?)$/.test(value), line);
    const family = types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '');
    ok(types.has(family) && helps.has(family), `${name} has no HELP or TYPE before it`);
    series.set(name + labels, value);
  }
  return { types, series };
}

test('the text is well formed, and names follow the conventions', async () => {
  const { types } = parseExposition(await rendered(SNAPSHOT));
  for (const [name, type] of types) {
    equal(name.endsWith('_total'), type === 'counter', `${name} is a ${type}`);
    if (!name.startsWith('ipmp')) continue;
    ok(!/_(ms|us|kb|percent)(_|$)/.test(name), `${name}: base units`);
  }
  for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes']) {
    ok(types.has(name), name);
  }
});

test('[contract 7.1, 7.2, 7.3, 7.4] every metric is there, with labels and values', async () => {
  const { series } = parseExposition(await rendered(SNAPSHOT));
  const expected: Record<string, string> = {
    'ipmp_group_interfaces{group="ipmp0"}': '3',
    'ipmp_group_interfaces_active{group="ipmp0"}': '2',
    'ipmp_group_state{group="ipmp0",state="ok"}': '0',
    'ipmp_group_state{group="ipmp0",state="degraded"}': '1',
    'ipmp_group_state{group="ipmp0",state="failed"}': '0',
    'ipmp_group_failure_detection_seconds{group="ipmp0"}': '0.5',
    'ipmp_interface_state{interface="net0",group="ipmp0",state="ok"}': '1',
    'ipmp_interface_state{interface="net9",group="",state="absent"}': '1',
    'ipmp_interface_link_up{interface="net0",group="ipmp0"}': '1',
    'ipmp_interface_link_up{interface="net9",group=""}': '0',
    'ipmp_group_receive_bytes_total{group="ipmp0"}': String(HUGE),
    'ipmp_group_receive_errors_total{group="ipmp0"}': '7',
    'ipmp_group_transmit_packets_total{group="ipmp0"}': '0',
    'ipmp_interface_receive_bytes_total{interface="net0",group="ipmp0"}': String(HUGE),
    'ipmp_failovers_total{group="ipmp0",interface="net1",cause="link-down"}': '4',
    'ipmp_failovers_total{group="ipmp0",interface="net0",cause="link-down"}': '0',
    'ipmp_drops_total{reason="runt"}': '5',
    'ipmp_drops_total{reason="truncated"}': '0',
    'ipmp_address_bound{group="ipmp0",address="192.0.2.10/24",interface="net0"}': '1',
    'ipmp_address_bound{group="ipmp0",address="192.0.2.11/24",interface=""}': '0',
    'ipmpd_build_info{version="0.1.0"}': '1',
  };
  for (const [name, value] of Object.entries(expected)) equal(series.get(name), value, name);
  ok(series.has('ipmpd_event_loop_lag_seconds'));
  ok(!series.has('ipmp_interface_receive_bytes_total{interface="net9",group=""}'));
});

test('every member has one series for each cause of a failover, from the beginning', async () => {
  const failovers = [{ group: 'ipmp0', ifname: 'net0', cause: 'link-down', count: 4 }];
  const { series } = parseExposition(await rendered({ ...SNAPSHOT, failovers }));
  const counted = [...series].filter(([name]) => name.startsWith('ipmp_failovers_total{'));
  deepEqual(
    counted,
    FAILOVER_CAUSES.map((cause) => [
      `ipmp_failovers_total{group="ipmp0",interface="net0",cause="${cause}"}`,
      cause === 'link-down' ? '4' : '0',
    ]),
  );
  const cells = Object.values(PHYINT_TABLE).flatMap((row) => Object.values(row));
  // What an operator takes offline has not failed: the others have taken over before it goes.
  const leaving = cells
    .filter(({ action, why }) => action === 'leave' && why !== 'taken-offline')
    .map(({ why }) => why);
  deepEqual([...new Set(leaving)].sort(), [...FAILOVER_CAUSES].sort());
});

test('a scrape has the thread in so many turns as its series need', async () => {
  const needed = async (snapshot: MetricsSnapshot): Promise<number> => {
    let text = '';
    const turns = await turnsOf(async () => {
      text = await rendered(snapshot);
    });
    ok(turns <= parseExposition(text).series.size / ROWS_A_TURN, `${turns} turns`);
    return turns;
  };
  await needed(SNAPSHOT);
  const addresses = Array.from({ length: 10 * ROWS_A_TURN }, (_, at) => ({
    group: 'ipmp0',
    address: `192.0.${at >> 8}.${at & 255}/16`,
    inbound: 'net0',
  }));
  ok((await needed({ ...SNAPSHOT, addresses })) >= 10);
});

test('a series that is no longer in the snapshot is gone; unknown reasons add none', async () => {
  const none = { groups: [], interfaces: [], addresses: [], failovers: [] };
  const drops = { 'from_the_wire"}': 1n };
  const text = await rendered(SNAPSHOT, { ...SNAPSHOT, ...none, drops });
  for (const name of parseExposition(text).series.keys()) {
    ok(!name.startsWith('ipmp_') || name.startsWith('ipmp_drops_total'), name);
  }
  ok(!text.includes('from_the_wire'));
});

test('[contract 6.1] the statistics are the fifteen, in order and width', () => {
  deepEqual(
    INTERFACE_STATISTICS.map(({ name, width }) => `${name}:${width}`).join(' '),
    'obytes:32 obytes64:64 rbytes:32 rbytes64:64 opackets:32 opackets64:64 oerrors:32 ' +
      'ipackets:32 ipackets64:64 ierrors:32 multircv:32 multixmt:32 brdcstrcv:32 ' +
      'brdcstxmt:32 link_up:32',
  );
  const data = interfaceStatistics({ ...LINK_COUNTERS_ZERO, obytes: 2n ** 64n - 1n }, false);
  deepEqual([data.obytes, data.obytes64, data.link_up], [2n ** 32n - 1n, 2n ** 64n - 1n, 0]);
});

test('drop reasons: unique names in one style, a sentence each', () => {
  const reasons = Object.values(DROP_REASONS).flatMap((section) => Object.entries(section));
  equal(new Set(reasons.map(([name]) => name)).size, reasons.length);
  for (const [name, sentence] of reasons) {
    match(name, /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
    match(sentence, /^\S.{9,98}[^.\s]$/);
  }
});

type Ask = (host: string, path?: string, method?: string) => Promise<[number, string]>;

/** A listener for the texts of `render`: its port, and what it answers to a request for a host. */
async function listening(
  render: () => Promise<string>,
  options: { hosts?: string[]; onRefused?: (name: string, address: string) => void } = {},
): Promise<{ port: number; ask: Ask } & AsyncDisposable> {
  const metrics = new SharedText(render, () => 0);
  const ours = { host: '127.0.0.1', port: 0, hosts: [], metrics, ...options };
  const listener = await startMetricsListener(ours);
  const { port } = listener;
  const ask: Ask = async (host, path = '/metrics', method = 'GET') => {
    const to = { host: '127.0.0.1', port, path, method, headers: { host }, agent: false };
    const [response] = (await once(request(to).end(), 'response')) as [IncomingMessage];
    return [response.statusCode ?? 0, await text(response)];
  };
  return { port, ask, [Symbol.asyncDispose]: () => listener.close() };
}

test('the TCP listener serves GET /metrics to its own names, and nothing else', async () => {
  let made = 0;
  await using listener = await listening(async () => `# ${++made}\n`, {
    hosts: ['Prometheus.Example'],
  });
  const { port, ask } = listener;
  const local = `localhost:${port}`;
  for (const [status, host, ...request] of [
    [200, `127.0.0.1:${port}`],
    [200, `LocalHost:${port}`],
    [200, `prometheus.example:${port}`],
    [421, '127.0.0.1'],
    [421, `evil.example:${port}`],
    [421, `localhost:${port + 1}`],
    [421, `x@y:${port}`],
    [404, local, '/'],
    [404, local, '/metrics/'],
    [404, local, '/v1/groups'],
    [404, local, '/v1/openapi.json'],
    [404, local, '/%2e%2e/metrics'],
    [404, local, '/metrics', 'POST'],
    [404, local, '/metrics', 'DELETE'],
    [404, local, '/metrics', 'HEAD'],
    [404, local, '/metrics', 'OPTIONS'],
  ] satisfies [number, string, string?, string?][]) {
    equal((await ask(host, ...request))[0], status, `${host} ${request}`);
  }
  equal(made, 1);
});

test('a refusal explains how to be served, and so does the log', async () => {
  const refused: string[] = [];
  await using listener = await listening(async () => 'ok\n', {
    onRefused: (...words) => void refused.push(...words),
  });
  const name = `web1:${listener.port}`;
  deepEqual(await listener.ask(name), [
    421,
    `this listener is not called ${name}: add its name to metrics.hosts\n`,
  ]);
  deepEqual(refused, [name, '127.0.0.1']);
});

test('many connections without a request keep no scraper out', async () => {
  await using listener = await listening(async () => 'ok\n');
  const idle: Socket[] = [];
  try {
    for (let n = 0; n < 300; n++) {
      const socket = connect(listener.port, '127.0.0.1');
      socket.on('error', () => undefined);
      idle.push(socket);
      await once(socket, 'connect');
    }
    deepEqual(await listener.ask(`localhost:${listener.port}`), [200, 'ok\n']);
  } finally {
    for (const socket of idle) socket.destroy();
  }
});

test('more than four scrapes in hand are refused, and a failed one is not kept', async () => {
  const waiting: { resolve: (text: string) => void; reject: (error: Error) => void }[] = [];
  await using listener = await listening(
    () => new Promise<string>((resolve, reject) => waiting.push({ resolve, reject })),
  );
  let refused = 0;
  const scrape = async (): Promise<number> => {
    const [status] = await listener.ask(`localhost:${listener.port}`);
    if (status === 503) refused++;
    return status;
  };
  const scrapes = Array.from({ length: 6 }, scrape);
  while (refused < 2) await new Promise((done) => setTimeout(done, 5));
  waiting[0]?.reject(new Error('no'));
  deepEqual((await Promise.all(scrapes)).sort(), [500, 500, 500, 500, 503, 503]);
  const again = scrape();
  while (waiting.length < 2) await new Promise((done) => setTimeout(done, 5));
  waiting[1]?.resolve('ok\n');
  equal(await again, 200);
});

test('the inside of a failed scrape is not shown to the scraper', async () => {
  await using listener = await listening(() => Promise.reject(new Error('/etc/secret: EACCES')));
  deepEqual(await listener.ask(`localhost:${listener.port}`), [
    500,
    'the metrics could not be collected\n',
  ]);
});
