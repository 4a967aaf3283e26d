/** The models with their parameters, what must come out, and how many states are stored by then. */

import type { Search } from './spin.ts';

/** One model with parameters. */
export interface Variant {
  readonly model: string;
  readonly defines: readonly string[];
  readonly search: Search;
  readonly outcome: string;
  readonly states: number;
}

const NEW = 'new-order.pml';
const OLD = 'old-order.pml';
const COUNTERS = 'group-counters.pml';
const MAIN = 'main-thread.pml';

function row(
  model: string,
  defines: string,
  search: Search,
  states: number,
  outcome = 'holds',
): Variant {
  return { model, defines: defines.split(' ').filter(Boolean), search, outcome, states };
}

/**
 * Recorded: a model that has changed is seen, even if its verdict is the same. The region as a lock
 * held over many steps has no deadlock either, but it has no queue: with readers that
 * never stop, a task may wait for it for ever. As one step it cannot be waited for.
 */
export const VARIANTS: readonly Variant[] = [
  row(OLD, 'READERS=1', 'safety', 18, 'deadlock'),
  row(OLD, 'READERS=2', 'safety', 25, 'deadlock'),
  row(OLD, 'READERS=3', 'safety', 32, 'deadlock'),
  row(NEW, 'NICS=1', 'safety', 20_339),
  row(NEW, 'NICS=1 REGION_AS_LOCK', 'safety', 94_227),
  row(NEW, 'NICS=1 READERS=2', 'safety', 155_870),
  row(NEW, 'NICS=1 LINK_READERS=1', 'safety', 173_321),
  row(NEW, 'NICS=1 RIVALS=1', 'safety', 399_797),
  row(NEW, 'NICS=2', 'safety', 311_802),
  row(NEW, 'NICS=1 MEMBERS=0 JOINERS=1', 'safety', 339_947),
  row(NEW, 'NICS=1 JOINERS=1', 'safety', 244_892),
  row(NEW, 'NICS=1', 'served', 20_351),
  row(NEW, 'NICS=1 REGION_AS_LOCK', 'served', 1_821, 'a task is never served'),
  row(NEW, 'NICS=1 READERS=2', 'served', 155_956),
  row(NEW, 'NICS=1 LINK_READERS=1', 'served', 174_056),
  row(MAIN, '', 'safety', 180_197),
  row(MAIN, '', 'served', 175_553),
  row(COUNTERS, '', 'safety', 392_311),
  row(COUNTERS, 'RESETS=1 PACKETS=3', 'safety', 709_705),
  row(COUNTERS, 'NICS=2 PACKETS=1 READS=2 CYCLES=1 RESETS=1', 'safety', 1_442_568),
];
