import { deepEqual, equal } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EchoRecord } from '../../src/lab/echo-record.ts';

/** A stream with one request each 10 ms from time 0; those in `lost` are never answered. */
function stream(count: number, lost: readonly number[], mark?: { label: string; atMs: number }) {
  const record = new EchoRecord(0);
  for (let sequence = 0; sequence < count; sequence += 1) {
    const atMs = sequence * 10;
    if (mark !== undefined && atMs >= mark.atMs) {
      record.mark(mark.label, mark.atMs);
      mark = undefined;
    }
    record.addSent(atMs);
    if (!lost.includes(sequence)) record.addAnswer(sequence, atMs + 1);
  }
  return record;
}

describe('the record of an echo stream', () => {
  test('counts what was sent and answered', () => {
    const { sent, received, lost, duplicates, longestGapMs } = stream(10, []).summary(100);
    deepEqual(
      { sent, received, lost, duplicates },
      { sent: 10, received: 10, lost: 0, duplicates: 0 },
    );
    equal(longestGapMs, 10);
  });

  test('a lost request makes a gap of two intervals', () => {
    const { lost, longestGapMs } = stream(10, [4]).summary(100);
    equal(lost, 1);
    equal(longestGapMs, 20);
  });

  test('a second answer is a duplicate and closes no gap', () => {
    const record = stream(3, []);
    record.addAnswer(1, 25);
    const { received, duplicates } = record.summary(30);
    deepEqual({ received, duplicates }, { received: 3, duplicates: 1 });
  });

  test('an answer to what was never sent is ignored', () => {
    const record = stream(3, []);
    record.addAnswer(3, 25);
    record.addAnswer(-1, 25);
    equal(record.summary(30).received, 3);
  });

  test('silence at the end counts', () => {
    equal(stream(3, []).summary(500).longestGapMs, 479);
  });

  test('a gap belongs to the event that was marked before it ended', () => {
    const { windows } = stream(20, [9, 10, 11], { label: 'cut', atMs: 95 }).summary(200);
    deepEqual(
      windows.map(({ label, sent, lost, longestGapMs }) => ({ label, sent, lost, longestGapMs })),
      [
        { label: 'start', sent: 10, lost: 1, longestGapMs: 14 },
        { label: 'cut', sent: 10, lost: 2, longestGapMs: 40 },
      ],
    );
  });

  test('an empty stream has a gap as long as it lasted', () => {
    const { sent, longestGapMs } = new EchoRecord(100).summary(350);
    deepEqual({ sent, longestGapMs }, { sent: 0, longestGapMs: 250 });
  });
});
