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

const ENTRIES: readonly (readonly [
  string,
  number,
  boolean,
  boolean,
  string | undefined,
  string,
])[] = [
  ['-', 0, false, false, undefined, 'the first member works'],
  ['a-', 1, false, false, undefined, 'a second member works'],
  ['a=', 1, false, true, undefined, 'a standby waits beside a working member'],
  ['=', 0, false, false, undefined, 'a standby alone works'],
  ['A=', 1, false, true, undefined, 'of two standbys one works'],
  ['-=', 1, false, false, undefined, 'a standby works while a member is missing'],
  ['-A', 0, false, false, '1', 'the standby rests when the member works'],
  ['a-A', 1, false, false, '2', 'three with one standby keep two'],
  ['a--A', 1, false, false, undefined, 'the standby stays while another member is missing'],
  ['a-!A', 1, false, false, '3', 'of two standbys the one that nobody activated rests'],
  ['a-!', 1, false, false, '2', 'an activated one rests when no other can'],
  ['a--!', 1, false, false, undefined, 'but not while too few work'],
  ['!=', 1, false, true, undefined, 'a standby waits beside an activated one'],
  ['a-', 1, true, true, undefined, 'without failback the repaired one waits'],
  ['a-A', 1, true, true, undefined, 'without failback the standby goes on'],
];

for (const [text, at, mustWait, inactive, rest, why] of ENTRIES) {
  test(`entry ${text} ${at}${mustWait ? ' (must wait)' : ''}: ${why}`, () => {
    const all = members(text);
    const entering = all[at];
    if (entering === undefined) throw new Error('no such member');
    const decision = entryDecision(all, entering, mustWait);
    equal(decision.inactive, inactive);
    equal(decision.rest?.name, rest);
  });
}

test('a replacement: a waiting standby before a waiting member, the last of those', () => {
  equal(replacementFor(members('-a')), undefined);
  equal(replacementFor(members('-iI'))?.name, '2');
  equal(replacementFor(members('-II'))?.name, '1');
  equal(replacementFor(members('-ii'))?.name, '2');
  equal(replacementFor(members('-=')), undefined);
});

test('corrections wake standbys while too few work and rest them while too many do', () => {
  deepEqual(standbyCorrection(members('aI')), undefined);
  const woken = standbyCorrection(members('a-I'));
  deepEqual([woken?.member.name, woken?.inactive], ['2', false]);
  const rested = standbyCorrection(members('aAA'));
  deepEqual([rested?.member.name, rested?.inactive], ['2', true]);
  equal(standbyCorrection(members('A')), undefined, 'a group of standbys keeps one');
  equal(standbyCorrection(members('ai')), undefined, 'a member that waits is left alone');
});

test('corrections leave an activated standby active, and the others as they are', () => {
  equal(standbyCorrection(members('aa!')), undefined, 'it is not put to rest');
  equal(standbyCorrection(members('a-A!')), undefined, 'nor is another for its sake');
  equal(standbyCorrection(members('a-!I')), undefined, 'it counts where too few work');
  equal(standbyCorrection(members('a--!I'))?.member.name, '4', 'but for one only');
  equal(standbyCorrection(members('aaA!'))?.member.name, '2', 'a surplus without it rests');
  equal(standbyCorrection(members('A!')), undefined, 'in a group of standbys both work');
});
