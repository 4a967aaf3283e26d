/**
 * The exposition text: names, types and labels as promtool requires them, exact values, one
 * collection.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { ROWS_A_TURN } from '../../../src/base/turns.ts';
import {
  type MetricsListener,
  startMetricsListener,
} from '../../../src/ctl/api/metrics-listener.ts';
import { SharedText } from '../../../src/ctl/api/shared-text.ts';
import { PHYINT_TABLE } from '../../../src/ipmp/decide/phyint-state.ts';
import { DROP_REASONS, dropReasonSentence } from '../../../src/stats/drop-reasons.ts';
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

async function rendered(snapshot: MetricsSnapshot): Promise<string> {
  const renderer = new MetricsRenderer();
  try {
    return await renderer.render(snapshot);
  } finally {
    renderer.close();
  }
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
  const renderer = new MetricsRenderer();
  const needed = async (snapshot: MetricsSnapshot): Promise<{ few: boolean; turns: number }> => {
    let text = '';
    const turns = await turnsOf(async () => {
      text = await renderer.render(snapshot);
    });
    const series = [...parseExposition(text).series.keys()].length;
    return { few: turns <= series / ROWS_A_TURN, turns };
  };
  try {
    const small = await needed(SNAPSHOT);
    ok(small.few, `${small.turns} turns`);
    const addresses = Array.from({ length: 10 * ROWS_A_TURN }, (_, at) => ({
      group: 'ipmp0',
      address: `192.0.${at >> 8}.${at & 255}/16`,
      inbound: 'net0',
    }));
    const large = await needed({ ...SNAPSHOT, addresses });
    ok(large.few && large.turns >= 10, `${large.turns} turns`);
  } finally {
    renderer.close();
  }
});

test('a series that is no longer in the snapshot is gone; unknown reasons add none', async () => {
  const renderer = new MetricsRenderer();
  try {
    await renderer.render(SNAPSHOT);
    const text = await renderer.render({
      ...SNAPSHOT,
      groups: [],
      interfaces: [],
      addresses: [],
      failovers: [],
      drops: { 'from_the_wire"}': 1n },
    });
    const { series } = parseExposition(text);
    const left = [...series.keys()].filter((name) => name.startsWith('ipmp_'));
    ok(
      left.every((name) => name.startsWith('ipmp_drops_total')),
      left.join(' '),
    );
    ok(!text.includes('from_the_wire'));
  } finally {
    renderer.close();
  }
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
  const names = Object.values(DROP_REASONS).flatMap((section) => Object.keys(section));
  equal(new Set(names).size, names.length);
  for (const name of names) {
    match(name, /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
    match(dropReasonSentence(name) ?? '', /^\S.{9,98}[^.\s]$/);
  }
  equal(dropReasonSentence('constructor'), undefined);
});

function scrape(
  listener: MetricsListener,
  host: string,
  path = '/metrics',
  method = 'GET',
): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: listener.port, path, method, headers: { host } };
    const sent = request({ ...options, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', reject);
    sent.end();
  });
}

test('the TCP listener serves GET /metrics to its own names, and nothing else', async () => {
  let made = 0;
  const metrics = new SharedText(
    async () => `# ${++made}\n`,
    () => 0,
  );
  const options = { host: '127.0.0.1', port: 0, hosts: ['Prometheus.Example'], metrics };
  const listener = await startMetricsListener(options);
  try {
    const { port } = listener;
    for (const name of [`127.0.0.1:${port}`, `LocalHost:${port}`, `prometheus.example:${port}`]) {
      equal(await scrape(listener, name), 200, name);
    }
    for (const name of [
      '127.0.0.1',
      `evil.example:${port}`,
      `localhost:${port + 1}`,
      `x@y:${port}`,
    ]) {
      equal(await scrape(listener, name), 421, name);
    }
    for (const path of ['/', '/metrics/', '/v1/groups', '/v1/openapi.json', '/%2e%2e/metrics']) {
      equal(await scrape(listener, `localhost:${port}`, path), 404, path);
    }
    for (const method of ['POST', 'DELETE', 'HEAD', 'OPTIONS']) {
      equal(await scrape(listener, `localhost:${port}`, '/metrics', method), 404, method);
    }
    equal(made, 1);
  } finally {
    await listener.close();
  }
});

test('a refusal explains how to be served, and so does the log', async () => {
  const metrics = new SharedText(
    async () => 'ok\n',
    () => 0,
  );
  const refused: string[] = [];
  const onRefused = (name: string, address: string): void => void refused.push(name, address);
  const options = { host: '127.0.0.1', port: 0, hosts: [], metrics, onRefused };
  const listener = await startMetricsListener(options);
  try {
    const answer = await new Promise<string>((resolve, reject) => {
      const { port } = listener;
      const headers = { host: `web1:${port}` };
      const sent = request({ host: '127.0.0.1', port, path: '/metrics', headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve(text));
      });
      sent.on('error', reject);
      sent.end();
    });
    const name = `web1:${listener.port}`;
    equal(answer, `this listener is not called ${name}: add its name to metrics.hosts\n`);
    deepEqual(refused, [name, '127.0.0.1']);
  } finally {
    await listener.close();
  }
});

test('many connections without a request keep no scraper out', async () => {
  const metrics = new SharedText(
    async () => 'ok\n',
    () => 0,
  );
  const listener = await startMetricsListener({ host: '127.0.0.1', port: 0, hosts: [], metrics });
  const idle: Socket[] = [];
  try {
    for (let n = 0; n < 300; n++) {
      const socket = connect(listener.port, '127.0.0.1');
      socket.on('error', () => undefined);
      idle.push(socket);
      await once(socket, 'connect');
    }
    equal(await scrape(listener, `localhost:${listener.port}`), 200);
  } finally {
    for (const socket of idle) socket.destroy();
    await listener.close();
  }
});

test('more than four scrapes in hand are refused, and a failed one is not kept', async () => {
  const waiting: { resolve: (text: string) => void; reject: (error: Error) => void }[] = [];
  const metrics = new SharedText(
    () => new Promise<string>((resolve, reject) => waiting.push({ resolve, reject })),
    () => 0,
  );
  const listener = await startMetricsListener({ host: '127.0.0.1', port: 0, hosts: [], metrics });
  try {
    const host = `localhost:${listener.port}`;
    let refused = 0;
    const scrapes = Array.from({ length: 6 }, async () => {
      const status = await scrape(listener, host);
      if (status === 503) refused++;
      return status;
    });
    while (refused < 2) await new Promise((done) => setTimeout(done, 5));
    waiting[0]?.reject(new Error('no'));
    const statuses = await Promise.all(scrapes);
    deepEqual(statuses.sort(), [500, 500, 500, 500, 503, 503]);
    const again = scrape(listener, host);
    while (waiting.length < 2) await new Promise((done) => setTimeout(done, 5));
    waiting[1]?.resolve('ok\n');
    equal(await again, 200);
  } finally {
    await listener.close();
  }
});

test('the inside of a failed scrape is not shown to the scraper', async () => {
  const metrics = new SharedText(
    () => Promise.reject(new Error('/etc/secret is not readable')),
    () => 0,
  );
  const listener = await startMetricsListener({ host: '127.0.0.1', port: 0, hosts: [], metrics });
  try {
    const response = await fetch(`http://127.0.0.1:${listener.port}/metrics`);
    equal(response.status, 500);
    equal(await response.text(), 'the metrics could not be collected\n');
  } finally {
    await listener.close();
  }
});
