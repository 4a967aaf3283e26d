/** Bursts over a FIFO: what does not need a device. */

import { deepStrictEqual, strictEqual, throws } from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { errnoName, failedWith, native } from '../../src/native/addon.ts';
import { testFolder } from '../tools/folder.ts';
import { TestBurst } from './frames.ts';
import { openFiles } from './namespace.ts';

/** A descriptor that reads what is written to it. */
function openFifo(t: TestContext): number {
  const path = join(testFolder(t), 'fifo');
  execFileSync('mkfifo', [path]);
  const fd = native.deviceOpen(path);
  t.after(() => native.deviceClose(fd));
  return fd;
}

test('a slot holds the largest frame with its headers and at least one octet more', () => {
  strictEqual(native.slotLength > 65_536 + 14 + native.vnetHeaderLength, true);
  strictEqual(native.slotLength % 64, 0);
});

test('an entry is written from its slot and read into the slot its number names', (t) => {
  const fd = openFifo(t);
  const burst = new TestBurst(3, 100);
  burst.slots.set([2, 0, 1]);
  burst.put(0, new Uint8Array(20).fill(0x5a));
  native.writeBurst(burst.handle, fd, 0, 1);
  strictEqual(burst.status[0], 0);
  strictEqual(burst.lengths[0], 30);
  strictEqual(burst.slab[2 * 100 + 10], 0x5a);

  strictEqual(native.readBurst(burst.handle, fd, 1, 2), 1);
  deepStrictEqual([...burst.lengths], [30, 30, 0]);
  deepStrictEqual(burst.entry(1), burst.entry(0));
});

test('a read that fills its slot has the length of the slot', (t) => {
  const fd = openFifo(t);
  const burst = new TestBurst(2, 64);
  burst.lengths[0] = 64;
  burst.lengths[1] = 20;
  native.writeBurst(burst.handle, fd, 0, 2);
  strictEqual(native.readBurst(burst.handle, fd, 0, 2), 2);
  deepStrictEqual([...burst.lengths], [64, 20]);
});

test('nothing waiting is 0, a broken descriptor a negative errno, for reading', (t) => {
  const burst = new TestBurst(1, 64);
  strictEqual(native.readBurst(burst.handle, openFifo(t), 0, 1), 0);
  strictEqual(errnoName(native.readBurst(burst.handle, -1, 0, 1)), 'EBADF');
});

/** Has the kernel queue events about files of these names, and reads them before Node.js does. */
function withEvents(t: TestContext, names: readonly string[], body: (fd: number) => void): void {
  const folder = testFolder(t);
  const watcher = watch(folder);
  try {
    for (const name of names) writeFileSync(join(folder, name), '', { flag: 'ax' });
    const fd = readdirSync('/proc/self/fd').find((one) => {
      const path = `/proc/self/fd/${one}`;
      return existsSync(path) && readlinkSync(path) === 'anon_inode:inotify';
    });
    body(Number(fd));
  } finally {
    watcher.close();
  }
}

test('a read that fails behind others is its status; nothing waiting is 0', (t) => {
  // An event is 16 octets and the name, padded; one that does not fit is refused with EINVAL.
  const burst = new TestBurst(8, 40);
  withEvents(t, ['short'], (fd) => {
    const count = native.readBurst(burst.handle, fd, 0, 8);
    deepStrictEqual([count > 0, count < 8], [true, true]);
    strictEqual(burst.status[count], 0);
  });
  withEvents(t, ['short', 'x'.repeat(100)], (fd) => {
    const count = native.readBurst(burst.handle, fd, 0, 8);
    deepStrictEqual([count > 0, count < 8], [true, true]);
    strictEqual(burst.status[count], native.errno.EINVAL);
    strictEqual(native.readBurst(burst.handle, fd, 0, 8), -native.errno.EINVAL!);
  });
});

test('a broken descriptor is the status of every entry, for writing', () => {
  const burst = new TestBurst(2, 64);
  burst.lengths.fill(40);
  native.writeBurst(burst.handle, -1, 0, 2);
  deepStrictEqual([...burst.status], [native.errno.EBADF, native.errno.EBADF]);
});

test('a device without room is the status of every entry that it did not take', (t) => {
  const fd = openFifo(t);
  const burst = new TestBurst(40, 4096);
  burst.lengths.fill(4096);
  native.writeBurst(burst.handle, fd, 0, 40);
  const full = native.errno.EAGAIN;
  deepStrictEqual([...burst.status], [...Array(16).fill(0), ...Array(24).fill(full)]);
  native.writeBurst(burst.handle, fd, 0, 1);
  strictEqual(burst.status[0], full, 'a single one is marked so too');
});

