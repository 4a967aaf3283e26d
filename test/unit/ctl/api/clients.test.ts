/** Which clients are served, wait or make room; credentials as the kernel would give them. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { readReply } from '../../../siege/reply.ts';
import { type ControlHarness, controlHarness, RawClient, until } from './harness.ts';

const GROUPS = 'GET /v1/groups HTTP/1.1\r\nhost: x\r\n\r\n';

/** A served harness whose clients have the credentials that a test gives them. */
class Subject {
  readonly daemon: ControlHarness;
  #uid = 0;
  #accepted = 0;

  static async start(): Promise<Subject> {
    return new Subject(await controlHarness());
  }

  private constructor(daemon: ControlHarness) {
    this.daemon = daemon;
    // Asked for once for each connection that is accepted.
    const get = () => {
      this.#accepted++;
      return { pid: 1, uid: this.#uid, gid: this.#uid, groups: [] };
    };
    Object.defineProperty(daemon, 'credentials', { get });
  }

  /** A connection of user `uid`, accepted, that sends `first`. */
  async connect(uid: number, first = ''): Promise<RawClient> {
    this.#uid = uid;
    const before = this.#accepted;
    const client = await RawClient.open(this.daemon.socketPath, first);
    while (this.#accepted === before) await nextTurn();
    return client;
  }

  async crowd(uid: number, count: number, first = ''): Promise<RawClient[]> {
    const before = this.#accepted;
    const connecting = Array.from({ length: count }, () => this.connect(uid, first));
    const clients = await Promise.all(connecting);
    while (this.#accepted < before + count) await nextTurn();
    return clients;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]();
  }
}

/** Requests for groups are answered only after `open` is called. */
function gateOf({ daemon }: Subject): { open: () => void; asked: () => number } {
  let open = (): void => undefined;
  let asked = 0;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const groups = async () => {
    asked++;
    await gate;
    return [];
  };
  Object.assign(daemon.backend, { groups });
  return { open, asked: () => asked };
}

const statusOf = ({ text }: RawClient): number | undefined => readReply(text, 'GET')?.status;
const isServed = (client: RawClient): boolean => statusOf(client) === 200;

function end(clients: readonly RawClient[]): void {
  for (const { socket } of clients) socket.destroy();
}

test('with all places of a user busy its next client waits; served ones stay', async () => {
  await using subject = await Subject.start();
  const gate = gateOf(subject);
  const busy = await subject.crowd(1001, 16, GROUPS);
  await until(() => gate.asked() === 16, 'all are asked');
  const late = await subject.connect(1001, GROUPS);
  const other = await subject.connect(1002, 'GET /healthz HTTP/1.1\r\n\r\n');
  await until(() => isServed(other), 'another user is served');
  await delay(400);
  deepEqual([gate.asked(), late.text, late.isClosed], [16, '', false]);
  gate.open();
  await until(() => isServed(late) && busy.every(isServed), 'all are served');
  end([...busy, late, other]);
});

test('an idle client makes room for another of its user, and gets a refusal', async () => {
  await using subject = await Subject.start();
  const silent = await subject.crowd(1001, 16);
  const late = await subject.connect(1001, GROUPS);
  await until(() => isServed(late), 'it is served');
  const thrownOut = silent.filter(({ text }) => text !== '');
  equal(thrownOut.length, 1);
  deepEqual([statusOf(thrownOut[0]!), /"code":"EAGAIN"/.test(thrownOut[0]!.text)], [503, true]);
  end([...silent, late]);
});

test('three users that hold all places delay neither a fourth nor root', async () => {
  await using subject = await Subject.start();
  const silent: RawClient[] = [];
  for (const uid of [1001, 1002, 1003]) silent.push(...(await subject.crowd(uid, 16)));
  for (const uid of [1004, 0]) {
    const late = await subject.connect(uid, GROUPS);
    await until(() => isServed(late), `${uid} is served`);
    end([late]);
  }
  end(silent);
});

test('root that holds all places delays no user', async () => {
  await using subject = await Subject.start();
  const silent = await subject.crowd(0, 64, 'GET /v1/groups HTTP/1.1\r\nx: ');
  for (const uid of [1001, 0]) {
    const late = await subject.connect(uid, GROUPS);
    await until(() => isServed(late), `${uid} is served`);
    end([late]);
  }
  ok(silent.filter(({ isClosed }) => isClosed).length <= 2);
  end(silent);
});

test('the line is limited; a refused client can read why, though it still writes', async () => {
  await using subject = await Subject.start();
  const gate = gateOf(subject);
  const busy = await subject.crowd(1001, 16, GROUPS);
  const waiting = await subject.crowd(1001, 512);
  const refused = await subject.connect(1001);
  await until(() => refused.text !== '', 'it is refused');
  refused.socket.write(GROUPS);
  match(refused.text, /^HTTP\/1\.1 503 .*"code":"EAGAIN"/s);
  ok(waiting.every(({ text }) => text === ''));
  const other = await subject.connect(1002, 'GET /healthz HTTP/1.1\r\n\r\n');
  await until(() => isServed(other), 'another user is served');
  gate.open();
  end([...busy, ...waiting, refused, other]);
});

test('requests of one connection are answered one after the other', async () => {
  await using subject = await Subject.start();
  const gate = gateOf(subject);
  const client = await subject.connect(0, GROUPS.repeat(3) + GROUPS.replace('groups', 'nothing'));
  await until(() => gate.asked() === 1, 'the first is asked');
  await delay(50);
  equal(gate.asked(), 1);
  gate.open();
  await until(() => client.text.includes('ENOENT'), 'all are answered');
  const statuses = [...client.text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
  deepEqual([gate.asked(), statuses], [3, ['200', '200', '200', '404']]);
  end([client]);
});

test('a client with too many requests is thrown out, and costs one answer at most', async () => {
  await using subject = await Subject.start();
  const gate = gateOf(subject);
  const client = await subject.connect(0, GROUPS.repeat(500));
  await until(() => client.isClosed || statusOf(client) === 503, 'it is thrown out');
  ok(gate.asked() <= 1);
  gate.open();
  end([client]);
});

test('the server ends with all its clients, those in line too', async () => {
  await using subject = await Subject.start();
  const gate = gateOf(subject);
  const clients = await subject.crowd(1001, 20, GROUPS);
  await subject.daemon.stop();
  await until(() => clients.every(({ isClosed }) => isClosed), 'all connections end');
  gate.open();
});
