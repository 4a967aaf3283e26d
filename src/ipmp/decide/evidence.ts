/**
 * Evidence -> event: what is known of an interface, as the event of its state table
 * (phyint-state.ts). The evidence is its device, its link, how far flap damping believes the link,
 * and the MACs of the other members. Every further source of evidence enters here, and nowhere
 * else: the table decides what an event means in each state.
 */

import { FLAP_UPS_MAX } from '../../model/limits.ts';
import type { LinkState } from '../../model/states.ts';
import type { FlapDampingSpec } from '../object/spec.ts';
import type { TrackedPhyint } from '../object/tracked.ts';
import type { PhyintEvent } from './phyint-state.ts';

/** What a change of the link means; undefined: nothing, since an unknown link counts as up. */
export function linkEvent(
  from: LinkState,
  to: LinkState,
  isBelieved: boolean,
): PhyintEvent | undefined {
  if (to === 'down') return 'link-down';
  if (from !== 'down') return undefined;
  return isBelieved ? 'link-up' : 'link-flaps';
}

/** What a device that is there now means; undefined: nothing. `wasPresent`: it was there before. */
export function deviceEvent(tracked: TrackedPhyint, wasPresent: boolean): PhyintEvent | undefined {
  if (!tracked.isOffline && clashes(tracked)) return 'mac-clash';
  return wasPresent ? undefined : 'device-appeared';
}

/** True if an earlier member in use has the MAC of `tracked` (docs/law.md row 97). */
export function clashes(tracked: TrackedPhyint): boolean {
  const { group, phyint } = tracked;
  if (group === undefined || !phyint.present) return false;
  return group.members.some(
    (other) =>
      other !== tracked &&
      other.phyint.present &&
      other.state !== 'clashing' &&
      !other.isOffline &&
      !other.isLeaving &&
      other.phyint.physAddr === phyint.physAddr,
  );
}

/**
 * Flap damping of one interface (docs/law.md row 92): after several link-ups the next one is not
 * believed at once. The times of the last `ups` link-ups are kept; a repair is refused while the
 * oldest of them is younger than `withinMs`, so with `{ ups: 2, withinMs: 60 s }` the third
 * link-up within a minute waits until the minute is over. A link-up is judged first and noted
 * afterwards.
 */
export class FlapDamping {
  /** Times of link-ups, oldest first, at most FLAP_UPS_MAX. */
  #upsMs: number[] = [];

  /** Notes `count` link-ups at `nowMs`. */
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
 * How many link-ups are hidden in a report: the carrier changed `changes` times since the last
 * report, which was `before`, and it is `after` now. The last change is the report itself and is
 * not counted.
 */
export function hiddenUps(before: 'up' | 'down', after: 'up' | 'down', changes: number): number {
  if (changes <= 0) return 0;
  const ups = before === 'up' ? Math.floor(changes / 2) : Math.ceil(changes / 2);
  const reported = before === 'down' && after === 'up' ? 1 : 0;
  return Math.max(0, ups - reported);
}
