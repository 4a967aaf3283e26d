/** The client against servers that have no room: what is tried again, and what never is. */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { OperatorError } from '../../../src/base/errors.ts';
import { jsonRead } from '../../../src/base/text/json.ts';
import { ControlClient, UnreachableError } from '../../../src/ctl/client.ts';

/** A server that treats each connection by the next of `moods`, all others by the last. */
class MoodyServer {
  readonly path: string;
  connections = 0;
  readonly #directory = mkdtempSync(join(tmpdir(), 'ipmpd-client-'));
  readonly #server: Server;

  constructor(moods: readonly ((socket: Socket) => void)[]) {
    this.path = join(this.#directory, 'sock');
    this.#server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      const mood = moods[Math.min(this.connections++, moods.length - 1)];
      mood?.(socket);
    });
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(this.path, resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

const BUSY =
  'HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n' +
  '{"error":{"code":"EAGAIN","message":"too many clients at one time","hint":"try again"}}';

/** No room: refused before anything is read. */
function refuse(socket: Socket): void {
  socket.end(BUSY, () => socket.destroy());
}

/** Reads the whole request and ends without a reply. */
function readAndDie(socket: Socket): void {
  socket.once('data', () => socket.destroy());
}

/** Reads nothing and ends: what has not fitted into the kernel's buffer is lost. */
function die(socket: Socket): void {
  socket.pause();
  socket.destroy();
}

function reply(socket: Socket): void {
  socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{"is":1}'));
}

async function outcome(
  moods: readonly ((socket: Socket) => void)[],
  ask: (client: ControlClient) => Promise<unknown>,
): Promise<[result: unknown, connections: number]> {
  await using server = new MoodyServer(moods);
  await server.listen();
  const result = await ask(new ControlClient(server.path)).catch((error) => error);
  return [result, server.connections];
}

const DONE = jsonRead('{"is":1}');
const get = (client: ControlClient) => client.request('GET', '/');
const change = (client: ControlClient) => client.request('PATCH', '/', { a: 1 });
/** Far more than a socket's buffers hold: it cannot leave before the server reads. */
const LARGE = { text: 'x'.repeat(8 << 20) };

test('a refusal for want of room is tried again, a change too: nothing was done', async () => {
  for (const ask of [get, change]) {
    deepEqual(await outcome([refuse, refuse, reply], ask), [DONE, 3]);
  }
});

test('a lost connection: reading is tried again, a change that may have come is not', async () => {
  deepEqual(await outcome([readAndDie, reply], get), [DONE, 2]);
  const [error, connections] = await outcome([readAndDie, reply], change);
  equal(error instanceof UnreachableError, true);
  match((error as Error).message, /; what was asked for may still be done$/);
  equal(connections, 1);
});

test('a change that cannot have arrived whole is tried again', async () => {
  const changeMuch = (client: ControlClient) => client.request('PATCH', '/', LARGE);
  deepEqual(await outcome([die, reply], changeMuch), [DONE, 2]);
});

test('a daemon that stays busy is given up after five seconds, not before', async () => {
  const started = performance.now();
  const [error, connections] = await outcome([refuse], get);
  const tookMs = performance.now() - started;
  match(String(error), /too many clients at one time/);
  equal(connections, 9);
  // Pauses are between one half and the whole of what they may be.
  equal(tookMs >= 2400, true, `${tookMs} ms`);
});

test('without a daemon a request fails at once', async () => {
  await rejects(new ControlClient('/nonexistent/x').request('GET', '/'), UnreachableError);
});

test('a reply that cannot be read is a refusal, whatever it is', async () => {
  const bodies = ['[', '['.repeat(100_000), 'x', '"', `["${'\\n'.repeat(100)}`, '{"a":1}}'];
  for (const body of bodies) {
    const head = 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n';
    const [error] = await outcome(
      [(socket) => socket.once('data', () => socket.end(head + body))],
      get,
    );
    ok(error instanceof OperatorError, String(error));
    match(`${error.code} ${error.message}`, /^EIO the reply cannot be read: /);
  }
});

test('a change has a longer limit; after it the client does not call it failed', async () => {
  await using server = new MoodyServer([(socket) => socket.resume()]);
  await server.listen();
  const client = new ControlClient(server.path, { question: 20, change: 60 });
  const began = performance.now();
  await rejects(client.request('GET', '/v1/groups'), /no reply came in time$/);
  await rejects(client.request('POST', '/v1/reload'), (error) => {
    ok(error instanceof UnreachableError);
    match(error.message, /no reply came in time; what was asked for may still be done$/);
    return true;
  });
  ok(performance.now() - began >= 80);
  equal(server.connections, 2, 'neither is asked again');
});
