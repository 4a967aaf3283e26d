/**
 * The events of `monitor` and of `/v1/events`, as one table: what each means, and what its `from`
 * and `to` are. A name is stable once released. docs/events.md is made of it.
 */

import { keysOf } from '../base/keys.ts';

/** Event -> what has happened, and what `from`, `to` and `detail` are; the latter may be empty. */
export const EVENTS = {
  'interface-added': ['an interface is there from now on', 'to: state'],
  'interface-removed': ['an interface is no longer there', 'from: state'],
  'interface-state': ['the state of an interface has changed', 'states: ok failed offline absent'],
  'interface-active': [
    'an interface may carry data now, or no longer may',
    'active | inactive: may it carry data now',
  ],
  'interface-link': ['the link of an interface has changed', 'up | down | unknown'],
  'interface-damped': [
    'the link of an interface came up too often and is not trusted for a while',
    'to: seconds until it is looked at again',
  ],
  'interface-standby': ['an interface is a standby from now on, or no longer', 'on | off'],
  'group-added': ['a group is there from now on', ''],
  'group-removed': ['a group is no longer there', ''],
  'group-renamed': [
    'a group has another name; its device keeps its own',
    'names; group: the new one',
  ],
  'group-state': ['the state of a group has changed', 'ok degraded failed'],
  'group-mtu': ['the MTU of a group has changed', 'bytes'],
  'member-added': ['an interface has joined a group', 'to: state'],
  'member-removed': ['an interface has left a group', 'from: state'],
  nominated: [
    'another interface of the group carries broadcast and multicast now',
    'interfaces: the one that carries broadcast and multicast',
  ],
  'address-added': ['an address is there from now on', 'to: the address'],
  'address-removed': ['an address is no longer there', 'from: the address'],
  'address-moved': [
    'another interface receives for an address now',
    'interfaces; detail: the address',
  ],
  'address-state': [
    'the state of an address has changed',
    'states; detail: the address, and the other station that uses it',
  ],
  'address-defended': [
    'another station has claimed an address and was answered',
    'to: the other station; detail: the address',
  ],
  'neighbor-moved': ['a neighbour answers from another MAC', 'MACs; detail: the neighbour'],
  'neighbor-state': [
    'a neighbour is lost, is found again, or was set or removed by an operator',
    'lost, found, set or removed: states of `neighbor show`; detail: as above',
  ],
  'kstat-installed': [
    'a kstat is there from now on',
    'ids of the chain; detail: module:instance:name',
  ],
  'kstat-removed': ['a kstat is no longer there', 'the same'],
  'configuration-changed': ['a command has changed the configuration', 'detail: by which command'],
  'configuration-reloaded': [
    'the files were read anew, and what differs was applied',
    'detail: how many changes',
  ],
  'configuration-refused': [
    'the files were read anew and are wrong: nothing was changed',
    'detail: the first mistake',
  ],
} as const satisfies Readonly<Record<string, readonly [means: string, ends: string]>>;

export type EventName = keyof typeof EVENTS;

const COUNTED: ReadonlySet<EventName> = new Set(
  keysOf(EVENTS).filter((name) => /^(group|interface|member|nominated)/.test(name)),
);

/** An event after which a group or an interface is shown otherwise (docs/law.md row 107). */
export function isCounted(event: EventName): boolean {
  return COUNTED.has(event);
}
