/**
 * The changes that a running daemon knows how to make, as data: what each of them makes of a
 * configuration, and its sentence. They are carried out by applier.ts.
 */

import { OperatorError } from '../base/errors.ts';
import type {
  Config,
  GroupConfig,
  InterfaceConfig,
  NeighborConfig,
  RouteConfig,
} from '../config/types.ts';

/** A change that is in force, though its object is not there yet: it stays wanted. */
export class StillWanted extends OperatorError {}

/** Keys of a group that are settings of the living object. */
export const SETTINGS = [
  'failureDetectionTimeMs',
  'failback',
  'flapDamping',
  'neighbors',
  'probeTargets',
  'transitiveProbing',
  'spreading',
  'forwarding',
  'mtu',
] as const satisfies readonly (keyof GroupConfig)[];

/** Settings of a group that change. */
export type GroupSettingsChange = Partial<Pick<GroupConfig, (typeof SETTINGS)[number]>>;

/** One thing to do. `group` and `name` of a group are the name of its device. */
export type Change =
  | GroupChange
  | { readonly kind: 'add-interface'; readonly config: InterfaceConfig }
  | { readonly kind: 'open-interface'; readonly name: string }
  | { readonly kind: 'set-interface'; readonly config: InterfaceConfig }
  | { readonly kind: 'remove-interface'; readonly name: string }
  | { readonly kind: 'add-group'; readonly config: GroupConfig }
  | { readonly kind: 'remove-group'; readonly name: string }
  | { readonly kind: 'set-log-level'; readonly log: Config['log'] }
  | { readonly kind: 'set-metrics'; readonly metrics: Config['metrics'] }
  | { readonly kind: 'set-operators'; readonly group: string }
  | { readonly kind: 'restart'; readonly key: 'control.socket' | 'datapath.workers' | 'tracking' };

/** Changes of one group that stays. */
export type GroupChange =
  | {
      readonly kind: 'open-group';
      readonly name: string;
      readonly addresses: GroupConfig['addresses'];
      readonly routes: GroupConfig['routes'];
    }
  | { readonly kind: 'rename-group'; readonly name: string; readonly to: string }
  | {
      readonly kind: 'set-group';
      readonly name: string;
      readonly settings: GroupSettingsChange;
    }
  | { readonly kind: 'join'; readonly group: string; readonly ifname: string }
  | { readonly kind: 'leave'; readonly group: string; readonly ifname: string }
  | { readonly kind: 'add-address'; readonly group: string; readonly address: string }
  | { readonly kind: 'remove-address'; readonly group: string; readonly address: string }
  | { readonly kind: 'add-route'; readonly group: string; readonly route: RouteConfig }
  | { readonly kind: 'remove-route'; readonly group: string; readonly route: RouteConfig }
  | { readonly kind: 'add-neighbor'; readonly group: string; readonly neighbor: NeighborConfig }
  | { readonly kind: 'remove-neighbor'; readonly group: string; readonly dst: string }
  | { readonly kind: 'join-multicast'; readonly group: string; readonly address: string }
  | { readonly kind: 'leave-multicast'; readonly group: string; readonly address: string };

/** What `from` is after one change. A `restart` changes nothing that is in force. */
export function changeApply(from: Config, change: Change): Config {
  switch (change.kind) {
    case 'add-interface':
      return { ...from, interfaces: [...from.interfaces, bareInterface(change.config)] };
    case 'set-interface':
      return { ...from, interfaces: from.interfaces.map((one) => ifSame(one, change.config)) };
    case 'remove-interface':
      return { ...from, interfaces: from.interfaces.filter(({ name }) => name !== change.name) };
    case 'add-group':
      return { ...from, groups: [...from.groups, bareGroup(change.config)] };
    case 'remove-group':
      return { ...from, groups: from.groups.filter(({ name }) => name !== change.name) };
    case 'set-log-level':
      return { ...from, log: change.log };
    case 'set-metrics':
      return { ...from, metrics: change.metrics };
    case 'set-operators':
      return { ...from, control: { ...from.control, group: change.group } };
    case 'open-interface':
    case 'restart':
      return from;
    default: {
      const device = 'group' in change ? change.group : change.name;
      const groups = from.groups.map((one) =>
        one.name === device ? { ...one, ...groupAfter(one, change) } : one,
      );
      return { ...from, groups };
    }
  }
}

