/**
 * What the control surface needs of the daemon: one port, implemented by the composition root.
 *
 * Rows are flat copies with the field names of the JSON output (snake_case); no object of the IP
 * layer crosses this line. A row may carry more fields than are declared here: they are passed
 * on. Refusals are `OperatorError` whose message is the whole sentence ("cannot delete group
 * ipmp0: it still has members net0, net1") and whose code is an errno name.
 */
import type { KstatIdentity, KstatRecord } from '../stats/kstat.ts';

export type GroupState = 'ok' | 'degraded' | 'failed';

export interface GroupRow {
  readonly group: string;
  readonly state: GroupState;
  readonly fdt_ms: number;
  readonly interfaces: readonly string[];
  readonly active: readonly string[];
  readonly inactive: readonly string[];
  readonly failed: readonly string[];
  readonly offline: readonly string[];
  readonly mtu: number;
}

export interface InterfaceRow {
  readonly ifname: string;
  readonly group: string | null;
  readonly state: 'ok' | 'failed' | 'offline' | 'unknown' | 'absent';
  readonly active: boolean;
  readonly standby: boolean;
  readonly link: 'up' | 'down' | 'unknown';
  readonly probe: 'ok' | 'failed' | 'unknown' | 'disabled';
  readonly lladdr: string | null;
  readonly mtu: number;
  readonly uplink: string | null;
  readonly flags: readonly string[];
  readonly cause: string;
}

export interface AddressRow {
  /** With its prefix length. */
  readonly address: string;
  readonly ifname: string;
  readonly group: string | null;
  readonly type: 'data' | 'test';
  readonly state: 'up' | 'down' | 'tentative' | 'duplicate';
  /** The interface that receives for it, or null while unbound. */
  readonly inbound: string | null;
  /** The interfaces that may send from it. */
  readonly outbound: readonly string[];
}

export interface NeighborRow {
  readonly dst: string;
  readonly lladdr: string | null;
  readonly state: string;
  readonly group: string | null;
}

export interface StatusRow {
  /** The worst state of any group; `ok` without groups. */
  readonly state: GroupState;
  readonly version: string;
  readonly uptime_s: number;
  readonly groups: readonly GroupRow[];
}

export interface EventRow {
  /** RFC 3339 with microseconds. */
  readonly time: string;
  readonly event: string;
  readonly group: string | null;
  readonly ifname: string | null;
  readonly from: string | null;
  readonly to: string | null;
  readonly cause: string | null;
}

/** Who asks: the peer of the control socket. */
export interface Credentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/** Whether the daemon can do its work now; `reason` says why not. */
export interface Readiness {
  readonly ready: boolean;
  readonly reason: string;
}

export interface ControlBackend {
  status(): Promise<StatusRow>;
  groups(): Promise<readonly GroupRow[]>;
  interfaces(): Promise<readonly InterfaceRow[]>;
  addresses(): Promise<readonly AddressRow[]>;
  neighbors(): Promise<readonly NeighborRow[]>;
  /** Reads the kstats for which `wanted` holds, and asks the drivers of no other. */
  kstats(wanted: (kstat: KstatIdentity) => boolean): Promise<readonly KstatRecord[]>;
  /** Refusals: ENOENT, EBUSY (ipmp-semantics 2.6). */
  deleteGroup(name: string, by: Credentials): Promise<void>;
  /** Refusals: ENOENT, ENXIO, EALREADY, ENOSPC (ipmp-semantics 2.4); a member already: done. */
  addMember(group: string, ifname: string, by: Credentials): Promise<void>;
  /** Refusals: ENOENT, ENXIO, EINVAL (ipmp-semantics 2.5); in no group: done. */
  removeMember(group: string, ifname: string, by: Credentials): Promise<void>;
  /**
   * Calls `listener` with each event until the returned function is called. The listener never
   * throws or waits.
   */
  subscribe(listener: (event: EventRow) => void): () => void;
  /** The text of `/metrics`. */
  metrics(): Promise<string>;
  readiness(): Readiness;
}
