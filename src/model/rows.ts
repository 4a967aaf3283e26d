/**
 * The rows of the API, of `show` and of `monitor` (contract 4.18): flat copies, snake_case, plain
 * values. Declared fields are always there; the CLI shows them, the OpenAPI document describes
 * them, and clients check replies by them. `cause` is a word of causes.ts, `cause_text` a sentence.
 */

import { CAUSE_WORDS } from './causes.ts';
import {
  anything,
  decimal,
  integer,
  listOf,
  object,
  orNull,
  type RowOf,
  rowField,
  text,
  truth,
  word,
} from './fields.ts';
import {
  ADDRESS_STATES,
  ADDRESS_TYPES,
  GROUP_STATES,
  INTERFACE_STATES,
  INTERFACE_TYPES,
  LINK_STATES,
  PROBE_STATES,
  SPREADINGS,
} from './states.ts';

/** Of the fields of an event, in each event (docs/law.md row 108). */
export const EVENT_VERSION = 1;

const cause = word(CAUSE_WORDS, 'why it is in this state');
const causeText = text('the same as a sentence, with what is known beyond the cause');

export type GroupRow = RowOf<typeof GROUP_ROW>;
export const GROUP_ROW = {
  name: 'Group',
  fields: {
    group: text('its name'),
    ifname: text('its device'),
    state: word(GROUP_STATES),
    cause,
    cause_text: causeText,
    fdt_ms: integer('failure detection time, ms'),
    interfaces: listOf(text(), 'its members, in order of joining'),
    joining: listOf(text(), 'interfaces whose join is under way: no members yet'),
    active: listOf(text(), 'members that carry data'),
    inactive: listOf(text(), 'members that work and wait'),
    failed: listOf(text()),
    offline: listOf(text()),
    absent: listOf(text(), 'members without their device'),
    nominated: orNull(text('the member that carries broadcast and multicast')),
    flags: listOf(text(), 'the flags that are set: IPMP, and RUNNING or FAILED'),
    mtu: integer('octets'),
    lladdr: orNull(text('the MAC of its device')),
    spreading: word(SPREADINGS, 'how outbound flows are spread'),
    forwarding: truth(),
    failback: truth(),
    signature: text('another after each change of the group, its members or its settings'),
  },
} as const;

export type InterfaceRow = RowOf<typeof INTERFACE_ROW>;
export const INTERFACE_ROW = {
  name: 'Interface',
  fields: {
    ifname: text('its name'),
    group: orNull(text()),
    state: word(INTERFACE_STATES),
    active: truth('it carries data of its group'),
    standby: truth(),
    link: word(LINK_STATES),
    probe: word(PROBE_STATES),
    lladdr: orNull(text('its MAC')),
    mtu: integer('octets'),
    uplink: orNull(text('the NIC below it')),
    bridge: orNull(text('the bridge that its TAP is a port of')),
    flags: listOf(text(), 'the flags that are set'),
    nominated: truth('it carries broadcast and multicast of its group'),
    unanswered: truth('its driver owes an answer for longer than a reader waits'),
    cause,
    cause_text: causeText,
  },
} as const;

/** An interface as the system has it: what its driver owes is known outside. */
export type InterfaceView = Omit<InterfaceRow, 'unanswered'>;

export type AddressRow = RowOf<typeof ADDRESS_ROW>;
export const ADDRESS_ROW = {
  name: 'Address',
  fields: {
    address: text('with its prefix length'),
    flags: listOf(text(), 'what the host notes of it, as `ip addr` has it'),
    ifname: text('the device that has it: of a group, or an interface'),
    group: orNull(text()),
    type: word(ADDRESS_TYPES),
    state: word(ADDRESS_STATES),
    inbound: orNull(text('the interface that receives for it')),
    outbound: listOf(text(), 'the interfaces that may send from it'),
    cause: orNull(word(CAUSE_WORDS, 'why it is not served')),
    cause_text: orNull(causeText),
  },
} as const;

export type NeighborRow = RowOf<typeof NEIGHBOR_ROW>;
export const NEIGHBOR_ROW = {
  name: 'Neighbor',
  fields: {
    dst: text('its address'),
    lladdr: orNull(text('its MAC')),
    state: text('as `ip neigh` has it'),
    group: text(),
    proxy: truth('the group answers for it on the wire'),
    cause_text: text('why it is in this state'),
  },
} as const;

export type MulticastRow = RowOf<typeof MULTICAST_ROW>;
export const MULTICAST_ROW = {
  name: 'Multicast',
  fields: {
    address: text(),
    group: text(),
    inbound: orNull(text('the interface by which it comes in')),
  },
} as const;

