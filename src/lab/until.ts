/** Waiting for a condition: asked again and again, never a sleep by guess. */

import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 10;
/** A look that starts a program takes the processor: pauses are twice as long, at most this. */
const PAUSE_MAX_MS = 100;

/** A condition did not come in time. */
export class WaitedTooLong extends Error {
  constructor(what: string, withinMs: number, last: unknown) {
    super(`${what}: not within ${withinMs} ms; last seen: ${show(last)}`);
    this.name = 'WaitedTooLong';
  }
}

/**
 * Calls `look` until it returns something else than undefined or false, and returns that. What
 * `look` throws counts as "not yet" and is reported if the time runs out.
 *
 * @throws WaitedTooLong
 */
export async function until<T>(
  what: string,
  withinMs: number,
  look: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const giveUpAt = performance.now() + withinMs;
  for (;;) {
    const lookedAt = performance.now();
    let last: unknown;
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false) return seen;
      last = seen;
    } catch (error) {
      last = error;
    }
    const nowMs = performance.now();
    if (nowMs > giveUpAt) throw new WaitedTooLong(what, withinMs, last);
    await sleep(Math.min(Math.max(POLL_MS, 2 * (nowMs - lookedAt)), PAUSE_MAX_MS));
  }
}

function show(value: unknown): string {
  return value instanceof Error ? value.message : (JSON.stringify(value) ?? 'nothing');
}
