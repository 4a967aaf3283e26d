import { deepEqual, equal } from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { EchoRecord, type EchoWindow, STRAGGLERS_MS } from '../../src/lab/measure/echo-record.ts';

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

  test('what may still be answered is kept apart', () => {
    const record = stream(10, [2, 8]);
    equal(record.summary(100).underWay, 2);
    equal(record.summary(20 + STRAGGLERS_MS + 1).underWay, 1);
    record.addAnswer(8, 110);
    equal(record.summary(110).underWay, 1);
  });

  test('a request that the kernel refused is one of those lost', () => {
    const record = stream(10, [2, 8]);
    record.addRefused();
    const { lost, refused } = record.summary(1000);
    deepEqual({ lost, refused }, { lost: 2, refused: 1 });
  });

  test('an answer that comes after a minute is none', () => {
    const record = stream(70_000, [0, 69_999]);
    record.addAnswer(0, 700_000);
    record.addAnswer(69_999, 700_000);
    const { received, lost, duplicates } = record.summary(700_000);
    deepEqual({ received, lost, duplicates }, { received: 69_999, lost: 1, duplicates: 0 });
  });

  test('the oldest of very many windows are forgotten, their counts are not', () => {
    const record = new EchoRecord(0);
    for (let n = 1; n <= 1000; n += 1) {
      record.addSent(n);
      record.mark(`mark ${n}`, n);
    }
    const { windows, lost } = record.summary(1000);
    equal(lost, 1000);
    equal(windows.length, 256);
    equal(windows.at(-1)?.label, 'mark 1000');
  });

  test('it agrees with a record of every moment', () => {
    const happening = fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constant('send' as const), n: fc.nat() }) },
      { weight: 5, arbitrary: fc.record({ kind: fc.constant('answer' as const), n: fc.nat(30) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('mark' as const), n: fc.nat() }) },
    );
    const timed = fc.array(fc.tuple(fc.integer({ min: 1, max: 50 }), happening), { maxLength: 80 });
    fc.assert(
      fc.property(timed, fc.nat(100), (happenings, tailMs) => {
        const record = new EchoRecord(0);
        const diary = new Diary();
        let nowMs = 0;
        for (const [waitMs, { kind, n }] of happenings) {
          nowMs += waitMs;
          if (kind === 'send') record.addSent(nowMs);
          else if (kind === 'answer') record.addAnswer(n, nowMs);
          else record.mark('mark', nowMs);
          diary[kind](n, nowMs);
        }
        const { sent, received, windows } = record.summary(nowMs + tailMs);
        deepEqual(
          { sent, received, windows },
          {
            sent: diary.sentAtMs.length,
            received: diary.arrivalsMs.length,
            windows: diary.windows(nowMs + tailMs),
          },
        );
      }),
    );
  });
});

/** The definition of a window's figures, by looking at everything that ever happened. */
class Diary {
  readonly sentAtMs: number[] = [];
  readonly answered = new Set<number>();
  readonly arrivalsMs: number[] = [];
  readonly marksMs = [0];

  send(_: number, nowMs: number): void {
    this.sentAtMs.push(nowMs);
  }

  answer(sequence: number, nowMs: number): void {
    if (sequence >= this.sentAtMs.length || this.answered.has(sequence)) return;
    this.answered.add(sequence);
    this.arrivalsMs.push(nowMs);
  }

  mark(_: number, nowMs: number): void {
    this.marksMs.push(nowMs);
  }

  windows(endMs: number): EchoWindow[] {
    return this.marksMs.map((fromMs, index) => {
      const untilMs = this.marksMs[index + 1] ?? endMs;
      const isLast = index === this.marksMs.length - 1;
      const isIn = (atMs: number): boolean => atMs >= fromMs && (atMs < untilMs || isLast);
      const before = this.arrivalsMs.filter((atMs) => atMs < fromMs).at(-1) ?? fromMs;
      const moments = [before, ...this.arrivalsMs.filter(isIn), untilMs];
      const gaps = moments.slice(1).map((atMs, at) => atMs - (moments[at] ?? 0));
      const numbers = [...this.sentAtMs.keys()].filter((n) => isIn(this.sentAtMs[n] ?? 0));
      return {
        label: index === 0 ? 'start' : 'mark',
        sent: numbers.length,
        lost: numbers.filter((n) => !this.answered.has(n)).length,
        longestGapMs: Math.max(...gaps),
      };
    });
  }
}
