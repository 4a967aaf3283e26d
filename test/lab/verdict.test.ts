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

test('each figure that is wrong is reported', () => {
  const { echo } = RIGHT;
  const window = (label: string, changes: object): Partial<Measured> => ({
    echo: {
      ...echo,
      windows: echo.windows.map((w) => (w.label === label ? { ...w, ...changes } : w)),
    },
  });
  equal(wrong({ pingsAnswered: 2 }).length, 1);
  equal(wrong({ pingsSent: 0, pingsAnswered: 0 }).length, 1);
  match(wrong({ received: { bytes: 900, sha256: 'ab' } }).join(), /DIFFERENT/);
  match(wrong({ received: { bytes: 899, sha256: 'aa' } }).join(), /899 received/);
  match(wrong({ transferMs: 4000 }).join(), /lasted 4.0 s/);
  equal(wrong({ cutOffset: 0 }).length, 1);
  equal(wrong({ repairOffset: 900 }).length, 1);
  match(wrong(window('cut', { longestGapMs: 101 })).join(), /failover/);
  match(wrong(window('repair', { longestGapMs: 101 })).join(), /repair/);
  match(wrong(window('repair', { lost: 1 })).join(), /repair: 1 packets lost/);
  match(wrong({ echo: { ...echo, duplicates: 1 } }).join(), /1 answered twice/);
  match(wrong({ echo: { ...echo, lost: 3 } }).join(), /3 lost/);
  equal(wrong({ echo: { ...echo, windows: [] } }).length, 1);
  match(wrong({ stateAtEnd: 'degraded' }).join(), /degraded/);
  match(wrong({ activeAtEnd: ['net0'] }).join(), /active: net0/);
});

test('a stop is right with status 0 and nothing left', () => {
  equal(judgeStop(0, []).isRight, true);
  equal(judgeStop(1, []).isRight, false);
  equal(judgeStop('SIGKILL', []).isRight, false);
  equal(judgeStop(0, ['ipmp0']).isRight, false);
});