export type TargetRow = RowOf<typeof TARGET_ROW>;
export const TARGET_ROW = {
  name: 'Target',
  fields: {
    ifname: text('the interface that probes it'),
    target: text('its address'),
    state: text(),
    mode: text('how targets are found'),
    rtt_us: orNull(decimal('smoothed round trip, µs')),
  },
} as const;

export type KstatRow = RowOf<typeof KSTAT_ROW>;
export const KSTAT_ROW = {
  name: 'Kstat',
  fields: {
    module: text(),
    instance: integer(),
    name: text(),
    class: text(),
    crtime: decimal('seconds since boot'),
    snaptime: decimal('seconds since boot'),
    stale: truth('a driver has not answered: its last known values'),
    data: object('statistics by name'),
  },
} as const;

export type ConfigRow = RowOf<typeof CONFIG_VALUE>;
export const CONFIG_VALUE = {
  name: 'ConfigValue',
  fields: {
    key: text('`groups.ipmp0.mtu`'),
    value: anything('as it is wanted'),
    origin: text('`FILE:LINE`, `default`, `command` (of ipmpadm) or `argument` (of ipmpd)'),
  },
} as const;

export type ConfigCheckRow = RowOf<typeof CONFIG_CHECK>;
export const CONFIG_CHECK = {
  name: 'ConfigCheck',
  fields: { errors: listOf(text(), 'as `ipmpd --check` prints them') },
} as const;

export type ReloadRow = RowOf<typeof RELOAD>;
export const RELOAD = {
  name: 'Reload',
  fields: {
    changes: listOf(text(), 'what was done'),
    problems: listOf(text(), 'what could not be brought about, and why'),
    warnings: listOf(text(), 'what has waited since before, such as for a device'),
  },
} as const;

export type StatusRow = RowOf<typeof STATUS_ROW>;
export const STATUS_ROW = {
  name: 'Status',
  fields: {
    state: word(GROUP_STATES, 'the worst state of any group; `ok` without groups'),
    version: text(),
    uptime_s: integer('seconds'),
    problems: listOf(text(), 'what of the configuration could not be made so'),
    groups: listOf(rowField(GROUP_ROW)),
    signature: text('another after each change of any group or interface'),
  },
} as const;

export type SnapshotRow = RowOf<typeof SNAPSHOT_ROW>;
/** Neighbours are not in it: there may be tens of thousands, and frames change them. */
export const SNAPSHOT_ROW = {
  name: 'Snapshot',
  fields: {
    time: { ...text(), schema: { type: 'string', format: 'date-time' } },
    signature: text('as in the status'),
    groups: listOf(rowField(GROUP_ROW)),
    interfaces: listOf(rowField(INTERFACE_ROW)),
    addresses: listOf(rowField(ADDRESS_ROW)),
    multicast: listOf(rowField(MULTICAST_ROW)),
    targets: listOf(rowField(TARGET_ROW)),
  },
} as const;

export type EventRow = RowOf<typeof EVENT_ROW>;
export const EVENT_ROW = {
  name: 'Event',
  fields: {
    time: { ...text(), schema: { type: 'string', format: 'date-time' } },
    event: text('docs/events.md lists them'),
    group: orNull(text()),
    ifname: orNull(text()),
    from: orNull(text()),
    to: orNull(text()),
    cause: orNull(text('docs/events.md lists them')),
    detail: orNull(text('what `from` and `to` do not have')),
    type: orNull(word(INTERFACE_TYPES, 'of the interface')),
    signature: orNull(text('of the group from now on')),
    version: integer('of these fields: another one if a field changes its meaning'),
  },
} as const;

/** What an event has that concerns no group and no interface. */
export const EVENT_OF_NOTHING = {
  group: null,
  ifname: null,
  from: null,
  to: null,
  cause: null,
  detail: null,
  type: null,
  signature: null,
  version: EVENT_VERSION,
} as const satisfies Partial<EventRow>;

/** Rows by the names that `ipmpadm` and the documentation have for them. */
export const ROWS = {
  group: GROUP_ROW,
  interface: INTERFACE_ROW,
  address: ADDRESS_ROW,
  neighbor: NEIGHBOR_ROW,
  multicast: MULTICAST_ROW,
  target: TARGET_ROW,
  kstat: KSTAT_ROW,
  status: STATUS_ROW,
  snapshot: SNAPSHOT_ROW,
  monitor: EVENT_ROW,
} as const;
