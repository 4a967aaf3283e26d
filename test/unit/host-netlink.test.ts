/** The request queue over a socket that a test plays. */

import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { OperatorError } from '../../src/base/errors.ts';
import type { Clock } from '../../src/host/clock.ts';
import { NetlinkClient, type TransportHandlers } from '../../src/host/netlink.ts';
import {
  messageEmit,
  messagesParse,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
} from '../../src/host/netlink-message.ts';

const QUESTION = { type: 18, flags: NLM_F_ACK, body: Buffer.from([1, 2, 3, 4]) };
const DUMP = { type: 18, flags: NLM_F_DUMP, body: Buffer.alloc(0) };
const RECORD = 16;

/** A clock that stands until it is moved. */
class FakeClock implements Clock {
  timers: { atMs: number; body: () => void }[] = [];
  now = 0;

  nowMs(): number {
    return this.now;
  }

  after(delayMs: number, body: () => void): { cancel(): void } {
    const timer = { atMs: this.now + delayMs, body };
    this.timers.push(timer);
    return {
      cancel: () => {
        this.timers = this.timers.filter((other) => other !== timer);
      },
    };
  }

  advance(ms: number): void {
    this.now += ms;
    for (const timer of this.timers.filter((entry) => entry.atMs <= this.now)) timer.body();
  }
}

class FakeKernel {
  readonly sent: { type: number; sequence: number; flags: number }[] = [];
  readonly clock = new FakeClock();
  readonly client: NetlinkClient;
  handlers: TransportHandlers | undefined;
  refusal: Error | undefined;
  isClosed = false;

  constructor() {
    const open = (_protocol: number, _groups: readonly number[], handlers: TransportHandlers) => {
      this.handlers = handlers;
      return {
        send: (bytes: Uint8Array) => {
          if (this.refusal !== undefined) throw this.refusal;
          this.sent.push(...messagesParse(Buffer.from(bytes)));
        },
        close: () => {
          this.isClosed = true;
        },
      };
    };
    this.client = new NetlinkClient(open, 0, this.clock);
  }

  /** Answers to the `index`-th message sent. */
  say(index: number, type: number, body: Buffer, flags = 0): void {
    const sequence = this.sent[index]?.sequence ?? 0;
    this.handlers?.received(messageEmit({ type, flags, body }, sequence));
  }

  sayErrno(index: number, errno: number): void {
    const body = Buffer.alloc(4);
    body.writeInt32LE(-errno);
    this.say(index, NLMSG_ERROR, body);
  }
}

/** Lets the queue go on. */
async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

function code(wanted: string) {
  return (error: unknown): boolean => error instanceof OperatorError && error.code === wanted;
}

test('one request at a time, in order, an urgent one first', async () => {
  const kernel = new FakeKernel();
  const answers: string[] = [];
  const ask = (name: string, urgent = false) =>
    kernel.client.request(name, QUESTION, { urgent }).then(() => answers.push(name));
  const all = [ask('a'), ask('b'), ask('c', true)];
  for (let index = 0; index < 3; index++) {
    equal(kernel.sent.length, index + 1);
    kernel.sayErrno(index, 0);
    await turn();
  }
  await Promise.all(all);
  deepEqual(answers, ['a', 'c', 'b']);
});

test('replies are collected, strangers ignored', async () => {
  const kernel = new FakeKernel();
  const result = kernel.client.request('ask', DUMP);
  kernel.say(0, RECORD, Buffer.from('one!'));
  kernel.handlers?.received(messageEmit({ type: RECORD, flags: 0, body: Buffer.from('????') }, 99));
  kernel.say(0, RECORD, Buffer.from('two!'));
  kernel.say(0, NLMSG_DONE, Buffer.alloc(4));
  deepEqual((await result).map(String), ['one!', 'two!']);
});

test('an errno becomes its code, ESRCH becomes ENOENT, the unknown EIO', async () => {
  const kernel = new FakeKernel();
  for (const [errno, wanted] of [
    [16, 'EBUSY'],
    [3, 'ENOENT'],
    [19, 'ENODEV'],
    [61, 'EIO'],
  ] as const) {
    const result = kernel.client.request('do it', QUESTION);
    kernel.sayErrno(kernel.sent.length - 1, errno);
    await rejects(result, code(wanted));
  }
});

test('a dump that was interrupted is asked for again, but not for ever', async () => {
  const kernel = new FakeKernel();
  const result = kernel.client.request('dump', DUMP);
  kernel.say(0, RECORD, Buffer.from('old!'), NLM_F_DUMP_INTR);
  kernel.say(0, NLMSG_DONE, Buffer.alloc(4));
  kernel.say(1, RECORD, Buffer.from('new!'));
  kernel.say(1, NLMSG_DONE, Buffer.alloc(4));
  deepEqual((await result).map(String), ['new!']);
  const endless = kernel.client.request('dump', DUMP);
  await turn();
  for (let i = 2; i < kernel.sent.length; i++) {
    kernel.say(i, NLMSG_DONE, Buffer.alloc(4), NLM_F_DUMP_INTR);
  }
  await rejects(endless, code('EAGAIN'));
  equal(kernel.sent.length, 10);
});

test('what was lost: a dump is asked for again, a change is reported', async () => {
  const kernel = new FakeKernel();
  const dump = kernel.client.request('dump', DUMP);
  kernel.handlers?.overrun();
  kernel.say(1, NLMSG_DONE, Buffer.alloc(4));
  await dump;
  const change = kernel.client.request('change', QUESTION);
  await turn();
  kernel.handlers?.overrun();
  await rejects(change, code('ENOBUFS'));
});

test('a deadline ends a request, and the next goes on', async () => {
  const kernel = new FakeKernel();
  const slow = kernel.client.request('slow', QUESTION);
  const next = kernel.client.request('next', QUESTION);
  kernel.clock.advance(5000);
  await rejects(slow, code('ETIMEDOUT'));
  kernel.sayErrno(0, 0);
  kernel.sayErrno(1, 0);
  await next;
  equal(kernel.clock.timers.length, 0);
});

test('a batch ends with its last acknowledged message; the first error counts', async () => {
  const kernel = new FakeKernel();
  const plain = { ...QUESTION, flags: 0 };
  const result = kernel.client.batch('batch', [plain, plain, QUESTION, plain]);
  equal(kernel.sent.length, 4);
  kernel.sayErrno(1, 1);
  kernel.sayErrno(2, 0);
  await rejects(result, code('EPERM'));
});

test('a socket that refuses, and one that is closed', async () => {
  const kernel = new FakeKernel();
  kernel.refusal = Object.assign(new Error('no'), { code: 'ENOBUFS' });
  await rejects(kernel.client.request('send', QUESTION), code('ENOBUFS'));
  kernel.refusal = undefined;
  const waiting = kernel.client.request('wait', QUESTION);
  kernel.client.close();
  await rejects(waiting, code('ECANCELED'));
  await rejects(kernel.client.request('late', QUESTION), code('ECANCELED'));
  equal(kernel.isClosed, true);
});

test('a batch refused as a whole ends at once, its last message unanswered', async () => {
  const kernel = new FakeKernel();
  const begin = { type: 16, flags: 0, body: Buffer.alloc(4) };
  const result = kernel.client.batch('silence eth0', [begin, { ...begin, type: 1 }, QUESTION]);
  kernel.sayErrno(0, 95);
  await rejects(Promise.race([result, turn()]), code('EOPNOTSUPP'));
});
