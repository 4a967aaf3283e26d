/** The cells that a test expects of a state machine, in words, and a walk over all of them. */

import { deepEqual } from 'node:assert/strict';

/**
 * Calls `visit` for every state and event; answers how many there are. The row of a state is
 * `event, event: cell; event: cell`, which must name each event once.
 */
export function tableWalk<State extends string, Event extends string>(
  rows: Readonly<Record<State, string>>,
  states: readonly State[],
  events: readonly Event[],
  visit: (state: State, event: Event, wanted: string, where: string) => void,
): number {
  deepEqual(Object.keys(rows), [...states]);
  for (const state of states) {
    const cells = rows[state].split(';').flatMap((group) => {
      const [names = '', cell = ''] = group.trim().split(/:\s+/);
      return names.split(/,\s+/).map((name): [string, string] => [name, cell]);
    });
    deepEqual(cells.map(([name]) => name).sort(), [...events].sort(), state);
    const wanted = new Map(cells);
    for (const event of events) {
      visit(state, event, wanted.get(event) ?? '', `${state} x ${event}`);
    }
  }
  return states.length * events.length;
}
