/** From a document that has passed the schema to the explicit `Config`: every default filled in. */

import { durationParse } from '../base/text/duration.ts';
import { CONTROL_SOCKET } from '../model/paths.ts';
import {
  addressParse,
  canonicalAddress,
  canonicalPrefix,
  listenParse,
  networkParse,
} from '../model/prefix.ts';
import { type ConfigValue, isMapping } from './document.ts';
import type {
  Config,
  GroupConfig,
  InterfaceConfig,
  LogLevel,
  NeighborConfig,
  RouteConfig,
} from './types.ts';

/** A mapping of the document, read key by key with the key's default (those of the schema). */
class Section {
  readonly #value: { readonly [key: string]: ConfigValue };

  constructor(value: ConfigValue | undefined) {
    this.#value = isMapping(value) ? value : {};
  }

  /** The schema has made sure that a value that is there has the type of its default. */
  get<T extends ConfigValue>(key: string, otherwise: T): T {
    return (this.#value[key] as T | undefined) ?? otherwise;
  }

  section(key: string): Section {
    return new Section(this.#value[key]);
  }

  entries(): [string, Section][] {
    return Object.entries(this.#value).map(([key, value]) => [key, new Section(value)]);
  }
}

/** The configuration of `value`, which must have passed the schema. */
export function configResolve(value: ConfigValue): Config {
  const root = new Section(value);
  const control = root.section('control');
  const metrics = root.section('metrics');
  return {
    control: {
      socket: control.get('socket', CONTROL_SOCKET),
      group: control.get('group', 'ipmp'),
    },
    metrics: {
      listen: listenParse(metrics.get('listen', '127.0.0.1:9437')) ?? null,
      hosts: metrics.get<string[]>('hosts', []),
    },
    log: { level: root.section('log').get<LogLevel>('level', 'info') },
    datapath: { workers: root.section('datapath').get<number | 'auto'>('workers', 'auto') },
    interfaces: root.section('interfaces').entries().map(resolveInterface),
    groups: root.section('groups').entries().map(resolveGroup),
    tracking: root.get<'groups' | 'all'>('tracking', 'groups'),
  };
}

function resolveInterface([name, section]: [string, Section]): InterfaceConfig {
  const uplink = section.get<string | null>('uplink', null);
  const bridge = section.get<string | null>('bridge', null);
  return {
    name,
    kind: uplink !== null ? 'macvtap' : bridge !== null ? 'bridged-tap' : 'tap',
    uplink,
    bridge,
    standby: section.get<boolean>('standby', false),
    testAddresses: section.get<string[]>('test-addresses', []).map(canonicalPrefix),
  };
}

function resolveGroup([name, section]: [string, Section]): GroupConfig {
  return {
    name,
    groupName: section.get<string>('name', name),
    interfaces: section.get<string[]>('interfaces', []),
    addresses: section.get<string[]>('addresses', []).map(canonicalPrefix),
    routes: section.get<Route[]>('routes', []).map(resolveRoute),
    staticNeighbors: section.get<Neighbor[]>('static-neighbors', []).map(resolveNeighbor),
    multicast: section.get<string[]>('multicast', []).map(canonicalAddress),
    failureDetectionTimeMs: durationMs(section.get('failure-detection-time', '1s')),
    failback: section.get<boolean>('failback', true),
    flapDamping: resolveDamping(
      section.get<'off' | Damping>('flap-damping', { ups: 2, within: '60s' }),
    ),
    neighbors: section.get<number>('neighbors', 1024),
    probeTargets: section.get<string[]>('probe-targets', []).map(canonicalAddress),
    transitiveProbing: section.get<boolean>('transitive-probing', true),
    spreading: section.get<GroupConfig['spreading']>('spreading', 'flow'),
    forwarding: section.get<boolean>('forwarding', true),
    mtu: section.get<number | 'auto'>('mtu', 'auto'),
  };
}

type Neighbor = { dst: string; lladdr: string; proxy?: boolean };

function resolveNeighbor({ dst, lladdr, proxy }: Neighbor): NeighborConfig {
  return { dst: canonicalAddress(dst), lladdr: lladdr.toLowerCase(), proxy: proxy ?? false };
}

type Damping = { ups: number; within: string };

function resolveDamping(value: 'off' | Damping): GroupConfig['flapDamping'] {
  return value === 'off' ? null : { ups: value.ups, withinMs: durationMs(value.within) };
}

type Route = { to: string; via?: string; onlink?: boolean };

function resolveRoute(route: Route): RouteConfig {
  const network = networkParse(route.to);
  const via = route.via === undefined ? undefined : addressParse(route.via);
  const ofDefault = via?.family ?? 4;
  const family = network?.family || ofDefault;
  const isDefault = network?.to === (ofDefault === 4 ? '0.0.0.0/0' : '::/0');
  const to = isDefault ? 'default' : (network?.to ?? route.to);
  return { family, to, via: via?.address ?? null, onlink: route.onlink ?? false };
}

function durationMs(text: string): number {
  return durationParse(text) ?? 0;
}