function groupAfter(one: GroupConfig, change: GroupChange): Partial<GroupConfig> {
  const { interfaces, addresses, routes, staticNeighbors, multicast } = one;
  switch (change.kind) {
    case 'open-group':
      return { addresses: change.addresses, routes: change.routes };
    case 'rename-group':
      return { groupName: change.to };
    case 'set-group':
      return change.settings;
    case 'join':
      return { interfaces: [...interfaces, change.ifname] };
    case 'leave':
      return { interfaces: interfaces.filter((name) => name !== change.ifname) };
    case 'add-address':
      return { addresses: [...addresses, change.address] };
    case 'remove-address':
      return { addresses: addresses.filter((address) => address !== change.address) };
    case 'add-route':
      return { routes: [...routes, change.route] };
    case 'remove-route':
      return { routes: routes.filter((route) => !isEqual(route, change.route)) };
    case 'add-neighbor':
      return { staticNeighbors: [...staticNeighbors, change.neighbor] };
    case 'remove-neighbor':
      return { staticNeighbors: staticNeighbors.filter(({ dst }) => dst !== change.dst) };
    case 'join-multicast':
      return { multicast: [...multicast, change.address] };
    case 'leave-multicast':
      return { multicast: multicast.filter((address) => address !== change.address) };
  }
}

/** The interfaces and groups (by their devices) without which a change cannot be made. */
export function changeNames(change: Change): string[] {
  switch (change.kind) {
    case 'add-interface':
    case 'set-interface':
    case 'add-group':
      return [change.config.name];
    case 'join':
    case 'leave':
      return [change.group, change.ifname];
    case 'set-log-level':
    case 'set-metrics':
    case 'set-operators':
    case 'restart':
      return [];
    default:
      return ['group' in change ? change.group : change.name];
  }
}

/** What was or is to be done, in words for operators. */
export function changeSentence(change: Change): string {
  switch (change.kind) {
    case 'add-interface':
      return `add interface ${change.config.name}`;
    case 'open-interface':
    case 'open-group':
      return `open ${change.name}`;
    case 'set-interface':
      return `change interface ${change.config.name}`;
    case 'remove-interface':
      return `remove interface ${change.name}`;
    case 'add-group':
      return `add group ${change.config.name}`;
    case 'remove-group':
      return `remove group ${change.name}`;
    case 'rename-group':
      return `rename group ${change.name} to ${change.to}`;
    case 'set-group':
      return `change ${change.name}: ${Object.keys(change.settings).map(keyOf).join(', ')}`;
    case 'join':
      return `add ${change.ifname} to ${change.group}`;
    case 'leave':
      return `take ${change.ifname} out of ${change.group}`;
    case 'add-address':
      return `add address ${change.address} to ${change.group}`;
    case 'remove-address':
      return `remove address ${change.address} from ${change.group}`;
    case 'add-route':
      return `add route ${routeText(change.route)} to ${change.group}`;
    case 'remove-route':
      return `remove route ${routeText(change.route)} from ${change.group}`;
    case 'add-neighbor':
      return `add neighbor ${change.neighbor.dst} to ${change.group}`;
    case 'remove-neighbor':
      return `remove neighbor ${change.dst} from ${change.group}`;
    case 'join-multicast':
      return `join ${change.address} on ${change.group}`;
    case 'leave-multicast':
      return `leave ${change.address} on ${change.group}`;
    case 'set-log-level':
      return `log from level ${change.log.level} on`;
    case 'set-metrics':
      return 'listen for scrapers elsewhere';
    case 'set-operators':
      return `let members of ${change.group} operate`;
    case 'restart':
      return `${change.key} takes effect at the next start`;
  }
}

/** `failureDetectionTimeMs` -> `failure-detection-time`, as the file has it. */
function keyOf(field: string): string {
  return field.replace(/Ms$/, '').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function routeText({ to, via }: RouteConfig): string {
  return via === null ? to : `${to} via ${via}`;
}

/** A new interface as `add-interface` leaves it: test addresses come when others gave them up. */
export function bareInterface(config: InterfaceConfig): InterfaceConfig {
  return { ...config, testAddresses: [] };
}

/** A new group as `add-group` leaves it; its device brings addresses and routes. */
export function bareGroup(config: GroupConfig): GroupConfig {
  return {
    ...config,
    groupName: config.name,
    interfaces: [],
    addresses: [],
    routes: [],
    staticNeighbors: [],
    multicast: [],
  };
}

function ifSame(one: InterfaceConfig, config: InterfaceConfig): InterfaceConfig {
  return one.name === config.name ? config : one;
}

/** Plain values made by one function, so their text is the same if they are. */
export function isEqual(one: unknown, other: unknown): boolean {
  return textOf(one) === textOf(other);
}

/** The key of such a value, where there are many. */
export function textOf(one: unknown): string {
  return JSON.stringify(one);
}
