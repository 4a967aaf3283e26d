/**
 * One rendering shared by all who ask at about the same time: a scrape storm costs one collection
 * (T23).
 */

import { Shared } from './shared.ts';

/** How long a rendering is good for: four collections a second at most. */
export const SHARED_MS = 250;

/** Text that is made at most every 250 ms, however many ask. */
export class SharedText extends Shared<string> {
  /** `nowMs` is a monotonic clock. */
  constructor(render: () => Promise<string>, nowMs: () => number) {
    super(render, SHARED_MS, nowMs);
  }
}
