/** The API over a real Unix socket: replies, rights, refusals, limits. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { isErrorCode, OperatorError } from '../../../../src/base/errors.ts';
import { ROUTES } from '../../../../src/ctl/api/routes.ts';
import type { Credentials } from '../../../../src/ctl/backend.ts';
import { isPermitted, type Role } from '../../../../src/ctl/route.ts';
import { unlikeTheList, VERBS } from '../../../siege/verbs.ts';
import { addressRow } from '../../../tools/rows.ts';
import { ask, ControlHarness, codeOf, controlHarness, RawClient } from './harness.ts';

test('a client that waits for a change or an operation is not idle', async (context) => {
  await using daemon = await controlHarness();
  const timed = new Set<Socket>();
  const { setTimeout } = Socket.prototype;
  context.mock.method(Socket.prototype, 'setTimeout', function (this: Socket, ms: number) {
    if ('server' in this && this.server !== null) timed.add(this);
    return setTimeout.call(this, ms);
  });
  const waiting: [string, number | undefined][] = [];
  const noteWaiting = (what: string) => async (): Promise<void> => {
    waiting.push([what, [...timed].at(-1)?.timeout]);
  };
  const { backend } = daemon;
  backend.onlineInterface = noteWaiting('operation');
  backend.deleteInterface = noteWaiting('change');
  equal((await ask(daemon, '/v1/interfaces/net1/online', { method: 'POST' })).status, 204);
  equal((await ask(daemon, '/v1/interfaces/net1', { method: 'DELETE' })).status, 204);
  deepEqual(waiting, [
    ['operation', 0],
    ['change', 0],
  ]);
});

test('[contract 6.5] kstats: a pattern chooses which are read, no user writes any', async () => {
  await using daemon = await controlHarness();
  const chosen = JSON.parse((await ask(daemon, '/v1/kstats?pattern=ipmpd:0:d*')).text);
  deepEqual(
    chosen.map(({ name }: { name: string }) => name),
    ['drops'],
  );
  deepEqual(daemon.backend.kstatsRead, ['ipmpd:drops']);
  for (const query of ['pattern=a:b:c:d:e', 'pattern=a&pattern=b']) {
    const refusal = await ask(daemon, `/v1/kstats?${query}`);
    deepEqual([refusal.status, codeOf(refusal)], [400, 'EINVAL'], query);
  }
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    for (const path of ['/v1/kstats', '/v1/kstats/ipmp:0:ipmp0', '/v1/kstats/a/b']) {
      const refusal = await ask(daemon, path, { method });
      deepEqual([refusal.status, codeOf(refusal)], [403, 'EACCES'], `${method} ${path}`);
    }
  }
});

test('[contract 5.3] health, readiness and metrics', async () => {
  await using daemon = await controlHarness();
  equal((await ask(daemon, '/healthz')).status, 200);
  equal((await ask(daemon, '/readyz')).status, 200);
  daemon.backend.ready = { ready: false, reason: 'starting' };
  const reply = await ask(daemon, '/readyz');
  deepEqual([reply.status, JSON.parse(reply.text)], [503, { ready: false, reason: 'starting' }]);
  equal((await ask(daemon, '/metrics')).text, '# made 1 by 0.0.0\n');
  await Promise.all(Array.from({ length: 20 }, () => ask(daemon, '/metrics')));
  equal(daemon.backend.metricsMade, 1);
  daemon.nowMs = 251;
  match((await ask(daemon, '/metrics')).type, /^text\/plain; version=0\.0\.4/);
  equal(daemon.backend.metricsMade, 2);
});

/** Users, and whether each may read, operate, and do all; the operators' group is 77. */
const USERS: readonly (readonly [by: Credentials, may: readonly Role[]])[] = [
  [user(0, 0), ['read', 'operate', 'root']],
  [user(0, 1000, [5]), ['read', 'operate', 'root']],
  [user(1000, 1000), ['read']],
  [user(1000, 77), ['read', 'operate']],
  [user(1000, 1000, [5, 77]), ['read', 'operate']],
  [user(1000, 0, [0]), ['read']],
  [user(65534, 65534), ['read']],
  [user(77, 1000, [7, 770]), ['read']],
];

function user(uid: number, gid: number, groups: number[] = []): Credentials {
  return { pid: 1, uid, gid, groups };
}

test('long lists and what has one are written in turns, as short ones are', async () => {
  await using daemon = await controlHarness();
  const { backend } = daemon;
  const shape = async (path: string) => JSON.parse((await ask(daemon, path)).text);
  const many = Array.from({ length: 250 }, (_, n) => addressRow(`10.0.0.${n}/8`));
  backend.addresses = async () => many;
  deepEqual(await shape('/v1/addresses'), many);
  deepEqual(await shape('/v1/snapshot'), await backend.snapshot());
  backend.addresses = async () => many.slice(0, 3);
  deepEqual(await shape('/v1/addresses'), many.slice(0, 3));
  deepEqual(await shape('/v1/snapshot'), await backend.snapshot());
});

