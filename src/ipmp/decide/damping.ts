/**
 * Flap damping (docs/law.md row 92): an interface whose link came up often lately is not believed
 * at once. The times of the last `ups` link-ups are remembered; repair is refused while the
 * oldest of them is younger than `withinMs`, so with `{ ups: 2, withinMs: 60 s }` the third
 * link-up within a minute waits until the minute is over. A link-up is judged first and
 * remembered afterwards.
 */

import { FLAP_UPS_MAX } from '../../model/limits.ts';
import type { FlapDampingSpec } from '../object/spec.ts';

/** The memory of one interface. */
export class FlapDamping {
  /** Times of link-ups, oldest first, at most FLAP_UPS_MAX. */
  #upsMs: number[] = [];

  /** Remembers `count` link-ups at `nowMs`. */
  note(nowMs: number, count = 1): void {
    for (let i = Math.min(count, FLAP_UPS_MAX); i > 0; i--) this.#upsMs.push(nowMs);
    if (this.#upsMs.length > FLAP_UPS_MAX) this.#upsMs = this.#upsMs.slice(-FLAP_UPS_MAX);
  }

  /** When a repair may be believed: `nowMs` or earlier means now. */
  believedAtMs(spec: FlapDampingSpec | null): number {
    if (spec === null) return Number.NEGATIVE_INFINITY;
    const oldest = this.#upsMs[this.#upsMs.length - spec.ups];
    return oldest === undefined ? Number.NEGATIVE_INFINITY : oldest + spec.withinMs;
  }
}

/**
 * How many link-ups are hidden in a report: the device says that its carrier changed `changes`
 * times since the last report, which said `before`, and that it is `after` now. The last change
 * is the report itself and is not counted.
 */
export function hiddenUps(before: 'up' | 'down', after: 'up' | 'down', changes: number): number {
  if (changes <= 0) return 0;
  const ups = before === 'up' ? Math.floor(changes / 2) : Math.ceil(changes / 2);
  const reported = before === 'down' && after === 'up' ? 1 : 0;
  return Math.max(0, ups - reported);
}
