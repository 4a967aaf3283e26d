/** The API over a real Unix socket: replies, rights, refusals, limits, events. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Ajv } from 'ajv';
import { OperatorError } from '../../src/base/errors.ts';
import { ERROR_REPLY, isPermitted, ROUTES } from '../../src/ctl/api.ts';
import { EVENT_QUEUE_BYTES } from '../../src/ctl/events.ts';
import { type FakeDaemon, fakeDaemon, HUGE } from './ctl-fake.ts';

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

function ask(
  daemon: FakeDaemon,
  path: string,
  options: { method?: string; body?: string; headers?: Record<string, string> } = {},
): Promise<Reply> {
  const { method = 'GET', body, headers = {} } = options;
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        socketPath: daemon.socketPath,
        path,
        method,
        headers: { ...headers, 'content-length': Buffer.byteLength(body ?? '') },
        agent: false,
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => {
          const type = response.headers['content-type'] ?? '';
          resolve({ status: response.statusCode ?? 0, type, text });
        });
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

async function connectTo(daemon: FakeDaemon): Promise<Socket> {
  const socket = connect(daemon.socketPath);
  socket.on('error', () => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let round = 0; round < 1000; round++) {
    if (condition()) return;
    await delay(10);
  }
  throw new Error(`never: ${what}`);
}

const codeOf = (reply: Reply): string => JSON.parse(reply.text).error.code;

test('every reply keeps to the schema that the API shows', async () => {
  await using daemon = await fakeDaemon();
  const ajv = new Ajv({ strict: true, allowUnionTypes: true });
  for (const route of ROUTES.filter((entry) => entry.method === 'GET')) {
    const reply = await ask(daemon, route.path);
    equal(reply.status, 200);
    match(reply.type, /^application\/json/);
    ok(
      ajv.validate(route.reply ?? {}, JSON.parse(reply.text)),
      `${route.path}: ${ajv.errorsText()}`,
    );
  }
  match((await ask(daemon, '/v1/kstats')).text, new RegExp(`"rbytes64":${HUGE},`));
  const refusal = await ask(daemon, '/v1/groups/ipmp0', { method: 'DELETE' });
  deepEqual([refusal.status, codeOf(refusal)], [409, 'EBUSY']);
  ok(ajv.validate(ERROR_REPLY, JSON.parse(refusal.text)));
  const done = await ask(daemon, '/v1/groups/empty0', { method: 'DELETE' });
  deepEqual([done.status, done.text], [204, '']);
});

test('kstats: a pattern chooses which are read, and nobody can write any', async () => {
  await using daemon = await fakeDaemon();
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

test('the API describes itself', async () => {
  await using daemon = await fakeDaemon();
  const document = JSON.parse((await ask(daemon, '/v1/openapi.json')).text);
  deepEqual([document.openapi, document.info], ['3.1.0', { title: 'ipmpd', version: '0.0.0' }]);
  const paths = Object.keys(document.paths).sort();
  const routes = ROUTES.map((route) => route.path.replace(/:(\w+)/g, '{$1}'));
  deepEqual(paths, [...new Set([...routes, '/v1/events'])].sort());
});

test('health, readiness and metrics', async () => {
  await using daemon = await fakeDaemon();
  equal((await ask(daemon, '/healthz')).status, 200);
  equal((await ask(daemon, '/readyz')).status, 200);
  daemon.backend.ready = { ready: false, reason: 'starting' };
  const reply = await ask(daemon, '/readyz');
  deepEqual([reply.status, JSON.parse(reply.text)], [503, { ready: false, reason: 'starting' }]);
  equal((await ask(daemon, '/metrics')).text, '# made 1\n');
  await Promise.all(Array.from({ length: 20 }, () => ask(daemon, '/metrics')));
  equal(daemon.backend.metricsMade, 1);
  daemon.nowMs = 251;
  match((await ask(daemon, '/metrics')).type, /^text\/plain; version=0\.0\.4/);
  equal(daemon.backend.metricsMade, 2);
});

test('rights: everybody reads, the group operates, root does all', async () => {
  const who = (uid: number, gid: number, groups: number[] = []) => ({ pid: 1, uid, gid, groups });
  const users = [who(0, 0), who(1000, 1000), who(1000, 77), who(1000, 1000, [5, 77])];
  const table = (operatorGid: number | undefined) =>
    (['read', 'operate', 'root'] as const).map((role) =>
      users.map((user) => isPermitted(role, user, operatorGid)),
    );
  deepEqual(table(77), [
    [true, true, true, true],
    [true, false, true, true],
    [true, false, false, false],
  ]);
  deepEqual(table(undefined)[1], [true, false, false, false]);

  await using daemon = await fakeDaemon();
  daemon.credentials = who(1000, 1000);
  equal((await ask(daemon, '/v1/groups')).status, 200);
  const refused = await ask(daemon, '/v1/groups/empty0', { method: 'DELETE' });
  deepEqual([refused.status, codeOf(refused)], [403, 'EPERM']);
  match(JSON.parse(refused.text).error.message, /not permitted to user 1000$/);
  deepEqual(daemon.backend.deleted, []);
});

test('a peer without credentials is not served', async () => {
  await using daemon = await fakeDaemon();
  Object.defineProperty(daemon, 'credentials', {
    get: () => {
      throw new Error('EBADF');
    },
  });
  const outcome = await ask(daemon, '/v1/groups').catch((error) => error.code);
  ok(outcome === 'ECONNRESET' || outcome === 'EPIPE', outcome);
});

test('bad requests: each gets a coded refusal', async () => {
  await using daemon = await fakeDaemon();
  const json = { 'content-type': 'application/json' };
  const remove = (name: string, body?: string, headers = {}) =>
    ask(daemon, `/v1/groups/${name}`, { method: 'DELETE', ...(body ? { body } : {}), headers });
  const table: [Promise<Reply>, number, string][] = [
    [ask(daemon, '/v1/nothing'), 404, 'ENOENT'],
    [ask(daemon, '/v1/groups', { method: 'POST', headers: json, body: '{}' }), 404, 'ENOENT'],
    [remove('..%2f..%2fetc'), 400, 'EINVAL'],
    [remove('%00'), 400, 'EINVAL'],
    [remove('a'.repeat(16)), 400, 'EINVAL'],
    [remove('empty0', '{"__proto__": 1}', json), 400, 'EINVAL'],
    [remove('empty0', '[['.repeat(1000), json), 400, 'EINVAL'],
    [remove('empty0', '{}', { 'content-type': 'text/xml' }), 400, 'EINVAL'],
    [remove('empty0', `"${'x'.repeat(70_000)}"`, json), 413, 'EMSGSIZE'],
  ];
  for (const [asked, status, code] of table) {
    const reply = await asked;
    deepEqual([reply.status, codeOf(reply)], [status, code], reply.text);
  }
  deepEqual(daemon.backend.deleted, []);
});

test('what fails in the daemon is told without its inside', async () => {
  await using daemon = await fakeDaemon();
  daemon.backend.failure = new Error('secret path /root/x');
  const reply = await ask(daemon, '/v1/groups');
  deepEqual([reply.status, codeOf(reply)], [500, 'EIO']);
  ok(!reply.text.includes('secret'));
  daemon.backend.failure = new OperatorError('ETIMEDOUT', 'the driver is silent');
  deepEqual([(await ask(daemon, '/v1/groups')).status], [504]);
});

test('garbage on the socket ends that connection alone', async () => {
  await using daemon = await fakeDaemon();
  for (const garbage of ['\0\xff\xfe', 'GET / HTTP/9.9\r\n\r\n', 'GET /%zz HTTP/1.1\r\n\r\n']) {
    const socket = await connectTo(daemon);
    socket.resume();
    socket.write(garbage, 'latin1');
    await once(socket, 'close');
  }
  equal((await ask(daemon, '/v1/groups')).status, 200);
});

test('a request that never ends is ended', { timeout: 20_000 }, async () => {
  await using daemon = await fakeDaemon();
  const socket = await connectTo(daemon);
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.write('GET /v1/groups HTTP/1.1\r\nhost: x\r\nx: ');
  await once(socket, 'close');
  match(text, /^HTTP\/1\.1 408 /);
});

test('clients are limited for each user; root has room of its own', async () => {
  await using daemon = await fakeDaemon();
  const held: Socket[] = [];
  const hold = async (uid: number, count: number): Promise<void> => {
    daemon.credentials = { pid: 1, uid, gid: uid, groups: [] };
    for (let at = 0; at < count; at++) held.push(await connectTo(daemon));
    await delay(20);
  };
  const status = async (uid: number): Promise<number> => {
    daemon.credentials = { pid: 1, uid, gid: uid, groups: [] };
    return (await ask(daemon, '/v1/groups')).status;
  };
  await hold(1001, 16);
  deepEqual([await status(1001), await status(1002)], [503, 200]);
  await hold(1002, 16);
  await hold(1003, 16);
  deepEqual([await status(1004), await status(0)], [503, 200]);
  for (const socket of held) socket.destroy();
  await delay(50);
  equal(await status(1001), 200);
});

test('a slow subscriber loses its stream with a notice; others hear everything', async () => {
  await using daemon = await fakeDaemon();
  const slow = await connectTo(daemon);
  slow.write('GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n');
  const quick = await connectTo(daemon);
  let heard = 0;
  quick.on('data', (chunk: Buffer) => {
    heard += chunk.toString('latin1').split('event: interface-state').length - 1;
  });
  quick.write('GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n');
  await until(() => daemon.backend.listeners.size === 2, 'both subscribe');
  slow.pause();
  let published = 0;
  while (daemon.backend.listeners.size === 2) {
    daemon.backend.publish('x'.repeat(1000));
    published++;
    await delay(0);
    ok(published * 1000 < EVENT_QUEUE_BYTES + 8_000_000, 'the queue is bounded');
  }
  daemon.backend.publish('the last one');
  await until(() => heard === published + 1, 'the quick one hears everything');
  let text = '';
  slow.on('data', (chunk) => {
    text += chunk;
  });
  slow.resume();
  await until(() => text.includes('event: overrun'), 'the slow one is told');
  match(text, /"event":"overrun".*"cause":"the subscriber reads too slowly"/);
  quick.destroy();
  await until(() => daemon.backend.listeners.size === 0, 'who leaves is forgotten');
});
