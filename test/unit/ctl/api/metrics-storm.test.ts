/**
 * The metrics listener under a storm of scrapes and under wrong requests (T23): a thousand scrapes
 * a second cost no more than four collections a second, and two hundred requests that are wrong in
 * one way each are refused without any.
 */
import { equal, ok } from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, createServer, METHODS, request } from 'node:http';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type MetricsListener,
  startMetricsListener,
} from '../../../../src/ctl/api/metrics-listener.ts';
import { SharedText } from '../../../../src/ctl/api/shared.ts';
import { RawClient } from './harness.ts';

const SCRAPES_A_SECOND = 1000;
const SCRAPES = Number(process.env.IPMPD_SCRAPE_SECONDS ?? 2) * SCRAPES_A_SECOND;
/** Ours: so many times as long as with a server that does nothing. */
const SLOWER = 4;
/** A collection waits for drivers. */
const COLLECTION_MS = 40;
const COLLECTIONS_A_SECOND = 4;

interface Subject {
  readonly listener: MetricsListener;
  made: number;
}

async function withListener(body: (subject: Subject) => Promise<void>): Promise<void> {
  const render = async (): Promise<string> => {
    subject.made += 1;
    await sleep(COLLECTION_MS);
    return `made ${subject.made}\n`;
  };
  const metrics = new SharedText(render, () => performance.now());
  const options = { host: '127.0.0.1', port: 0, hosts: ['prometheus.example'], metrics };
  const subject = { listener: await startMetricsListener(options), made: 0 };
  try {
    await body(subject);
  } finally {
    await subject.listener.close();
  }
}

function scrape(port: number, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path: '/metrics', agent }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    sent.on('error', reject);
    sent.end();
  });
}

/** Asks `count` times, a thousand times a second or as often as the machine can. */
async function storm(port: number, count: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const underWay: Promise<number>[] = [];
  const beganMs = performance.now();
  const elapsedMs = (): number => performance.now() - beganMs;
  while (underWay.length < count) {
    const due = Math.min(count, (elapsedMs() / 1000) * SCRAPES_A_SECOND);
    while (underWay.length < due) underWay.push(scrape(port, agent));
    await sleep(1);
  }
  const statuses = await Promise.all(underWay);
  const seconds = elapsedMs() / 1000;
  agent.destroy();
  const countOf = (status: number): number => statuses.filter((one) => one === status).length;
  return { served: countOf(200), refused: countOf(503), seconds, rate: count / seconds };
}

