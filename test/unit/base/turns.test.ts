/** Long work in turns: all of it is done, in order, and others have the thread in between. */

import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import {
  atOnce,
  findInTurns,
  inTurns,
  mapInTurns,
  nextTurn,
  ROWS_A_TURN,
  type Steps,
  stepByStep,
  TurnShare,
} from '../../../src/base/turns.ts';
import { turnsOf } from './turns-of.ts';

test('rows come in order, so many in a turn', async () => {
  const rows = Array.from({ length: 10 * ROWS_A_TURN }, (_, at) => at);
  const seen: number[] = [];
  const turns = await turnsOf(() => inTurns(rows, (row) => seen.push(row)));
  deepEqual(seen, rows);
  equal(turns, 10);
  deepEqual(
    await mapInTurns(rows, (row) => row * 2),
    rows.map((row) => row * 2),
  );
  equal(await turnsOf(() => inTurns(rows.slice(1, ROWS_A_TURN), () => undefined)), 0);
});

test('a search ends at the first that is found', async () => {
  const rows = Array.from({ length: 10 * ROWS_A_TURN }, (_, at) => at);
  const seen: number[] = [];
  const find = (wanted: number) =>
    findInTurns(rows, (row) => {
      seen.push(row);
      return row === wanted ? `row ${row}` : undefined;
    });
  equal(await find(7), 'row 7');
  equal(seen.length, 8);
  equal(await turnsOf(async () => equal(await find(-1), undefined)), 10);
});

test('many callers begin a few in a turn, in order, and as soon as there is room', async () => {
  const share = new TurnShare(3);
  const begun: number[] = [];
  const ask = (from: number, to: number): void => {
    for (let at = from; at < to; at++) share.run(() => begun.push(at));
  };
  ask(0, 2);
  deepEqual(begun, [0, 1], 'in this turn');
  ask(2, 8);
  deepEqual(begun, [0, 1, 2]);
  await nextTurn();
  deepEqual(begun, [0, 1, 2, 3, 4, 5]);
  ask(8, 9);
  deepEqual(begun.length, 6, 'behind those that wait');
  await nextTurn();
  deepEqual(begun, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  await nextTurn();
  ask(9, 12);
  equal(begun.length, 12, 'nothing of former turns counts');
});

function* counted(steps: number): Steps<string> {
  for (let step = 0; step < steps; step++) yield;
  return `${steps} steps`;
}

test('steps give the same at once and one by one', async () => {
  equal(atOnce(counted(7)), '7 steps');
  const turns = await turnsOf(async () => equal(await stepByStep(counted(7)), '7 steps'));
  equal(turns, 7);
});

test('an exception of a step or a row is thrown', async () => {
  const refuse = (): never => {
    throw new RangeError('no');
  };
  await rejects(inTurns([1], refuse), RangeError);
  await rejects(
    stepByStep(
      (function* (): Steps<void> {
        yield;
        refuse();
      })(),
    ),
    RangeError,
  );
});
