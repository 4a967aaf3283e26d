/** The client against servers that have no room: what is tried again, and what never is. */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { OperatorError } from '../../../src/base/errors.ts';
import { ControlClient, UnreachableError } from '../../../src/ctl/client.ts';

/** A server that treats each connection as the next of `moods` says, the last for all others. */
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

/** No room: said before anything is read. */
function refuse(socket: Socket): void {
  socket.end(BUSY, () => socket.destroy());
}

/** Reads the whole request and dies without a word. */
function readAndDie(socket: Socket): void {
  socket.once('data', () => socket.destroy());
}

/** Reads nothing and dies: what has not fitted into the kernel's buffer is lost. */
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

const DONE = { is: 1 };
/** Far more than a socket's buffers hold, so it cannot leave before somebody reads. */
const LARGE = { text: 'x'.repeat(8 << 20) };

test('a refusal for want of room is tried again, a change too: nothing was done', async () => {
  const get = await outcome([refuse, refuse, reply], (client) => client.request('GET', '/'));
  deepEqual([{ ...(get[0] as object) }, get[1]], [DONE, 3]);
  const change = (client: ControlClient) => client.request('PATCH', '/', { a: 1 });
  const patch = await outcome([refuse, refuse, reply], change);
  deepEqual([{ ...(patch[0] as object) }, patch[1]], [DONE, 3]);
});

test('a lost connection: reading is tried again, a change that may have come is not', async () => {
  const get = await outcome([readAndDie, reply], (client) => client.request('GET', '/'));
  deepEqual([{ ...(get[0] as object) }, get[1]], [DONE, 2]);
  const change = (client: ControlClient) => client.request('PATCH', '/', { a: 1 });
  const [error, connections] = await outcome([readAndDie, reply], change);
  equal(error instanceof UnreachableError, true);
  match((error as Error).message, /; what was asked for may still be done$/);
  equal(connections, 1);
});

test('a change that cannot have arrived whole is tried again', async () => {
  const change = (client: ControlClient) => client.request('PATCH', '/', LARGE);
  const [result, connections] = await outcome([die, reply], change);
  deepEqual([{ ...(result as object) }, connections], [DONE, 2]);
});

test('a daemon that stays busy is given up after five seconds, not before', async () => {
  const started = performance.now();
  const [error, connections] = await outcome([refuse], (client) => client.request('GET', '/'));
  const tookMs = performance.now() - started;
  match(String(error), /too many clients at one time/);
  equal(connections, 9);
  // Pauses are between one half and the whole of what they may be.
  equal(tookMs >= 2400, true, `${tookMs} ms`);
});

test('a daemon that is not there is said at once', async () => {
  await rejects(new ControlClient('/nonexistent/x').request('GET', '/'), UnreachableError);
});

test('a reply that cannot be read is a refusal, whatever it is', async () => {
  const bodies = ['[', '['.repeat(100_000), 'x', '"', `["${'\\n'.repeat(100)}`, '{"a":1}}'];
  for (const body of bodies) {
    await using server = new MoodyServer([
      (socket) => {
        const head = 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n';
        socket.once('data', () => socket.end(head + body));
      },
    ]);
    await server.listen();
    await rejects(new ControlClient(server.path).request('GET', '/v1/status'), (error) => {
      ok(error instanceof OperatorError, String(error));
      match(`${error.code} ${error.message}`, /^EIO the reply cannot be read: /);
      return true;
    });
  }
});

test('a change is waited for longer; given up, it is not said to have failed', async () => {
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
