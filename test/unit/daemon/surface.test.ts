/**
 * The daemon's control socket and its listener for scrapers: refused scrapes are logged, and
 * nothing is opened during the stop or after it.
 */

import { deepEqual, equal, rejects } from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { OperatorError } from '../../../src/base/errors.ts';
import type { Config } from '../../../src/config/types.ts';
import { Surface } from '../../../src/daemon/surface.ts';
import { native } from '../../../src/native/addon.ts';
import { type Clock, hostClock } from '../../../src/process/clock.ts';
import { TestClock } from '../../tools/clock.ts';
import { testFolder } from '../../tools/folder.ts';
import { testLog } from '../../tools/log.ts';
import { MemoryBackend } from '../ctl/api/backend.ts';

const HOST = '127.0.0.1';

/** A port of the loopback device that was free just now. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function refused(port: number): Promise<void> {
  const socket = connect(port, HOST);
  await rejects(once(socket, 'connect'), { code: 'ECONNREFUSED' }).finally(() => socket.destroy());
}

/** A surface that serves its socket, and listens for scrapers where `listen` says. */
async function started(
  directory: string,
  clock: Clock,
  listen: Config['metrics']['listen'],
  log = pino({ level: 'silent' }),
): Promise<Surface> {
  const surface = new Surface({ backend: await MemoryBackend.open(directory), log, clock });
  const control = { socket: join(directory, 'run', 'ipmpd.sock'), group: 'root' };
  await surface.start({ control, metrics: { listen, hosts: [] } } as unknown as Config);
  return surface;
}

test('a list of groups that cannot be read does not keep the daemon from serving', async (t) => {
  const directory = testFolder(t);
  let isReadable = false;
  const { log, rows } = testLog('error');
  const surface = new Surface({
    backend: await MemoryBackend.open(directory),
    log,
    clock: hostClock,
    groupId: async () => {
      if (isReadable) return 42;
      throw new OperatorError('EIO', '/etc/group cannot be read: EISDIR');
    },
  });
  const socket = join(directory, 'run', 'ipmpd.sock');
  const control = { socket, group: 'ipmp' };
  const metrics = { listen: null, hosts: [] };
  await surface.start({ control, metrics } as unknown as Config);
  try {
    const client = connect(socket);
    await once(client, 'connect');
    client.destroy();
    deepEqual(
      rows.map(({ event, code }) => [event, code]),
      [['no-operators', 'EIO']],
    );
    await rejects(surface.setOperators('ipmp'), { code: 'EIO' }, 'a reload fails too');
    isReadable = true;
    await surface.setOperators('ipmp');
  } finally {
    await surface.stop();
  }
});

test('[contract 5.4] while its operators have no group, only root operates', async (t) => {
  const directory = testFolder(t);
  const { log, rows } = testLog('info');
  const clock = new TestClock();
  let gid: number | undefined;
  const backend = await MemoryBackend.open(directory);
  const surface = new Surface({ backend, log, clock, groupId: async () => gid });
  const socketPath = join(directory, 'run', 'ipmpd.sock');
  const control = { socket: socketPath, group: 'ipmp' };
  await surface.start({ control, metrics: { listen: null, hosts: [] } } as unknown as Config);
  t.after(() => surface.stop());
  t.mock.method(native, 'peerCredentials', () => ({ pid: 1, uid: 1000, gid: 42, groups: [] }));
  const offline = async (): Promise<number | undefined> => {
    const path = '/v1/interfaces/net1/offline';
    const sent = request({ socketPath, path, method: 'POST', agent: false }).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    response.resume();
    return response.statusCode;
  };
  equal(await offline(), 403);
  deepEqual(
    rows.filter(({ event }) => event === 'no-operators').map(({ group }) => group),
    ['ipmp'],
  );
  gid = 42;
  clock.pass(1000);
  equal(await offline(), 204);
});

test('a listener that is being opened at the stop is closed by it', async (t) => {
  const directory = testFolder(t);
  const surface = await started(directory, hostClock, null);
  const port = await freePort();
  const listening = surface.setMetrics({ listen: { host: HOST, port }, hosts: [] });
  // In one turn more the listener has begun to be opened.
  await Promise.resolve();
  await surface.stop();
  await listening;
  try {
    await refused(port);
    await surface.setMetrics({ listen: { host: HOST, port }, hosts: [] });
    await refused(port);
  } finally {
    await surface.setMetrics({ listen: null, hosts: [] });
  }
});

test('an attempt to listen that fails after the stop is not repeated', async (t) => {
  const directory = testFolder(t);
  const taken = createServer().listen(0, HOST);
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const clock = new TestClock();
  const surface = await started(directory, clock, { host: HOST, port });
  try {
    equal(surface.problems.length, 1);
    equal(clock.pending, 1);
    clock.pass(clock.delays[0]!);
    await Promise.resolve();
    await surface.stop();
    // Behind the attempt.
    await surface.setMetrics({ listen: null, hosts: [] });
    equal(clock.pending, 0);
    deepEqual(surface.problems, []);
  } finally {
    taken.close();
  }
});

/** The status of a scrape whose host header is `name`. */
async function scrape(port: number, name: string): Promise<number> {
  const headers = { host: `${name}:${port}` };
  const sent = get({ host: HOST, port, path: '/metrics', headers, agent: false });
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  return response.statusCode ?? 0;
}

test('refused scrapes are logged once a minute, each time with how many there were', async (t) => {
  const directory = testFolder(t);
  const { log, rows } = testLog('warn');
  const clock = new TestClock();
  const port = await freePort();
  const surface = await started(directory, clock, { host: HOST, port }, log);
  const told = (): unknown =>
    rows.splice(0).map(({ event, host, scrapes, address }) => [event, host, scrapes, address]);
  try {
    equal(await scrape(port, 'localhost'), 200);
    deepEqual(told(), []);
    for (let time = 0; time < 3; time++) equal(await scrape(port, 'first.example'), 421);
    deepEqual(told(), [['scrape-refused', `first.example:${port}`, 1, HOST]]);
    clock.pass(59_999);
    equal(await scrape(port, 'second.example'), 421);
    deepEqual(told(), []);
    clock.pass(1);
    equal(await scrape(port, 'third.example'), 421);
    deepEqual(told(), [['scrape-refused', `third.example:${port}`, 4, HOST]]);
    clock.pass(60_000);
    equal(await scrape(port, 'third.example'), 421);
    deepEqual(told(), [['scrape-refused', `third.example:${port}`, 1, HOST]]);
  } finally {
    await surface.stop();
  }
});
