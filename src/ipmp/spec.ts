/**
 * What the operator may ask of interfaces and groups, and the checks that need no state.
 * Durations are whole milliseconds; every field is explicit (defaults belong to the
 * configuration).
 */

import { OperatorError } from '../base/errors.ts';
import { type Prefix, prefixParse } from '../wire/addr.ts';

/** Outbound spreading: by flow, by destination address, or by source address. */
export type Spreading = 'flow' | 'destination' | 'address';

/** One interface as configured. */
export interface InterfaceSpec {
  /** Name of the kernel device, 1..15 characters. */
  readonly name: string;
  readonly kind: 'macvtap' | 'bridged-tap' | 'tap';
  /** The NIC beneath a macvtap. */
  readonly uplink: string | null;
  /** The bridge that a TAP is put into. */
  readonly bridge: string | null;
  /** Used only while another member does not work. */
  readonly standby: boolean;
  /** With prefix length. */
  readonly testAddresses: readonly string[];
}

/** How many link-ups within which time are believed (IPMP semantics 5.3). */
export interface FlapDampingSpec {
  readonly ups: number;
  readonly withinMs: number;
}

/** What of a group can be changed while it lives. */
export interface GroupSettings {
  readonly failureDetectionTimeMs: number;
  readonly failback: boolean;
  /** null: none. */
  readonly flapDamping: FlapDampingSpec | null;
  /** Entries of the neighbour cache. */
  readonly neighbors: number;
  readonly spreading: Spreading;
  /** Frames for other hosts go up to the host's kernel. */
  readonly forwarding: boolean;
  /** 'auto': the smallest among the present members. */
  readonly mtu: number | 'auto';
}

/** One group as configured. */
export interface GroupSpec extends GroupSettings {
  /** Name of the group's device, 1..15 characters. */
  readonly name: string;
  /** What the group is called, 1..31 characters; default: as its device. */
  readonly groupName?: string;
  /** Names of its members, in order of joining. */
  readonly interfaces: readonly string[];
}

/** Ports of NICs: 0 .. MAX_NICS - 1 (sizes of the forwarding tables). */
export const MAX_NICS = 512;
/** A group's device has port GROUP_PORT_BASE + the number of the group. */
export const GROUP_PORT_BASE = 512;
/** Groups at a time (size of the forwarding tables). */
export const MAX_GROUPS = 64;
/** Members of a group: two words of the active mask. */
export const MAX_GROUP_MEMBERS = 64;
/** Data and test addresses of all groups (size of the forwarding tables). */
export const MAX_ADDRESSES = 8192;
/** Neighbours with a changed MAC that the host has not learnt (size of the forwarding tables). */
export const MAX_REDIRECTS = 1024;

/** Linux: IFNAMSIZ less the terminating zero. */
const NAME_LENGTH_MAX = 15;
/** IPMP semantics 1.5: LIFGRNAMSIZ less the terminating zero. */
const GROUP_NAME_LENGTH_MAX = 31;
const NAME = /^[A-Za-z][A-Za-z0-9._-]*$/;

/** Refuses a name that cannot be a device's: EINVAL, ENAMETOOLONG. */
export function checkName(what: string, name: string, lengthMax = NAME_LENGTH_MAX): void {
  if (name.length > lengthMax) {
    throw new OperatorError(
      'ENAMETOOLONG',
      `${what} name ${name} has ${name.length} characters (at most ${lengthMax})`,
    );
  }
  if (!NAME.test(name)) {
    throw new OperatorError(
      'EINVAL',
      `${what} name "${name}" is not allowed (a letter, then letters, digits, ".", "_", "-")`,
    );
  }
}

/** Refuses a name that cannot be a group's own: EINVAL, ENAMETOOLONG. */
export function checkGroupName(name: string): void {
  checkName('group', name, GROUP_NAME_LENGTH_MAX);
}

/** Refuses an interface that cannot be: EINVAL, ENAMETOOLONG. */
export function checkInterfaceSpec(spec: InterfaceSpec): void {
  checkName('interface', spec.name);
  testPrefixes(spec.name, spec.testAddresses);
}

/** The test addresses of an interface; EINVAL for what is none, or stands there twice. */
export function testPrefixes(ifname: string, testAddresses: readonly string[]): Prefix[] {
  const prefixes: Prefix[] = [];
  for (const text of testAddresses) {
    const prefix = prefixParse(text);
    if (prefix === undefined) {
      const message = `interface ${ifname}: "${text}" is not an address with prefix length`;
      throw new OperatorError('EINVAL', message);
    }
    if (prefixes.some(({ address }) => address === prefix.address)) {
      const message = `interface ${ifname}: test address ${prefix.address} is named twice`;
      throw new OperatorError('EINVAL', message);
    }
    prefixes.push(prefix);
  }
  return prefixes;
}

/** Refuses settings outside their ranges (contract 3): EINVAL. */
export function checkGroupSettings(name: string, settings: GroupSettings): void {
  const refuse = (key: string, given: unknown, allowed: string): never => {
    throw new OperatorError('EINVAL', `group ${name}: ${key} ${String(given)} (${allowed})`);
  };
  const { failureDetectionTimeMs: fdtMs, flapDamping, neighbors, mtu } = settings;
  if (!(fdtMs >= 50 && fdtMs <= 3_600_000)) {
    refuse('failure-detection-time', `${fdtMs}ms`, '50ms .. 1h');
  }
  if (!(neighbors >= 64 && neighbors <= 65536)) refuse('neighbors', neighbors, '64 .. 65536');
  if (mtu !== 'auto' && !(mtu >= 1280 && mtu <= 65535)) refuse('mtu', mtu, 'auto, 1280 .. 65535');
  if (flapDamping === null) return;
  if (!(flapDamping.ups >= 1 && flapDamping.ups <= FLAP_UPS_MAX)) {
    refuse('flap-damping.ups', flapDamping.ups, `1 .. ${FLAP_UPS_MAX}`);
  }
  if (!(flapDamping.withinMs >= 1)) refuse('flap-damping.within', flapDamping.withinMs, '1ms ..');
}

/** Link-ups remembered per interface: ours, above any sensible setting. */
export const FLAP_UPS_MAX = 1000;

/** Refuses a group that cannot be: EINVAL, ENAMETOOLONG. */
export function checkGroupSpec(spec: GroupSpec): void {
  checkName('group', spec.name);
  if (spec.groupName !== undefined) checkGroupName(spec.groupName);
  checkGroupSettings(spec.name, spec);
  const twice = spec.interfaces.find((name, at) => spec.interfaces.indexOf(name) !== at);
  if (twice !== undefined) {
    throw new OperatorError('EINVAL', `group ${spec.name}: interface ${twice} is named twice`);
  }
}
