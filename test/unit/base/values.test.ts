/** Bytes, deadlines, chance, errors: the small tools of base/. */

import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { InvariantError } from '../../../src/base/assert.ts';
import {
  readHostI32,
  readHostU16,
  readHostU32,
  readU16,
  readU32,
  writeHostU16,
  writeHostU32,
  writeU16,
  writeU32,
} from '../../../src/base/bytes.ts';
import { DeadlineQueue } from '../../../src/base/deadline.ts';
import {
  ERROR_SENTENCES,
  isErrorCode,
  isMistake,
  OperatorError,
} from '../../../src/base/errors.ts';
import { Rng } from '../../../src/base/rng.ts';

test('words are read and written in network byte order and leave their neighbours alone', () => {
  const bytes = new Uint8Array(8).fill(0xa5);
  writeU16(bytes, 1, 0xfedc);
  writeU32(bytes, 3, 0x89abcdef);
  deepEqual(bytes, Uint8Array.of(0xa5, 0xfe, 0xdc, 0x89, 0xab, 0xcd, 0xef, 0xa5));
  equal(readU16(bytes, 1), 0xfedc);
  equal(readU32(bytes, 3), 0x89abcdef);
  ok(readU32(bytes, 3) > 0);
});

test("words in host byte order are those of the machine's own typed arrays", () => {
  const bytes = new Uint8Array(8).fill(0xa5);
  writeHostU16(bytes, 1, 0xfedc);
  writeHostU32(bytes, 3, 0x89abcdef);
  equal(bytes[0], 0xa5);
  equal(bytes[7], 0xa5);
  deepEqual(new Uint16Array(bytes.slice(1, 3).buffer), Uint16Array.of(0xfedc));
  deepEqual(new Uint32Array(bytes.slice(3, 7).buffer), Uint32Array.of(0x89abcdef));
  equal(readHostU16(bytes, 1), 0xfedc);
  equal(readHostU32(bytes, 3), 0x89abcdef);
  equal(readHostI32(bytes, 3), 0x89abcdef | 0);
});

test('deadlines come out by time, then by the order of scheduling', () => {
  const queue = new DeadlineQueue<string>();
  equal(queue.nextAtMs(), Number.POSITIVE_INFINITY);
  queue.schedule(20, 'late');
  queue.schedule(10, 'first');
  const gone = queue.schedule(10, 'gone');
  queue.schedule(10, 'second');
  equal(queue.size, 4);
  queue.cancel(gone);
  equal(queue.size, 3);
  queue.cancel(gone);
  equal(queue.nextAtMs(), 10);
  equal(queue.popDue(9), undefined);
  deepEqual([queue.popDue(10), queue.popDue(10), queue.popDue(10)], ['first', 'second', undefined]);
  deepEqual([queue.popDue(99), queue.size], ['late', 0]);
});

test('a deadline must be a time, and of this queue', () => {
  const queue = new DeadlineQueue<string>();
  throws(() => queue.schedule(Number.POSITIVE_INFINITY, 'never'), InvariantError);
  throws(() => queue.schedule(Number.NaN, 'nowhere'), InvariantError);
  const foreign = new DeadlineQueue<string>().schedule(1, 'foreign');
  throws(() => queue.cancel(foreign), InvariantError);
});

test('the same seed gives the same numbers; another seed and a fork give others', () => {
  const draw = (rng: Rng): number[] => Array.from({ length: 8 }, () => rng.nextU32());
  deepEqual(draw(new Rng(42)), draw(new Rng(42)));
  ok(draw(new Rng(42))[0] !== draw(new Rng(43))[0]);
  const parent = new Rng(42);
  ok(draw(parent.fork())[0] !== draw(parent)[0]);
});

test('uniform and below stay within bounds and reach every part of them', () => {
  const rng = new Rng(1);
  const hits = new Array<number>(10).fill(0);
  for (let i = 0; i < 10_000; i++) {
    const value = rng.uniform(5, 6);
    ok(value >= 5 && value < 6);
    const index = rng.below(10);
    hits[index] = (hits[index] ?? 0) + 1;
  }
  for (const count of hits) ok(count > 850 && count < 1150, `${hits}`);
  throws(() => rng.below(0), InvariantError);
});

test('each bit of the random words is set about half of the time', () => {
  const rng = new Rng(7);
  const set = new Array<number>(32).fill(0);
  for (let i = 0; i < 10_000; i++) {
    const word = rng.nextU32();
    for (let bit = 0; bit < 32; bit++) set[bit] = set[bit]! + ((word >>> bit) & 1);
  }
  for (const count of set) ok(count > 4750 && count < 5250, `${set}`);
});

test('an operator error has its code, a sentence and perhaps a hint', () => {
  const plain = new OperatorError('EBUSY');
  equal(plain.message, ERROR_SENTENCES.EBUSY);
  equal(plain.hint, undefined);
  const full = new OperatorError('EBUSY', 'it still has members', 'remove them first');
  deepEqual(
    [full.code, full.message, full.hint].join('; '),
    'EBUSY; it still has members; remove them first',
  );
  equal(isErrorCode('EBUSY'), true);
  equal(isErrorCode('toString'), false);
  equal(isErrorCode(5), false);
});

test('every code of the table has a sentence', () => {
  for (const [code, sentence] of Object.entries(ERROR_SENTENCES)) {
    ok(/^E[A-Z0-9]+$/.test(code) && sentence.length > 5, code);
  }
});

test('mistakes are distinguished from refusals and from errors of the world', () => {
  equal(isMistake(new InvariantError('x')), true);
  equal(isMistake(new TypeError('x')), true);
  equal(isMistake(new OperatorError('EBUSY')), false);
  equal(isMistake(new Error('ENODEV')), false);
});
