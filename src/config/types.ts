/** The configuration as a value: nothing left open, every default filled in. */

import type { ListenValue } from '../model/prefix.ts';
import type { Spreading } from '../model/states.ts';
import type { ConfigValue } from './document.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

export interface InterfaceConfig {
  /** The name of the kernel device. */
  readonly name: string;
  readonly kind: 'macvtap' | 'bridged-tap' | 'tap';
  readonly uplink: string | null;
  readonly bridge: string | null;
  readonly standby: boolean;
  /** Canonical, with prefix length. */
  readonly testAddresses: readonly string[];
}

export interface RouteConfig {
  readonly family: 4 | 6;
  /** `default`, of the family of `via`, or a network in canonical text. */
  readonly to: string;
  /** Canonical; null: on the link. That of an IPv4 route may be an address of IPv6. */
  readonly via: string | null;
  /** `via` is on the link, although no address or route shows it. */
  readonly onlink: boolean;
}

export interface FlapDampingConfig {
  readonly ups: number;
  readonly withinMs: number;
}

/** A neighbour that stays as it is written. */
export interface NeighborConfig {
  /** Canonical. */
  readonly dst: string;
  readonly lladdr: string;
  /** It is answered for on the wire. */
  readonly proxy: boolean;
}

export interface GroupConfig {
  /** The name of the group's kernel device: the key in the file. */
  readonly name: string;
  /** The name of the group; that of its device unless the file has another. */
  readonly groupName: string;
  readonly interfaces: readonly string[];
  /** Canonical, with prefix length. */
  readonly addresses: readonly string[];
  readonly routes: readonly RouteConfig[];
  readonly staticNeighbors: readonly NeighborConfig[];
  /** Canonical. */
  readonly multicast: readonly string[];
  readonly failureDetectionTimeMs: number;
  readonly failback: boolean;
  /** null: none. */
  readonly flapDamping: FlapDampingConfig | null;
  readonly neighbors: number;
  /** Canonical; empty: chosen automatically. */
  readonly probeTargets: readonly string[];
  readonly transitiveProbing: boolean;
  readonly spreading: Spreading;
  readonly forwarding: boolean;
  readonly mtu: number | 'auto';
}

/** Everything that can be configured, nothing left open. */
export interface Config {
  readonly control: { readonly socket: string; readonly group: string };
  /** `listen` null: no TCP listener. */
  readonly metrics: { readonly listen: ListenValue | null; readonly hosts: readonly string[] };
  readonly log: { readonly level: LogLevel };
  readonly datapath: { readonly workers: number | 'auto' };
  readonly interfaces: readonly InterfaceConfig[];
  readonly groups: readonly GroupConfig[];
  readonly tracking: 'groups' | 'all';
}

/** A schema of config/ipmpd.schema.json, as far as its parts are read. */
export interface SchemaNode {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly default?: ConfigValue;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: boolean | SchemaNode;
  readonly definitions?: Readonly<Record<string, SchemaNode>>;
}
