/**
 * What a schema cannot express: whether the parts of a configuration agree with each other. Each
 * check is one function from the configuration to its findings; all of them run, so one attempt
 * shows every mistake.
 */

import { suggest } from '../base/text/suggest.ts';
import type { Steps } from '../base/turns.ts';
import { SOCKET_PATH_MAX } from '../model/limits.ts';
import {
  type AddressValue,
  addressParse,
  hostAddressRefusal,
  isOfOneLink,
  MULTICAST_RANGES,
  networkOf,
  networkParse,
  prefixRead,
} from '../model/prefix.ts';
import { ipIsMulticast, ipParse } from '../wire/addr.ts';
import type { ConfigDocument, ConfigError } from './document.ts';
import { pointerJoin } from './document.ts';
import type { Config, GroupConfig, InterfaceConfig } from './types.ts';
import { errorAt } from './validate.ts';

/** Adds one finding: the pointer of the part concerned, what is wrong, what is allowed. */
type Report = (pointer: string, what: string, allowed: string) => void;

/**
 * All findings about `config`, which was made of `document`, which has passed the schema. In steps:
 * a large host has thousands of addresses.
 */
export function* checkSteps(config: Config, document: ConfigDocument): Steps<ConfigError[]> {
  const errors: ConfigError[] = [];
  const report: Report = (pointer, what, allowed) => {
    errors.push(errorAt(document, pointer, what, allowed));
  };
  checkSocket(config, report);
  checkDevices(config, report);
  checkUplinks(config.interfaces, report);
  checkMembership(config, report);
  yield;
  yield* checkAddresses(config, report);
  for (const group of config.groups) {
    yield;
    checkRoutes(group, report);
    checkTargets(group, report);
    checkNeighbors(group, report);
    checkMulticast(group, report);
  }
  return errors;
}

function interfaceAt(nic: InterfaceConfig, ...keys: (string | number)[]): string {
  return keys.reduce<string>(pointerJoin, pointerJoin('/interfaces', nic.name));
}

function groupAt(group: GroupConfig, ...keys: (string | number)[]): string {
  return keys.reduce<string>(pointerJoin, pointerJoin('/groups', group.name));
}

function checkSocket({ control }: Config, report: Report): void {
  const length = Buffer.byteLength(control.socket);
  if (length <= SOCKET_PATH_MAX) return;
  report('/control/socket', `has ${length} bytes`, `at most ${SOCKET_PATH_MAX}`);
}

/** Each device has one role: an interface, a group, an uplink or a bridge. */
function checkDevices(config: Config, report: Report): void {
  const names = new Set(config.interfaces.map((nic) => nic.name));
  const groups = new Set(config.groups.map((group) => group.name));
  for (const group of config.groups) {
    if (names.has(group.name)) {
      report(groupAt(group), 'is the name of an interface too', 'a name of its own');
    }
    checkGroupName(config, group, names, report);
  }
  for (const nic of config.interfaces) {
    for (const [key, device] of [
      ['uplink', nic.uplink],
      ['bridge', nic.bridge],
    ] as const) {
      if (device === null) continue;
      const role = groups.has(device) ? 'a group' : names.has(device) ? 'an interface' : undefined;
      if (role === undefined) continue;
      const what = `${device} is ${role} of this configuration`;
      report(interfaceAt(nic, key), what, 'a device of the host');
    }
  }
}

/** A group's own name is not that of another group or of another's device. */
function checkGroupName(
  config: Config,
  group: GroupConfig,
  interfaces: ReadonlySet<string>,
  report: Report,
): void {
  const { name, groupName } = group;
  if (groupName === name) return;
  const isTaken = config.groups.some(
    (other) => other !== group && (other.name === groupName || other.groupName === groupName),
  );
  if (!isTaken && !interfaces.has(groupName)) return;
  const owner = isTaken ? 'another group' : 'an interface';
  report(groupAt(group, 'name'), `${groupName} is the name of ${owner}`, 'a name of its own');
}

function checkUplinks(interfaces: readonly InterfaceConfig[], report: Report): void {
  const users = new Map<string, string>();
  const bridges = new Set(interfaces.map((nic) => nic.bridge));
  for (const nic of interfaces) {
    if (nic.uplink === null) continue;
    if (nic.bridge !== null) {
      report(interfaceAt(nic, 'bridge'), 'is given beside uplink', 'either uplink or bridge');
    }
    const user = users.get(nic.uplink);
    if (user === undefined) users.set(nic.uplink, nic.name);
    else {
      const what = `${nic.uplink} is the uplink of ${user} already`;
      report(interfaceAt(nic, 'uplink'), what, 'one interface for each uplink');
    }
    if (bridges.has(nic.uplink)) {
      const what = `${nic.uplink} is the bridge of another interface`;
      report(interfaceAt(nic, 'uplink'), what, 'a NIC');
    }
  }
}

/** Unknown names for which a similar one is looked for: each is compared with all that exist. */
const SUGGESTIONS_MAX = 64;

function checkMembership(config: Config, report: Report): void {
  const names = config.interfaces.map((nic) => nic.name);
  const owners = new Map<string, string>();
  let unknown = 0;
  for (const group of config.groups) {
    group.interfaces.forEach((name, index) => {
      const pointer = groupAt(group, 'interfaces', index);
      if (!names.includes(name)) {
        unknown += 1;
        const meant = unknown > SUGGESTIONS_MAX ? undefined : suggest(name, names);
        const question = meant === undefined ? '' : `, did you mean ${meant}?`;
        const allowed = names.length === 0 ? 'a key of interfaces' : `one of ${listOf(names)}`;
        report(pointer, `there is no interface ${name}${question}`, allowed);
      }
      const owner = owners.get(name);
      if (owner === undefined) owners.set(name, group.name);
      else if (owner === group.name) report(pointer, `${name} is named twice`, 'each name once');
      else {
        const what = `${name} is in group ${owner} already`;
        report(pointer, what, 'one group for each interface');
      }
    });
  }
}

