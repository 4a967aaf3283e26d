/**
 * What holds for every configuration that is accepted, written a second time: by the words of the
 * reference, with Node's own readers of addresses, and with nothing of src/config but its types.
 */

import { isIP } from 'node:net';
import type { Config, GroupConfig, InterfaceConfig } from '../../src/config/types.ts';

/** Everything about `config` that must not be; empty for a good one. */
export function violations(config: Config): string[] {
  const found: string[] = [];
  const must = (holds: boolean, what: string): void => {
    if (!holds) found.push(what);
  };
  general(config, must);
  for (const nic of config.interfaces) interfaceHolds(nic, must);
  for (const group of config.groups) groupHolds(group, must);
  together(config, must);
  return found;
}

type Must = (holds: boolean, what: string) => void;

const NAME = /^[A-Za-z][A-Za-z0-9._-]{0,14}$/;
const RESERVED: readonly string[] = ['all', 'default', 'lo', 'removed'];

function isDeviceName(name: string): boolean {
  return NAME.test(name) && !RESERVED.includes(name);
}

function isWhole(value: unknown, least: number, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

function isUnique(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}

/** Nothing is left open: each key is there, and has a value. */
function isComplete(value: object, keys: readonly string[]): boolean {
  const present = Object.entries(value).filter(([, each]) => each !== undefined);
  return keys.every((key) => present.some(([name]) => name === key));
}

function general(config: Config, must: Must): void {
  const sections = ['control', 'metrics', 'log', 'datapath', 'interfaces', 'groups', 'tracking'];
  must(isComplete(config, sections), 'the sections are complete');
  const { control, metrics, log, datapath, interfaces, groups, tracking } = config;
  const { socket, group } = control;
  must(isComplete(control, ['socket', 'group']), 'control is complete');
  must(
    socket.startsWith('/') && socket.length > 1 && socket.length <= 90,
    'the path of the socket',
  );
  must(!/\p{Cc}/u.test(socket), 'the path of the socket is printable');
  must(/^[A-Za-z_][A-Za-z0-9_.-]{0,30}$/.test(group), 'the name of the system group');
  must(isComplete(metrics, ['listen', 'hosts']), 'metrics is complete');
  if (metrics.listen !== null) {
    must(isIP(metrics.listen.host) !== 0, 'an address to listen on');
    must(isWhole(metrics.listen.port, 1, 65535), 'a port to listen on');
  }
  must(metrics.hosts.length <= 16 && isUnique(metrics.hosts), 'at most 16 different hosts');
  must(
    metrics.hosts.every((host) => /^[A-Za-z0-9.-]{1,253}$/.test(host)),
    'host names',
  );
  must(['trace', 'debug', 'info', 'warn', 'error', 'fatal'].includes(log.level), 'log.level');
  must(datapath.workers === 'auto' || isWhole(datapath.workers, 1, 16), 'datapath.workers');
  must(interfaces.length <= 512 && groups.length <= 64, 'the number of interfaces and groups');
  must(tracking === 'groups' || tracking === 'all', 'tracking');
}

function interfaceHolds(nic: InterfaceConfig, must: Must): void {
  const { name, kind, uplink, bridge, standby, testAddresses } = nic;
  const keys = ['name', 'kind', 'uplink', 'bridge', 'standby', 'testAddresses'];
  must(isComplete(nic, keys), `${name} is complete`);
  must(isDeviceName(name), `${name} is a device name`);
  const kinds = { macvtap: [true, false], 'bridged-tap': [false, true], tap: [false, false] };
  const [hasUplink, hasBridge] = kinds[kind];
  must((uplink !== null) === hasUplink && (bridge !== null) === hasBridge, `${name} is a ${kind}`);
  for (const below of [uplink, bridge]) {
    must(below === null || isDeviceName(below), `${name} is on a device`);
  }
  must(typeof standby === 'boolean', `${name}.standby`);
  must(testAddresses.length <= 16, `${name} has at most 16 test addresses`);
  for (const text of testAddresses)
    must(isHostPrefix(text), `${name}: ${text} is a host's address`);
}

function groupHolds(group: GroupConfig, must: Must): void {
  const { name, flapDamping } = group;
  const keys = ['name', 'interfaces', 'addresses', 'routes', 'failureDetectionTimeMs', 'failback'];
  const more = ['flapDamping', 'neighbors', 'probeTargets', 'transitiveProbing', 'spreading'];
  const rest = ['groupName', 'staticNeighbors', 'multicast', 'forwarding', 'mtu'];
  must(isComplete(group, [...keys, ...more, ...rest]), `${name} is complete`);
  must(isDeviceName(name) && isDeviceName(group.groupName), `${name} is a device name`);
  must(group.interfaces.length <= 64 && isUnique(group.interfaces), `the members of ${name}`);
  must(group.addresses.length <= 1024, `the number of addresses of ${name}`);
  for (const text of group.addresses) must(isHostPrefix(text), `${name}: ${text} is a host's`);
  must(isWhole(group.failureDetectionTimeMs, 50, 3_600_000), `${name} failure-detection-time`);
  must(isWhole(group.neighbors, 64, 65536), `${name} neighbors`);
  must(group.mtu === 'auto' || isWhole(group.mtu, 1280, 65535), `${name} mtu`);
  must(['flow', 'destination', 'address'].includes(group.spreading), `${name} spreading`);
  for (const key of ['failback', 'transitiveProbing', 'forwarding'] as const) {
    must(typeof group[key] === 'boolean', `${name} ${key}`);
  }
  if (flapDamping !== null) {
    must(isComplete(flapDamping, ['ups', 'withinMs']), `${name} flap-damping is complete`);
    must(isWhole(flapDamping.ups, 1, 1000), `${name} ups`);
    must(isWhole(flapDamping.withinMs, 1000, 3_600_000), `${name} within`);
  }
  must(group.probeTargets.length <= 64, `the number of targets of ${name}`);
  must(isUnique(group.probeTargets), `the targets of ${name} are different ones`);
  for (const target of group.probeTargets) {
    must(isCanonical(target) && isHost(target), `${name}: ${target} can be probed`);
  }
  routesHold(group, must);
  neighborsHold(group, must);
}

function neighborsHold({ name, staticNeighbors, multicast }: GroupConfig, must: Must): void {
  must(staticNeighbors.length <= 1024, `the number of neighbours of ${name}`);
  must(isUnique(staticNeighbors.map(({ dst }) => dst)), `the neighbours of ${name} differ`);
  for (const { dst, lladdr, proxy } of staticNeighbors) {
    must(isIP(dst) === 4 && isCanonical(dst) && isHost(dst), `${name}: ${dst} is a neighbour's`);
    must(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(lladdr), `${name}: ${lladdr} is a MAC`);
    must(typeof proxy === 'boolean', `${name} proxy`);
  }
  must(multicast.length <= 64 && isUnique(multicast), `the memberships of ${name} differ`);
  for (const address of multicast) {
    const isMulticast = isIP(address) === 4 && bitsOf(address).startsWith('1110');
    must(isMulticast && isCanonical(address), `${name}: ${address} is multicast`);
  }
}

function routesHold({ name, routes }: GroupConfig, must: Must): void {
  must(routes.length <= 256, `the number of routes of ${name}`);
  must(isUnique(routes.map((route) => JSON.stringify(route))), `the routes of ${name} differ`);
  for (const route of routes) {
    const { family, to, via } = route;
    must(isComplete(route, ['family', 'to', 'via']), `a route of ${name} is complete`);
    if (via !== null) {
      must(
        isIP(via) === family && isCanonical(via) && isHost(via),
        `${name}: ${via} is a router's`,
      );
    }
    if (to === 'default') continue;
    const prefix = prefixOf(to);
    must(prefix !== undefined && prefix.family === family, `${name}: ${to} is a network`);
    if (prefix === undefined) continue;
    const rest = prefix.bits.slice(prefix.length);
    must(!rest.includes('1') && isCanonical(prefix.address), `${name}: ${to} has no host bits`);
  }
}

function together({ interfaces, groups }: Config, must: Must): void {
  const names = interfaces.map((nic) => nic.name);
  const groupNames = groups.map((group) => group.name);
  must(isUnique([...names, ...groupNames]), 'a name is that of one interface or group');
  const others = groups.flatMap(({ name, groupName }) => (groupName === name ? [] : groupName));
  must(isUnique([...names, ...groupNames, ...others]), 'a group has a name of its own');
  const uplinks = interfaces.flatMap((nic) => nic.uplink ?? []);
  const bridges = interfaces.flatMap((nic) => nic.bridge ?? []);
  must(isUnique(uplinks), 'an uplink has one interface');
  must(!uplinks.some((uplink) => bridges.includes(uplink)), 'no uplink is a bridge');
  const ours = new Set([...names, ...groupNames]);
  must(![...uplinks, ...bridges].some((device) => ours.has(device)), 'what is below is not ours');
  const members = groups.flatMap((group) => group.interfaces);
  must(isUnique(members), 'an interface is in one group');
  must(
    members.every((member) => names.includes(member)),
    'members are interfaces',
  );
  const addresses = [
    ...groups.flatMap((group) => group.addresses),
    ...interfaces.flatMap((nic) => nic.testAddresses),
  ].map((text) => text.split('/')[0] ?? '');
  must(isUnique(addresses), 'an address is in one place');
}

interface Prefix {
  readonly family: number;
  readonly address: string;
  readonly length: number;
  /** All bits of the address, as text of 0 and 1. */
  readonly bits: string;
}

function prefixOf(text: string): Prefix | undefined {
  const [address = '', length = '', ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0 || !/^\d{1,3}$/.test(length)) return undefined;
  const bits = bitsOf(address);
  return Number(length) > bits.length
    ? undefined
    : { family, address, length: Number(length), bits };
}

function bitsOf(address: string): string {
  if (isIP(address) === 4) {
    return address
      .split('.')
      .map((part) => Number(part).toString(2).padStart(8, '0'))
      .join('');
  }
  // The URL standard writes an IPv6 address out without a dotted part.
  const plain = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = '', tail] = plain.split('::');
  const words = (part: string | undefined): string[] => (part ? part.split(':') : []);
  const zeros = new Array<string>(8 - words(head).length - words(tail).length).fill('0');
  return [...words(head), ...(tail === undefined ? [] : zeros), ...words(tail)]
    .map((word) => Number.parseInt(word, 16).toString(2).padStart(16, '0'))
    .join('');
}

/** RFC 5952, in which the URL standard writes too, but for addresses with a dotted part. */
function isCanonical(address: string): boolean {
  if (isIP(address) === 4) return address.split('.').every((part) => String(Number(part)) === part);
  if (isIP(address) !== 6) return false;
  return address.includes('.') || new URL(`http://[${address}]/`).hostname === `[${address}]`;
}

/** A single station may have it, whatever network it is in. */
function isHost(address: string): boolean {
  const bits = bitsOf(address);
  if (!bits.includes('1')) return false;
  if (bits.length === 128) return !bits.startsWith('11111111') && !/^0{127}1$/.test(bits);
  const first = Number.parseInt(bits.slice(0, 8), 2);
  return first !== 0 && first !== 127 && first < 224;
}

function isHostPrefix(text: string): boolean {
  const prefix = prefixOf(text);
  if (prefix === undefined || prefix.length < 1) return false;
  if (!isCanonical(prefix.address) || !isHost(prefix.address)) return false;
  const rest = prefix.bits.slice(prefix.length);
  if (prefix.family === 6 || prefix.length >= 31) return true;
  return rest.includes('0') && rest.includes('1');
}
