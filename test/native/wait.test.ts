/** epoll and eventfds, also between threads. */

import { deepStrictEqual, ok, strictEqual, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { native } from '../../src/native/addon.ts';
import { addonWorker } from './namespace.ts';

test('a rung eventfd is reported by its token until it is cleared', () => {
  const epoll = native.epollCreate();
  const bells = [native.eventfdCreate(), native.eventfdCreate()] as const;
  const tokens = new Int32Array(4);
  native.epollAdd(epoll, bells[0], 7);
  native.epollAdd(epoll, bells[1], -2);
  strictEqual(native.epollWait(epoll, 0, 0, tokens), 0);

  native.eventfdRing(bells[1]);
  native.eventfdRing(bells[1]);
  strictEqual(native.epollWait(epoll, 0, -1, tokens), 1);
  strictEqual(native.epollWait(epoll, 0, -1, tokens), 1);
  deepStrictEqual([...tokens], [-2, 0, 0, 0]);
  strictEqual(native.eventfdClear(bells[1]), true);
  strictEqual(native.eventfdClear(bells[1]), false);
  strictEqual(native.epollWait(epoll, 0, 0, tokens), 0);

  native.epollDelete(epoll, bells[0]);
  native.eventfdRing(bells[0]);
  strictEqual(native.epollWait(epoll, 0, 0, tokens), 0);
  for (const fd of [...bells, epoll]) native.deviceClose(fd);
});

test('a wait is awake first and sleeps then; what is ready ends either', () => {
  const epoll = native.epollCreate();
  const bell = native.eventfdCreate();
  const tokens = new Int32Array(1);
  native.epollAdd(epoll, bell, 3);
  const began = performance.now();
  strictEqual(native.epollWait(epoll, 5_000, 10, tokens), 0);
  ok(performance.now() - began >= 14.9, 'five milliseconds awake, ten asleep');
  native.eventfdRing(bell);
  strictEqual(native.epollWait(epoll, 5_000_000, -1, tokens), 1);
  strictEqual(tokens[0], 3);
  for (const fd of [bell, epoll]) native.deviceClose(fd);
});

test('a descriptor can be added once, and deleted only if it was added', () => {
  const epoll = native.epollCreate();
  const bell = native.eventfdCreate();
  native.epollAdd(epoll, bell, 1);
  throws(() => native.epollAdd(epoll, bell, 1), { code: 'EEXIST' });
  native.epollDelete(epoll, bell);
  throws(() => native.epollDelete(epoll, bell), { code: 'ENOENT' });
  for (const fd of [bell, epoll]) native.deviceClose(fd);
});

test('a worker that waits for ever is woken from another thread', async () => {
  const bell = native.eventfdCreate();
  const { worker, exit } = addonWorker(
    `const epoll = native.epollCreate();
    native.epollAdd(epoll, data.bell, 5);
    const tokens = new Int32Array(1);
    post('waits');
    const count = native.epollWait(epoll, 0, -1, tokens);
    post([count, tokens[0]]);`,
    { bell },
  );
  const messages: unknown[] = [];
  await new Promise((resolve, reject) => {
    worker.on('error', reject);
    worker.on('message', (message) => {
      messages.push(message);
      if (message === 'waits') native.eventfdRing(bell);
      else resolve(undefined);
    });
  });
  deepStrictEqual(messages, ['waits', [1, 5]]);
  strictEqual(await exit, 0);
  native.deviceClose(bell);
});
