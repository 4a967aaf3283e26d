/**
 * Evidence -> event: what is known of an interface, as the event of its state table
 * (phyint-state.ts). The evidence is its device, its link, how far flap damping believes the link,
 * and the MACs of the other members. Every further source of evidence enters here, and nowhere
 * else: the table decides what an event means in each state. Pure.
 */

import type { LinkState } from '../../model/states.ts';
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
