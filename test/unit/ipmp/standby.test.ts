/** Which members wait and which work: docs/law.md rows 99, 100 as tables. */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Candidate,
  entryDecision,
  replacementFor,
  standbyCorrection,
} from '../../../src/ipmp/decide/standby.ts';

interface Named extends Candidate {
  readonly name: string;
}

/** `a` active, `i` waiting, `-` not functioning; upper case, `=` or `!` (activated): a standby. */
function members(text: string): Named[] {
  return [...text].map((letter, at) => ({
    name: `${at}`,
    standby: 'AI=!'.includes(letter),
    functioning: letter !== '-' && letter !== '=',
    inactive: letter === 'i' || letter === 'I',
    isActivated: letter === '!',
  }));
}

const ENTRIES: readonly (readonly [string, number, boolean, string, string])[] = [
  ['-', 0, false, 'active', 'the first member works'],
  ['a-', 1, false, 'active', 'a second member works'],
  ['a=', 1, false, 'waits', 'a standby waits beside a working member'],
  ['=', 0, false, 'active', 'a standby alone works'],
  ['A=', 1, false, 'waits', 'of two standbys one works'],
  ['-=', 1, false, 'active', 'a standby works while a member is missing'],
  ['-A', 0, false, 'active, 1 becomes idle', 'the standby is idle when the member works'],
  ['a-A', 1, false, 'active, 2 becomes idle', 'three with one standby keep two'],
  ['a--A', 1, false, 'active', 'the standby stays while another member is missing'],
  [
    'a-!A',
    1,
    false,
    'active, 3 becomes idle',
    'of two standbys the one that was not activated is idle',
  ],
  ['a-!', 1, false, 'active, 2 becomes idle', 'an activated one is idle when no other can be'],
  ['a--!', 1, false, 'active', 'but not while too few work'],
  ['!=', 1, false, 'waits', 'a standby waits beside an activated one'],
  ['a-', 1, true, 'waits', 'without failback the repaired one waits'],
  ['a-A', 1, true, 'waits', 'without failback the standby stays active'],
];

for (const [text, at, mustWait, expected, why] of ENTRIES) {
  test(`entry ${text} ${at}${mustWait ? ' (must wait)' : ''}: ${why}`, () => {
    const all = members(text);
    const { inactive, toIdle } = entryDecision(all, all[at]!, mustWait);
    const other = toIdle === undefined ? '' : `, ${toIdle.name} becomes idle`;
    equal(`${inactive ? 'waits' : 'active'}${other}`, expected);
  });
}

test('a replacement: a waiting standby before a waiting member, the last of those', () => {
  equal(replacementFor(members('-a')), undefined);
  equal(replacementFor(members('-iI'))?.name, '2');
  equal(replacementFor(members('-II'))?.name, '1');
  equal(replacementFor(members('-ii'))?.name, '2');
  equal(replacementFor(members('-=')), undefined);
});

test('corrections activate standbys while too few work, and the reverse', () => {
  deepEqual(standbyCorrection(members('aI')), undefined);
  const woken = standbyCorrection(members('a-I'));
  deepEqual([woken?.member.name, woken?.inactive], ['2', false]);
  const rested = standbyCorrection(members('aAA'));
  deepEqual([rested?.member.name, rested?.inactive], ['2', true]);
  equal(standbyCorrection(members('A')), undefined, 'a group of standbys keeps one');
  equal(standbyCorrection(members('ai')), undefined, 'a member that waits is left alone');
});

test('corrections leave an activated standby active, and the others as they are', () => {
  equal(standbyCorrection(members('aa!')), undefined, 'it does not become idle');
  equal(standbyCorrection(members('a-A!')), undefined, 'nor does another because of it');
  equal(standbyCorrection(members('a-!I')), undefined, 'it counts where too few work');
  equal(standbyCorrection(members('a--!I'))?.member.name, '4', 'but for one only');
  equal(standbyCorrection(members('aaA!'))?.member.name, '2', 'a surplus without it becomes idle');
  equal(standbyCorrection(members('A!')), undefined, 'in a group of standbys both work');
});
