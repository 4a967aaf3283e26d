/**
 * The life of a device, cell by cell: the next state if it is another one, and the action if there
 * is one. `.` is "stay, do nothing", `!` cannot happen.
 */

import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { InvariantError } from '../../../../src/base/assert.ts';
import { Rng } from '../../../../src/base/rng.ts';
import {
  type Held,
  LIFE_EVENTS,
  LIFE_STATES,
  LIFE_TABLE,
  Life,
  type LifeState,
  Port,
  transition,
} from '../../../../src/host/port/life.ts';

const EVENTS = 'open opened refused news lost close closed forget';

const EXPECTED: Readonly<Record<LifeState, string>> = {
  absent: 'opening+open | ! | ! | waiting+suggest | . | . | ! | gone',
  waiting: 'opening+open | ! | ! | suggest | absent | . | ! | gone',
  refused: 'opening+open | ! | ! | suggest | absent | . | ! | gone',
  opening: 'refuse | open | refused | keep | keep | ! | open | gone',
  open: 'refuse | ! | ! | tell | lost+report | closing+close | ! | gone+close',
  lost: 'refuse | ! | ! | . | . | closing+close | ! | gone+close',
  closing: 'opening | ! | ! | suggest | . | . | waiting | gone',
  gone: 'refuse | close | . | . | . | . | . | .',
};

test('every cell of the table of lives', () => {
  equal(LIFE_EVENTS.join(' '), EVENTS);
  let cells = 0;
  for (const state of LIFE_STATES) {
    const row = EXPECTED[state].split(' | ');
    equal(row.length, LIFE_EVENTS.length, state);
    for (const [at, event] of LIFE_EVENTS.entries()) {
      cells++;
      const where = `${state} x ${event}`;
      const life = new Life('net0');
      life.state = state;
      if (row[at] === '!') {
        throws(() => transition(life, event), InvariantError, where);
        equal(life.state, state, where);
        continue;
      }
      const { next, action } = transition(life, event);
      equal(life.state, next, where);
      const done = [...(next === state ? [] : [next]), ...(action === 'none' ? [] : [action])];
      equal(done.join('+') || '.', row[at], where);
    }
  }
  equal(cells, 64);
});

test('a port has descriptors exactly while open or lost, and gives each back once', () => {
  const device = { name: 'net0', fds: [5], multiQueue: false, offloads: 0 };
  const rng = new Rng(1);
  for (let life = 0; life < 200; life++) {
    const port = new Port<Held>('net0');
    const out = new Set<string>();
    const giveBack = (held: Held | undefined): void => {
      if (held !== undefined) ok(out.delete(held.holder), 'twice');
    };
    for (let step = 0; step < 20; step++) {
      const event = LIFE_EVENTS[rng.below(LIFE_EVENTS.length)] ?? 'forget';
      const { action } = LIFE_TABLE[port.state][event];
      if (action === 'impossible') continue;
      if (event === 'opened') {
        const held = { device, holder: `${step}` };
        out.add(held.holder);
        if (!port.hold(held)) giveBack(held);
      } else if (event === 'close' || event === 'forget') giveBack(port.take(event));
      else if (event === 'refused') port.refuse(0);
      else if (action === 'refuse') throws(() => port.begin(), { code: 'EALREADY' });
      else transition(port, event);
      const isHeld = port.state === 'open' || port.state === 'lost';
      equal(port.held !== undefined, isHeld, port.state);
      equal(out.size, isHeld ? 1 : 0);
    }
  }
});

test('after a refusal the next attempt is due a while later', () => {
  const port = new Port<Held>('net0');
  equal(port.isDue(1e9), false, 'nothing was refused');
  port.begin();
  port.refuse(100);
  deepEqual([port.isDue(5099), port.isDue(5100)], [false, true]);
});
