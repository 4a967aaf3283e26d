/** The request queue over a socket that a test plays. */

import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { nextTurn, ROWS_A_TURN } from '../../../../src/base/turns.ts';
import { NetlinkClient } from '../../../../src/host/kernel/netlink.ts';
import {
  messageEmit,
  messagesParse,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
} from '../../../../src/host/kernel/netlink-message.ts';
import { LATE_MS, type LateCall } from '../../../../src/process/late.ts';
import { TestClock } from '../../../tools/clock.ts';

const QUESTION = { type: 18, flags: NLM_F_ACK, body: Buffer.from([1, 2, 3, 4]) };
const DUMP = { type: 18, flags: NLM_F_DUMP, body: Buffer.alloc(0) };
const RECORD = 16;

/** A kernel that answers when the test says so. */
class FakeKernel {
  readonly sent: { type: number; sequence: number; flags: number }[] = [];
  readonly clock = new TestClock();
  readonly late: LateCall[] = [];
  client!: NetlinkClient;
  refusal: Error | undefined;
  isClosed = false;
  #said: Buffer[] = [];
  #exchange: { resolve(answer: Buffer): void; reject(error: Error): void } | undefined;

  static async start(): Promise<FakeKernel> {
    const kernel = new FakeKernel();
    const open = async () => ({
      exchange: (bytes: Uint8Array) => kernel.#take(bytes),
      close: async () => {
        kernel.isClosed = true;
      },
    });
    kernel.client = await NetlinkClient.open(open, 0, kernel.clock, (call) => {
      kernel.late.push(call);
    });
    return kernel;
  }

  /** One message about the `index`-th that was sent; `answer` hands over all of them. */
  say(index: number, type: number, body: Buffer, flags = 0): this {
    const sequence = this.sent[index]?.sequence ?? 0;
    this.#said.push(messageEmit({ type, flags, body }, sequence));
    return this;
  }

  sayErrno(index: number, errno: number): this {
    const body = Buffer.alloc(4);
    body.writeInt32LE(-errno);
    return this.say(index, NLMSG_ERROR, body);
  }

  sayDone(index: number, flags = 0): this {
    return this.say(index, NLMSG_DONE, Buffer.alloc(4), flags);
  }

  /** The exchange under way ends with what was said. */
  async answer(): Promise<void> {
    this.#exchange?.resolve(Buffer.concat(this.#said.splice(0)));
    await nextTurn();
  }

  /** The exchange under way fails. */
  async fail(code: string): Promise<void> {
    this.#exchange?.reject(Object.assign(new Error('no'), { code }));
    await nextTurn();
  }

  #take(bytes: Uint8Array): Promise<Buffer> {
    if (this.refusal !== undefined) return Promise.reject(this.refusal);
    this.sent.push(...messagesParse(Buffer.from(bytes)));
    return new Promise((resolve, reject) => {
      this.#exchange = { resolve, reject };
    });
  }
}

function code(wanted: string) {
  return { name: 'OperatorError', code: wanted };
}

test('one request at a time, in order, an urgent one first', async () => {
  const kernel = await FakeKernel.start();
  const answers: string[] = [];
  const ask = (name: string, urgent = false) =>
    kernel.client.request(name, QUESTION, { urgent }).then(() => answers.push(name));
  const all = [ask('a'), ask('b'), ask('c', true)];
  for (let index = 0; index < 3; index++) {
    equal(kernel.sent.length, index + 1);
    await kernel.sayErrno(index, 0).answer();
  }
  await Promise.all(all);
  deepEqual(answers, ['a', 'c', 'b']);
});

test('replies are collected, those to other requests ignored', async () => {
  const kernel = await FakeKernel.start();
  const result = kernel.client.request('ask', DUMP);
  kernel.say(0, RECORD, Buffer.from('one!')).say(9, RECORD, Buffer.from('????'));
  await kernel.say(0, RECORD, Buffer.from('two!')).sayDone(0).answer();
  deepEqual((await result).map(String), ['one!', 'two!']);
});

test('an errno becomes its code, ESRCH becomes ENOENT, the unknown EIO', async () => {
  const kernel = await FakeKernel.start();
  for (const [wanted, errno] of Object.entries({ EBUSY: 16, ENOENT: 3, ENODEV: 19, EIO: 61 })) {
    const result = rejects(kernel.client.request('do it', QUESTION), code(wanted));
    await kernel.sayErrno(kernel.sent.length - 1, errno).answer();
    await result;
  }
});