test('a burst longer than the kernel takes at once keeps its order', (t) => {
  const fd = openFifo(t);
  const burst = new TestBurst(150, 64);
  for (let i = 0; i < 150; i++) burst.slab[i * 64] = i;
  burst.lengths.fill(64);
  native.writeBurst(burst.handle, fd, 0, 150);
  deepStrictEqual([...burst.status], Array(150).fill(0));
  burst.slab.fill(0);
  strictEqual(native.readBurst(burst.handle, fd, 0, 150), 150);
  deepStrictEqual(
    Array.from({ length: 150 }, (_, i) => burst.slab[i * 64]),
    Array.from({ length: 150 }, (_, i) => i),
  );
});

/** Program: writes bursts of 1 and of 3 frames of 64 octets to its standard output. */
const RING_PROGRAM = `
  import { openSync, readdirSync, readlinkSync, writeSync } from 'node:fs';
  const { default: native } = await import(process.argv[1]);
  const burst = native.burstCreate(new Uint8Array(192), Int32Array.of(0, 1, 2),
    new Int32Array(3).fill(64), new Int32Array(3).fill(-1), 64);
  const rings = () => readdirSync('/proc/self/fd').filter((fd) => {
    try { return readlinkSync('/proc/self/fd/' + fd).includes('io_uring'); } catch { return false; }
  }).length;
  const before = rings();
  native.writeBurst(burst, 1, 0, 1);
  const afterOne = rings();
  if (process.argv[2] === 'full') {
    // Until no descriptor is left for a ring.
    try { for (;;) openSync('/dev/null'); } catch ({ code }) { if (code !== 'EMFILE') throw code; }
  }
  native.writeBurst(burst, 1, 0, 3);
  if (process.argv[2] === 'full') process.exit(0);
  writeSync(2, JSON.stringify([afterOne - before, rings() - before]));`;

/** Since Linux 6.6 the administrator may forbid it. */
function isRingOffered(): boolean {
  const file = '/proc/sys/kernel/io_uring_disabled';
  return !existsSync(file) || readFileSync(file, 'latin1').trim() === '0';
}

test('several frames take a ring, one takes none; all are written without one too', () => {
  const addon = import.meta.resolve('#native');
  const script = 'ulimit -n 64; exec "$@"';
  for (const how of ['ring', 'full']) {
    const argv = [process.execPath, '--input-type=module', '-e', RING_PROGRAM, addon, how];
    const { status, stdout, stderr } = spawnSync('sh', ['-c', script, '-', ...argv]);
    deepStrictEqual([status, stdout.length], [0, 4 * 64], String(stderr));
    if (how === 'ring') strictEqual(String(stderr), `[0,${isRingOffered() ? 1 : 0}]`);
  }
});

test('a driver that refuses such writes gets each frame alone, and the ring is given up', () => {
  const burst = new TestBurst(3, 64);
  burst.lengths.fill(64);
  const fd = native.deviceOpen('/dev/full');
  const before = openFiles('io_uring');
  native.writeBurst(burst.handle, fd, 0, 3);
  deepStrictEqual([...burst.status], Array(3).fill(native.errno.ENOSPC));
  strictEqual(openFiles('io_uring'), before);
  native.deviceClose(fd);
});

test('slots, entries and lengths beyond their memory: RangeError', () => {
  const burst = new TestBurst(2, 64);
  throws(() => native.readBurst(burst.handle, 0, 1, 2), RangeError);
  throws(() => native.readBurst(burst.handle, 0, 0xffff_ffff, 2), RangeError);
  burst.lengths[0] = 65;
  throws(() => native.writeBurst(burst.handle, 0, 0, 1), RangeError);
  burst.lengths[0] = -1;
  throws(() => native.writeBurst(burst.handle, 0, 0, 1), RangeError);
  burst.slots[0] = 2;
  throws(() => native.readBurst(burst.handle, 0, 0, 1), RangeError);
  burst.slots[0] = -1;
  throws(() => native.readBurst(burst.handle, 0, 0, 1), RangeError);
});

test('arguments of another type are refused by name', () => {
  const words = new Int32Array(1);
  const bytes = new Uint8Array(64);
  const wrong = words as unknown as Uint8Array;
  throws(() => native.burstCreate(wrong, words, words, words, 64), /slab: Uint8Array expected/);
  throws(() => native.burstCreate(bytes, words, words, words, 65), RangeError);
  const stranger = {} as unknown as ReturnType<typeof native.burstCreate>;
  throws(() => native.readBurst(stranger, 0, 0, 1), /handle: handle of this addon expected/);
});

test('a failed system call throws its errno by name, number and call', () => {
  throws(
    () => native.deviceOpen('/nowhere/at/all'),
    (error: unknown) => {
      strictEqual(failedWith(error, 'ENOENT'), true);
      deepStrictEqual({ ...(error as object) }, { code: 'ENOENT', errno: 2, syscall: 'open' });
      return true;
    },
  );
});
