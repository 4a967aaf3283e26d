import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { judge, judgeStop, type Measured } from '../../src/lab/verdict.ts';

const WINDOW = { label: 'start', sent: 1000, lost: 0, longestGapMs: 2 };
const RIGHT: Measured = {
  pingsAnswered: 3,
  pingsSent: 3,
  echo: {
    sent: 3000,
    received: 2998,
    lost: 2,
    underWay: 0,
    refused: 0,
    duplicates: 0,
    longestGapMs: 4,
    windows: [WINDOW, { ...WINDOW, label: 'cut', lost: 2 }, { ...WINDOW, label: 'repair' }],
  },
  sent: { bytes: 900, sha256: 'aa' },
  received: { bytes: 900, sha256: 'aa' },
  transferMs: 5100,
  cutOffset: 300,
  repairOffset: 600,
  stateAtEnd: 'ok',
  activeAtEnd: ['net0', 'net1'],
  members: ['net0', 'net1'],
};

const wrong = (changes: Partial<Measured>): string[] =>
  judge({ ...RIGHT, ...changes })
    .filter((claim) => !claim.isRight)
    .map((claim) => claim.text);

test('expected figures are right', () => {
  deepEqual(wrong({}), []);
});

const { echo } = RIGHT;

/** `changes` in the window `label` of the echo stream, with `lost` more requests lost in all. */
const inWindow = (label: string, changes: object, lost = 0): Partial<Measured> => ({
  echo: {
    ...echo,
    lost: echo.lost + lost,
    windows: echo.windows.map((w) => (w.label === label ? { ...w, ...changes } : w)),
  },
});

test('each figure that is wrong is reported', () => {
  for (const [changes, expected] of [
    [{ pingsAnswered: 2 }, /2 of 3 answered/],
    [{ pingsSent: 0, pingsAnswered: 0 }, /0 of 0 answered/],
    [{ received: { bytes: 900, sha256: 'ab' } }, /DIFFERENT/],
    [{ received: { bytes: 899, sha256: 'aa' } }, /899 received/],
    [{ transferMs: 4000 }, /lasted 4.0 s/],
    [{ cutOffset: 0 }, /cut at byte 0 /],
    [{ repairOffset: 900 }, /repair at byte 900 /],
    [inWindow('cut', { longestGapMs: 101 }), /failover/],
    [inWindow('repair', { longestGapMs: 101 }), /repair/],
    [inWindow('repair', { lost: 1 }, 1), /repair: 1 packets lost/],
    [{ echo: { ...echo, duplicates: 1 } }, /1 answered twice/],
    [{ echo: { ...echo, lost: 3 } }, /3 lost/],
    [{ echo: { ...echo, windows: [] } }, /no cut and no repair/],
    [{ stateAtEnd: 'degraded' }, /degraded/],
    [{ activeAtEnd: ['net0'] }, /active: net0/],
  ] satisfies [Partial<Measured>, RegExp][]) {
    const [claim = '', ...others] = wrong(changes);
    match(claim, expected);
    deepEqual(others, []);
  }
});

test('a stop is right with status 0 and nothing left', () => {
  equal(judgeStop(0, []).isRight, true);
  equal(judgeStop(1, []).isRight, false);
  equal(judgeStop('SIGKILL', []).isRight, false);
  equal(judgeStop(0, ['ipmp0']).isRight, false);
});