test('a dump that was interrupted is asked for again, but not for ever', async () => {
  const kernel = await FakeKernel.start();
  const result = kernel.client.request('dump', DUMP);
  await kernel.say(0, RECORD, Buffer.from('old!'), NLM_F_DUMP_INTR).sayDone(0).answer();
  await kernel.say(1, RECORD, Buffer.from('new!')).sayDone(1).answer();
  deepEqual((await result).map(String), ['new!']);
  const endless = rejects(kernel.client.request('dump', DUMP), code('EAGAIN'));
  for (let i = 2; i < kernel.sent.length; i++) await kernel.sayDone(i, NLM_F_DUMP_INTR).answer();
  await endless;
  equal(kernel.sent.length, 10);
});

test('what was lost: a dump is asked for again, a change is reported', async () => {
  const kernel = await FakeKernel.start();
  const dump = kernel.client.request('dump', DUMP);
  await kernel.fail('ENOBUFS');
  await kernel.sayDone(1).answer();
  await dump;
  const change = rejects(kernel.client.request('change', QUESTION), code('ENOBUFS'));
  await kernel.fail('ENOBUFS');
  await change;
  const unsaid = rejects(kernel.client.request('another', QUESTION), code('ENOBUFS'));
  await kernel.answer();
  await unsaid;
});

test('a late answer is reported as late, and counts; the next request waits for it', async () => {
  const kernel = await FakeKernel.start();
  const slow = kernel.client.request('slow', QUESTION);
  const next = kernel.client.request('next', QUESTION);
  kernel.clock.pass(LATE_MS);
  deepEqual(kernel.late, [{ what: 'slow', isAnswered: false, afterMs: LATE_MS }]);
  kernel.clock.pass(20_000);
  equal(kernel.sent.length, 1);
  await kernel.sayErrno(0, 0).answer();
  await slow;
  const afterMs = LATE_MS + 20_000;
  deepEqual(kernel.late.slice(1), [{ what: 'slow', isAnswered: true, afterMs }]);
  await kernel.sayErrno(1, 0).answer();
  await next;
  equal(kernel.clock.pending, 0);
});

test('a late refusal is the refusal, not a time-out', async () => {
  const kernel = await FakeKernel.start();
  const slow = rejects(kernel.client.request('slow', QUESTION), code('EEXIST'));
  kernel.clock.pass(60_000);
  await kernel.sayErrno(0, 17).answer();
  await slow;
});

test('a batch ends with its last acknowledged message; the first error counts', async () => {
  const kernel = await FakeKernel.start();
  const plain = { ...QUESTION, flags: 0 };
  const batch = kernel.client.batch('batch', [plain, plain, QUESTION, plain]);
  const result = rejects(batch, code('EPERM'));
  equal(kernel.sent.length, 4);
  await kernel.sayErrno(1, 1).sayErrno(2, 0).answer();
  await result;
});

test('a socket that refuses, and one that is closed', async () => {
  const kernel = await FakeKernel.start();
  kernel.refusal = Object.assign(new Error('no'), { code: 'ENOMEM' });
  await rejects(kernel.client.request('send', QUESTION), code('ENOMEM'));
  kernel.refusal = undefined;
  const waiting = rejects(kernel.client.request('wait', QUESTION), code('ECANCELED'));
  await kernel.client.close();
  await waiting;
  await rejects(kernel.client.request('late', QUESTION), code('ECANCELED'));
  equal(kernel.isClosed, true);
});

test('a batch refused as a whole ends at once, its last message unanswered', async () => {
  const kernel = await FakeKernel.start();
  const begin = { type: 16, flags: 0, body: Buffer.alloc(4) };
  const batch = kernel.client.batch('silence eth0', [begin, { ...begin, type: 1 }, QUESTION]);
  const result = rejects(batch, code('EOPNOTSUPP'));
  await kernel.sayErrno(0, 95).answer();
  await result;
});

test('the time that we need for an answer does not make the kernel late', async () => {
  const kernel = await FakeKernel.start();
  const result = kernel.client.request('ask', DUMP);
  for (let row = 0; row < 2 * ROWS_A_TURN; row++) kernel.say(0, RECORD, Buffer.from('row!'));
  await kernel.sayDone(0).answer();
  kernel.clock.pass(2 * LATE_MS);
  equal((await result).length, 2 * ROWS_A_TURN);
  deepEqual(kernel.late, []);
});
