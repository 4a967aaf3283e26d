/**
 * Which task waits for which. The waker of a waiting task has the tasks that could end its wait:
 * the owner of a lock, the holders of references, the parts of a whole. A circle in this graph is a
 * deadlock. It closes at the moment in which its last task begins to wait; so
 * that is when it is looked for, from that task alone.
 *
 * A wait that only time or a driver can end has no edges. A task that is ready or running has none
 * either: it may still give back what it holds.
 */

import type { Task } from './operation.ts';
import type { Waker } from './waker.ts';

/** What a wait depends on; asked when the graph is walked. */
export interface Blockers {
  /** Between the waiting task and a blocker: `waits for kstat ipmp0, owned by`. */
  readonly relation: string;
  tasks(): Iterable<Task<unknown>>;
}

/** One edge of a circle: `task` waits, and `relation` leads to the next one. */
interface Step {
  readonly task: Task<unknown>;
  readonly relation: string;
}

/** The circle that the wait of `waker` closes, as a sentence; undefined if there is none. */
export function describeCycle(waker: Waker): string | undefined {
  if (waker.blockers === undefined) return undefined;
  const origin = waker.task;
  const path: Step[] = [];
  if (!leadsTo(origin, origin, path, new Set())) return undefined;
  const edges = path.map(({ task, relation }, index) =>
    index === 0 ? `${task.label} ${relation}` : `${task.label}, which ${relation}`,
  );
  return `${edges.join(' ')} ${origin.label}: none of them can go on`;
}

/** Walks from `task` to `target`, depth first; `path` then holds the edges. */
function leadsTo(
  task: Task<unknown>,
  target: Task<unknown>,
  path: Step[],
  seen: Set<Task<unknown>>,
): boolean {
  const blockers = task.waiting?.blockers;
  if (blockers === undefined || task.waiting?.isSettled !== false) return false;
  path.push({ task, relation: blockers.relation });
  for (const next of blockers.tasks()) {
    if (next === target) return true;
    if (seen.has(next)) continue;
    seen.add(next);
    if (leadsTo(next, target, path, seen)) return true;
  }
  path.pop();
  return false;
}
