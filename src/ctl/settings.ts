/**
 * What may be set of a group and of an interface: the keys of the configuration with what each
 * allows. Help, the check of `key=value`, the API and the documentation are made from it.
 */

import {
  GROUP_MTU_MAX,
  GROUP_MTU_MIN,
  MAX_GROUP_MEMBERS,
  MULTICAST_MAX,
  NEIGHBOR_LIMIT_MAX,
  NEIGHBOR_LIMIT_MIN,
} from '../model/limits.ts';
import { NAME_ALLOWED } from '../model/names.ts';
import { SPREADINGS } from '../model/states.ts';

/** One key. */
export interface Setting {
  readonly key: string;
  /** In words; those of config/ipmpd.schema.json, but `on or off` for what is true or false. */
  readonly allowed: string;
}

const SWITCH_ALLOWED = 'on or off';

function setting(key: string, allowed: string): Setting {
  return { key, allowed };
}

export const GROUP_SETTINGS: readonly Setting[] = [
  setting('name', NAME_ALLOWED),
  setting('interfaces', `a list of at most ${MAX_GROUP_MEMBERS} names of interfaces`),
  setting('addresses', 'a list of at most 1024 addresses with prefix length'),
  setting('routes', 'a list of at most 256 routes, each { to: default, via: 192.0.2.1 }'),
  setting('static-neighbors', 'a list of at most 1024 neighbours, each { dst, lladdr, proxy }'),
  setting('multicast', `a list of at most ${MULTICAST_MAX} different multicast addresses`),
  setting('failure-detection-time', 'a duration from 50ms to 60m, with its unit ms, s or m'),
  setting('failback', SWITCH_ALLOWED),
  setting('flap-damping', 'off, or { ups: 2, within: 60s }'),
  setting('neighbors', `a whole number from ${NEIGHBOR_LIMIT_MIN} to ${NEIGHBOR_LIMIT_MAX}`),
  setting('probe-targets', 'a list of at most 64 different addresses'),
  setting('transitive-probing', SWITCH_ALLOWED),
  setting('spreading', `one of ${SPREADINGS.join(', ')}`),
  setting('forwarding', SWITCH_ALLOWED),
  setting('mtu', `auto, or a whole number from ${GROUP_MTU_MIN} to ${GROUP_MTU_MAX}`),
];

export const INTERFACE_SETTINGS: readonly Setting[] = [
  setting('standby', SWITCH_ALLOWED),
  setting('test-addresses', 'a list of at most 16 addresses with prefix length'),
];

/** Names of the keys. */
export function settingKeys(settings: readonly Setting[]): string[] {
  return settings.map(({ key }) => key);
}