test('routes and their roles are those of the list by hand', async () => {
  await using daemon = await controlHarness();
  const document = JSON.parse((await ask(daemon, '/v1/openapi.json')).text);
  deepEqual(unlikeTheList(document), { absent: [], unlisted: [] });
  for (const { method, path, role } of ROUTES) {
    const inDocument = path.replace(/:(\w+)/g, '{$1}');
    const listed = VERBS.find((verb) => verb.method === method && verb.path === inDocument);
    equal(role, listed?.role, `${method} ${path}`);
  }
});

test('[contract 5.4] rights: every user and route, before anything else is looked at', async () => {
  await using daemon = new ControlHarness();
  await daemon.start(77);
  let cells = 0;
  for (const [by, may] of USERS) {
    daemon.credentials = by;
    for (const { method, path, role } of ROUTES) {
      // The request is wrong in several ways; a user without the right does not learn them.
      const reply = await ask(daemon, path.replace(/:\w+/g, '!'), { method, body: '{' });
      const isRefused = reply.status === 403 && codeOf(reply) === 'EPERM';
      equal(isRefused, !may.includes(role), `${by.uid} ${method} ${path}: ${reply.text}`);
      cells++;
    }
  }
  equal(cells, USERS.length * ROUTES.length);
  deepEqual(daemon.backend.done, []);
  const refused = await ask(daemon, '/v1/groups/ipmp2?save=true', { method: 'DELETE' });
  match(refused.text, /"DELETE \/v1\/groups\/ipmp2\?save=true is not permitted to user 77"/);
});

test('repeated refusals of one user do not fill the log', async () => {
  await using daemon = new ControlHarness();
  daemon.lines = [];
  await daemon.start();
  daemon.credentials = { pid: 1, uid: 1001, gid: 1001, groups: [] };
  const began = performance.now();
  for (let at = 0; at < 100; at++) {
    const { status } = await ask(daemon, '/v1/groups/ipmp0', { method: 'DELETE' });
    equal(status, 403);
  }
  const seconds = Math.ceil((performance.now() - began) / 1000);
  const logged = daemon.lines.filter((line) => line.includes('refused: not permitted'));
  ok(logged.length >= 20 && logged.length <= 21 * (seconds + 1), `${logged.length}`);
});

test('[contract 5.4] without an operators’ group only root operates', () => {
  deepEqual(
    USERS.map(([by]) => isPermitted('operate', by, undefined)),
    USERS.map(([by]) => by.uid === 0),
  );
});

test('a peer without credentials is not served', async () => {
  await using daemon = await controlHarness();
  Object.defineProperty(daemon, 'credentials', {
    get: () => {
      throw new Error('EBADF');
    },
  });
  const outcome = await ask(daemon, '/v1/groups').catch((error) => error.code);
  ok(outcome === 'ECONNRESET' || outcome === 'EPIPE', outcome);
});

test('the reply after a fault of the daemon shows no detail', async () => {
  await using daemon = await controlHarness();
  daemon.backend.failure = new Error('secret path /root/x');
  const reply = await ask(daemon, '/v1/groups');
  deepEqual([reply.status, codeOf(reply)], [500, 'EIO']);
  ok(!reply.text.includes('secret'));
  daemon.backend.failure = new OperatorError('ETIMEDOUT', 'the driver does not answer');
  deepEqual([(await ask(daemon, '/v1/groups')).status], [504]);
});

test('a request in conflict with what is there is refused with 409', async () => {
  await using daemon = await controlHarness();
  const conflicts = ['EADDRINUSE', 'EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EALREADY', 'EBUSY', 'EEXIST'];
  for (const code of conflicts.filter(isErrorCode)) {
    daemon.backend.failure = new OperatorError(code, 'not now');
    const reply = await ask(daemon, '/v1/groups');
    deepEqual([reply.status, codeOf(reply)], [409, code]);
  }
});

test('garbage on the socket ends that connection alone', async () => {
  await using daemon = await controlHarness();
  for (const garbage of ['\0\xff\xfe', 'GET / HTTP/9.9\r\n\r\n', 'GET /%zz HTTP/1.1\r\n\r\n']) {
    await (await RawClient.open(daemon.socketPath, garbage)).whole();
  }
  equal((await ask(daemon, '/v1/groups')).status, 200);
});

test('[contract 5.7] a request that never ends is ended', { timeout: 20_000 }, async () => {
  await using daemon = await controlHarness();
  const begun = 'GET /v1/groups HTTP/1.1\r\nhost: x\r\nx: ';
  const client = await RawClient.open(daemon.socketPath, begun);
  match(await client.whole(), /^HTTP\/1\.1 408 /);
});
