/**
 * What the operator may ask of interfaces and groups, and the checks that need no state.
 * Durations are whole milliseconds; every field is explicit (defaults belong to the
 * configuration).
 */

import { OperatorError } from '../../base/errors.ts';
import {
  FAILURE_DETECTION_MAX_MS,
  FAILURE_DETECTION_MIN_MS,
  FLAP_UPS_MAX,
  GROUP_MTU_MAX,
  GROUP_MTU_MIN,
  NEIGHBOR_LIMIT_MAX,
  NEIGHBOR_LIMIT_MIN,
} from '../../model/limits.ts';
import { checkName } from '../../model/names.ts';
import type { Spreading } from '../../model/states.ts';
import { type Prefix, prefixParse } from '../../wire/addr.ts';

/** One interface as configured. */
export interface InterfaceSpec {
  /** Name of the kernel device, 1..15 characters. */
  readonly name: string;
  readonly kind: 'macvtap' | 'bridged-tap' | 'tap';
  /** The NIC that a macvtap is on. */
  readonly uplink: string | null;
  /** The bridge that a TAP is put into. */
  readonly bridge: string | null;
  /** Used only while another member does not work. */
  readonly standby: boolean;
  /** With prefix length. */
  readonly testAddresses: readonly string[];
}

/** How many link-ups within which time are believed (docs/law.md row 92). */
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
  /** The group's own name, 1..15 characters; default: that of its device. */
  readonly groupName?: string;
  /** Names of its members, in order of joining. */
  readonly interfaces: readonly string[];
}

/** Refuses an interface that cannot be: EINVAL, ENAMETOOLONG. */
export function checkInterfaceSpec(spec: InterfaceSpec): void {
  checkName('interface', spec.name);
  testPrefixes(spec.name, spec.testAddresses);
}

/** The test addresses of an interface; EINVAL for what is none, or is given twice. */
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
  if (!(fdtMs >= FAILURE_DETECTION_MIN_MS && fdtMs <= FAILURE_DETECTION_MAX_MS)) {
    refuse('failure-detection-time', `${fdtMs}ms`, '50ms .. 1h');
  }
  if (!(neighbors >= NEIGHBOR_LIMIT_MIN && neighbors <= NEIGHBOR_LIMIT_MAX)) {
    refuse('neighbors', neighbors, `${NEIGHBOR_LIMIT_MIN} .. ${NEIGHBOR_LIMIT_MAX}`);
  }
  if (mtu !== 'auto' && !(mtu >= GROUP_MTU_MIN && mtu <= GROUP_MTU_MAX)) {
    refuse('mtu', mtu, `auto, ${GROUP_MTU_MIN} .. ${GROUP_MTU_MAX}`);
  }
  if (flapDamping === null) return;
  if (!(flapDamping.ups >= 1 && flapDamping.ups <= FLAP_UPS_MAX)) {
    refuse('flap-damping.ups', flapDamping.ups, `1 .. ${FLAP_UPS_MAX}`);
  }
  if (!(flapDamping.withinMs >= 1)) refuse('flap-damping.within', flapDamping.withinMs, '1ms ..');
}

/** Refuses a group that cannot be: EINVAL, ENAMETOOLONG. */
export function checkGroupSpec(spec: GroupSpec): void {
  checkName('group', spec.name);
  if (spec.groupName !== undefined) checkName('group', spec.groupName);
  checkGroupSettings(spec.name, spec);
  const twice = spec.interfaces.find((name, at) => spec.interfaces.indexOf(name) !== at);
  if (twice !== undefined) {
    throw new OperatorError('EINVAL', `group ${spec.name}: interface ${twice} is named twice`);
  }
}
