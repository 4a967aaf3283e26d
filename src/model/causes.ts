/**
 * Why something changed: the closed list of causes, each with the sentence that operators read.
 * A cause is a stable word (the label of metrics and events); adding one is a change of the
 * interface, so the list is in one place and the documentation is made from it.
 */

import { keysOf } from '../base/keys.ts';

/** Cause -> sentence. Words are kebab-case and stable once released. */
export const CAUSES = {
  configured: 'the configuration or an operator asked for it',
  created: 'it was created and nothing is known of it yet',
  'device-appeared': 'its device is there',
  'device-absent': 'its device is not there',
  'device-vanished': 'its device went away',
  'link-down': 'its link went down',
  'link-up': 'its link came up',
  flapping: 'its link came up too often lately, so it is not trusted yet (flap-damping)',
  'damping-over': 'its link has been stable long enough (flap-damping)',
  'last-resort': 'its link flaps, but no other interface of the group works',
  'duplicate-mac': 'another interface of its group has the same MAC',
  'mac-unique': 'no other interface of its group has its MAC any more',
  'taken-offline': 'an operator took it offline',
  'brought-online': 'an operator brought it online',
  activated: 'an operator activated it',
  joined: 'an interface joined the group',
  left: 'an interface left the group',
  'member-failed': 'it takes the place of an interface that no longer works',
  'member-repaired': 'the interface that it stood in for works again',
  'standby-idle': 'it is a standby, and enough other interfaces work',
  'standby-needed': 'it is a standby, and too few other interfaces work',
  'no-failback': 'it was repaired, but failback is off: it waits until another fails',
  rebalanced: 'to spread the addresses evenly',
  'address-added': 'the address was added on the host',
  'address-removed': 'the address was removed on the host',
  'no-interface': 'no interface of the group works',
  'interface-works': 'an interface of the group works again',
  'detection-began': 'it is being checked whether another station uses the address',
  unopposed: 'no other station uses the address',
  unchecked: 'the host has the address with nodad, so it is used without being checked',
  'address-conflict': 'another station uses the same address',
  'conflict-over': 'the other station no longer uses the address',
  'neighbor-moved': 'a neighbour answers from another MAC',
  'neighbor-lost': 'a neighbour that answered before no longer does',
  'neighbor-answers': 'a neighbour that was lost answers again',
  'members-differ': 'not all interfaces of the group work',
  'members-equal': 'all interfaces of the group work',
  'smallest-member': 'the smallest MTU among the interfaces of the group',
  'above-smallest-member': 'the configured MTU is larger than an interface of the group takes',
  'used-elsewhere': 'the address is already served by another group or interface',
  'configuration-invalid': 'the configuration has mistakes, and the old one stays in force',
  'too-many': 'there are more addresses than can be served',
} as const;

/** Why something changed. */
export type Cause = keyof typeof CAUSES;

export const CAUSE_WORDS: readonly Cause[] = keysOf(CAUSES);

/** The sentence of a cause. */
export function causeSentence(cause: Cause): string {
  return CAUSES[cause];
}