/** At most eight names, so that a message stays a line. */
function listOf(names: readonly string[]): string {
  return names.length <= 8 ? names.join(', ') : `${names.slice(0, 8).join(', ')}, ...`;
}

/**
 * Data and test addresses: usable by a host, and each in one place only; a link-local one of IPv6
 * in one place of its link, which is that of its group.
 */
function* checkAddresses(config: Config, report: Report): Steps<void> {
  const users = new Map<string, string>();
  const groups = new Map(
    config.groups.flatMap(({ name, interfaces }) =>
      interfaces.map((nic) => [nic, `group ${name}`] as const),
    ),
  );
  const check = (text: string, pointer: string, user: string, link = user): void => {
    const prefix = prefixRead(text);
    if (prefix === undefined) return;
    const refusal = hostAddressRefusal(prefix);
    if (refusal !== undefined) {
      report(pointer, `${prefix.address} ${refusal}`, 'the address of a host');
    }
    const isLocal = isOfOneLink(ipParse(prefix.address));
    const key = isLocal ? `${prefix.address} of ${link}` : prefix.address;
    const other = users.get(key);
    if (other === undefined) users.set(key, user);
    else
      report(pointer, `${prefix.address} is an address of ${other} already`, 'each address once');
  };
  for (const group of config.groups) {
    yield;
    group.addresses.forEach((text, index) => {
      check(text, groupAt(group, 'addresses', index), `group ${group.name}`);
    });
  }
  for (const nic of config.interfaces) {
    nic.testAddresses.forEach((text, index) => {
      const pointer = interfaceAt(nic, 'test-addresses', index);
      check(text, pointer, `interface ${nic.name}`, groups.get(nic.name));
    });
  }
}

function checkRoutes(group: GroupConfig, report: Report): void {
  const seen = new Set<string>();
  group.routes.forEach((route, index) => {
    const pointer = groupAt(group, 'routes', index);
    const via = route.via === null ? undefined : addressParse(route.via);
    const family = networkParse(route.to)?.family ?? 0;
    if (via?.family === 4 && family === 6) {
      const what = `${route.via} is no gateway for ${route.to}: the kernel refuses IPv6 via IPv4`;
      report(`${pointer}/via`, what, 'an IPv6 address');
    }
    if (via !== undefined) {
      const refusal = refusalOf(via);
      if (refusal !== undefined) {
        report(`${pointer}/via`, `${via.address} ${refusal}`, 'the address of a router');
      }
    }
    if (via !== undefined && !route.onlink && !isOnLink(via, group)) {
      report(
        `${pointer}/via`,
        `${via.address} is on no network of the group`,
        'a router on the network of an address; or a route to it without via; or onlink: true',
      );
    }
    const key = `${route.to} ${via?.family ?? family} ${route.via}`;
    if (seen.has(key)) report(pointer, 'is a route that is given already', 'each route once');
    seen.add(key);
  });
}

/**
 * An address, or a route without via, puts a router on the link; a link-local one always is there
 * (RFC 4291 2.5.6). Where no address of its family is configured, others put them on the device,
 * and then it is theirs to choose.
 */
function isOnLink(router: AddressValue, group: GroupConfig): boolean {
  const addresses = group.addresses.flatMap((text) => prefixRead(text) ?? []);
  const own = addresses.filter(({ family }) => family === router.family);
  if (own.length === 0 || isOfOneLink(ipParse(router.address))) return true;
  const links = group.routes.flatMap(({ to, via }) => (via === null ? (prefixRead(to) ?? []) : []));
  return [...own, ...links].some(({ family, prefixLength, address }) => {
    const network = { family, prefixLength };
    return (
      family === router.family &&
      networkOf({ ...network, address }) === networkOf({ ...network, address: router.address })
    );
  });
}

function checkTargets(group: GroupConfig, report: Report): void {
  group.probeTargets.forEach((text, index) => {
    const target = addressParse(text);
    if (target === undefined) return;
    const refusal = refusalOf(target);
    if (refusal !== undefined) {
      const pointer = groupAt(group, 'probe-targets', index);
      report(pointer, `${target.address} ${refusal}`, 'the address of a host');
    }
  });
}

function checkNeighbors(group: GroupConfig, report: Report): void {
  const seen = new Set<string>();
  group.staticNeighbors.forEach(({ dst }, index) => {
    const pointer = groupAt(group, 'static-neighbors', index);
    const address = addressParse(dst);
    if (address === undefined) return;
    const refusal = refusalOf(address);
    if (refusal !== undefined) {
      report(`${pointer}/dst`, `${dst} ${refusal}`, 'the address of a host');
    }
    if (seen.has(dst)) report(pointer, `${dst} is given already`, 'each neighbour once');
    seen.add(dst);
  });
}

function checkMulticast(group: GroupConfig, report: Report): void {
  const seen = new Set<string>();
  group.multicast.forEach((text, index) => {
    const pointer = groupAt(group, 'multicast', index);
    const address = ipParse(text);
    if (address !== undefined && !ipIsMulticast(address)) {
      report(pointer, `${text} is no multicast address`, MULTICAST_RANGES);
    }
    if (seen.has(text)) report(pointer, `${text} is given already`, 'each address once');
    seen.add(text);
  });
}

/** Why an address cannot be a host's, whatever its network is. */
function refusalOf(address: AddressValue): string | undefined {
  return hostAddressRefusal({ ...address, prefixLength: address.family === 4 ? 32 : 128 });
}
