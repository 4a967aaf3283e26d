/** Bursts over a FIFO: what does not need a device. */

import { deepStrictEqual, strictEqual, throws } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { errnoName, failedWith, native } from '../../src/datapath/native.ts';
import { TestBurst } from './frames.ts';

/** Runs `body` with a descriptor that reads what is written to it. */
function withFifo(body: (fd: number) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'ipmpd-burst-'));
  try {
    execFileSync('mkfifo', [join(folder, 'fifo')]);
    const fd = native.deviceOpen(join(folder, 'fifo'));
    try {
      body(fd);
    } finally {
      native.deviceClose(fd);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('a slot holds the largest frame with its headers and at least one octet more', () => {
  strictEqual(native.slotLength > 65_536 + 14 + native.vnetHeaderLength, true);
  strictEqual(native.slotLength % 64, 0);
});

test('an entry is written from its slot and read into the slot its number names', () => {
  withFifo((fd) => {
    const burst = new TestBurst(3, 100);
    burst.slots.set([2, 0, 1]);
    burst.put(0, new Uint8Array(20).fill(0x5a));
    strictEqual(native.writeBurst(burst.handle, fd, 0, 1), 1);
    strictEqual(burst.status[0], 0);
    strictEqual(burst.lengths[0], 30);
    strictEqual(burst.slab[2 * 100 + 10], 0x5a);

    strictEqual(native.readBurst(burst.handle, fd, 1, 2), 1);
    deepStrictEqual([...burst.lengths], [30, 30, 0]);
    deepStrictEqual(burst.entry(1), burst.entry(0));
  });
});

test('a read that fills its slot has the length of the slot', () => {
  withFifo((fd) => {
    const burst = new TestBurst(2, 64);
    burst.lengths[0] = 64;
    burst.lengths[1] = 20;
    strictEqual(native.writeBurst(burst.handle, fd, 0, 2), 2);
    strictEqual(native.readBurst(burst.handle, fd, 0, 2), 2);
    deepStrictEqual([...burst.lengths], [64, 20]);
  });
});

test('nothing waiting is 0, a broken descriptor a negative errno, for reading', () => {
  const burst = new TestBurst(1, 64);
  withFifo((fd) => strictEqual(native.readBurst(burst.handle, fd, 0, 1), 0));
  strictEqual(errnoName(native.readBurst(burst.handle, -1, 0, 1)), 'EBADF');
});

test('a broken descriptor is the status of every entry, for writing', () => {
  const burst = new TestBurst(2, 64);
  burst.lengths.fill(40);
  strictEqual(native.writeBurst(burst.handle, -1, 0, 2), 2);
  deepStrictEqual([...burst.status], [native.errno.EBADF, native.errno.EBADF]);
});

test('a full device stops the burst and leaves the rest untouched', () => {
  withFifo((fd) => {
    const burst = new TestBurst(40, 4096);
    burst.lengths.fill(4096);
    const consumed = native.writeBurst(burst.handle, fd, 0, 40);
    strictEqual(consumed, 16);
    strictEqual(burst.status[15], 0);
    strictEqual(burst.status[16], -1);
    strictEqual(burst.lengths[16], 4096);
    strictEqual(native.writeBurst(burst.handle, fd, 16, 24), 0);
  });
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