/** Answers a second of a server that does nothing: what the machine gives at this moment. */
async function rateOfMachine(): Promise<number> {
  const server = createServer((_, response) => response.end('nothing\n')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const { rate } = await storm(port, SCRAPES / 8);
  server.close();
  return rate;
}

test('a storm of scrapes shares few collections', async (t) => {
  await withListener(async (subject) => {
    const before = await rateOfMachine();
    const { served, refused, seconds, rate } = await storm(subject.listener.port, SCRAPES);
    const machine = Math.min(before, await rateOfMachine());
    t.diagnostic(
      `${SCRAPES} scrapes in ${seconds.toFixed(2)} s: ${served} served, ${refused} refused; ` +
        `made ${subject.made}; a second ${rate.toFixed(0)}, of nothing ${machine.toFixed(0)}`,
    );
    equal(served + refused, SCRAPES, 'served, or too many at one time');
    ok(rate >= machine / SLOWER, `${rate} answers a second, ${machine} of a server of nothing`);
    ok(served > SCRAPES / 4, 'many are served');
    ok(subject.made >= 2, 'and what is served is not older than its time');
    const allowed = Math.ceil(seconds * COLLECTIONS_A_SECOND) + 1;
    ok(subject.made <= allowed, `${subject.made} collections in ${seconds} s`);
  });
});

/** Names that are not ours, one a word; PORT stands for the listener's own. */
const WRONG_HOSTS = `
  : :PORT 127.0.0.1 localhost 127.0.0.1: localhost: [::1]
  127.0.0.1:0 127.0.0.1:80 127.0.0.1:9437 127.0.0.1:65536 127.0.0.1:-1
  localhost:0PORT localhost:+PORT localhost:PORT0 localhost:PORT. localhost:PORT: localhost::PORT
  localhost:PORT:PORT localhost.:PORT .localhost:PORT evil.localhost:PORT
  localhost.evil.example:PORT localhost,evil.example:PORT evil.example:PORT evil.example
  EVIL.EXAMPLE:PORT evil.example#localhost:PORT localhost:PORT# localhost:PORT/ localhost:PORT?x
  user@localhost:PORT user:pw@localhost:PORT http://localhost:PORT //localhost:PORT
  127.0.0.2:PORT 127.0.0.01:PORT 127.1:PORT 127.0.1:PORT 0177.0.0.1:PORT 2130706433:PORT
  0x7f000001:PORT 0x7f.0.0.1:PORT 0.0.0.0:PORT 0:PORT [::1]:PORT [::]:PORT ::1:PORT
  [::ffff:127.0.0.1]:PORT [127.0.0.1]:PORT 127.0.0.1.nip.example:PORT 10.0.0.1:PORT
  192.0.2.1:PORT 255.255.255.255:PORT localhost%00:PORT localhost%2e:PORT l%6fcalhost:PORT
  prometheus:PORT prometheus.example prometheus.example:1 aprometheus.example:PORT
  prometheus.example.:PORT prometheusxexample:PORT *:PORT *.example:PORT null:PORT
`;

const WRONG_PATHS = `
  / // /metrics/ //metrics /metrics// /./metrics /../metrics /metrics/. /metrics/..
  /metrics/../metrics /%2e/metrics /%2e%2e/metrics /%2fmetrics /metrics%2f /metrics%00 /metrics%20
  /metrics%0a /metrics%23 /metrics%3f /Metrics /METRICS /metric /metricss /metrics. /metrics.txt
  /metrics~ /metrics\\ /\\metrics /metrics, /metrics: /metrics@ /metrics! /metrics*
  /v1 /v1/ /v1/status /v1/groups /v1/groups/ipmp0 /v1/interfaces /v1/kstats /v1/addresses
  /v1/neighbors /v1/events /v1/config /v1/reload /v1/metrics /v1/openapi.json /openapi.json /docs
  /documentation /swagger /json /healthz /readyz /federate /probe /debug/pprof /debug /graph
  /api/v1/query /favicon.ico /robots.txt /index.html /.git/config /.env /etc/passwd
  /../../etc/passwd /..%2f..%2fetc%2fpasswd /%c0%ae%c0%ae/metrics /%ff /% /%zz /? /?/metrics
  /*  * metrics http:/metrics http://evil.example/metrics http://localhost/metrics
  /-/healthy /-/ready /-/quit /actuator/prometheus /metrics.json /metrics;x /admin /status
  /api /ping
  https://localhost/metrics /__proto__ /constructor /metrics/__proto__ /metrics/metrics
`;

const WRONG_METHODS: readonly string[] = [
  ...METHODS.filter((method) => method !== 'GET'),
  ...['get', 'Get', 'GETT', 'GE', 'G', 'FOO', 'GET/', 'GET\t', ' GET', '0', '*'],
];

const words = (text: string): string[] => text.trim().split(/\s+/);

/** The status of the first reply, or how it ended without one. */
async function statusOf(port: number, text: string): Promise<string> {
  const client = new RawClient({ host: '127.0.0.1', port });
  client.socket.write(text, 'latin1');
  const received = await client.whole();
  return /^HTTP\/1\.1 (\d\d\d) /.exec(received)?.[1] ?? (received || 'closed');
}

function requestText(port: number, [method, path, host]: readonly [string, string, string]) {
  const name = host.replaceAll('PORT', String(port));
  return `${method} ${path} HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`;
}

test('wrong hosts, methods and paths are refused and cost no collection', async (t) => {
  await withListener(async (subject) => {
    const { port } = subject.listener;
    const cases = [
      ...words(WRONG_HOSTS).map((host) => ['GET', '/metrics', host] as const),
      ...words(WRONG_PATHS).map((path) => ['GET', path, 'localhost:PORT'] as const),
      ...WRONG_METHODS.map((method) => [method, '/metrics', 'localhost:PORT'] as const),
    ];
    const outcomes = new Map<string, number>();
    for (const wrong of cases) {
      const status = await statusOf(port, requestText(port, wrong));
      ok(['400', '404', '421', 'closed'].includes(status), `${wrong.join(' ')}: ${status}`);
      outcomes.set(status, (outcomes.get(status) ?? 0) + 1);
    }
    t.diagnostic(`${cases.length} cases: ${JSON.stringify(Object.fromEntries(outcomes))}`);
    ok(cases.length >= 200);
    equal(new Set(cases.map(String)).size, cases.length, 'each case is listed once');
    equal(subject.made, 0);
    equal(await statusOf(port, requestText(port, ['GET', '/metrics', 'localhost:PORT'])), '200');
    equal(subject.made, 1);
  });
});

test('two Host headers, or none, are refused', async () => {
  await withListener(async (subject) => {
    const { port } = subject.listener;
    const ours = `Host: localhost:${port}\r\n`;
    for (const headers of ['', `${ours}Host: evil.example\r\n`, `Host: evil.example\r\n${ours}`]) {
      const text = `GET /metrics HTTP/1.1\r\n${headers}Connection: close\r\n\r\n`;
      ok(['400', '421'].includes(await statusOf(port, text)), headers);
    }
    equal(subject.made, 0);
  });
});
