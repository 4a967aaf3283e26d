/**
 * What the control surface needs of the daemon: one port, implemented by daemon/control.ts.
 *
 * Rows (model/rows.ts) are flat copies; no object of the IP layer crosses this line. Refusals are
 * `OperatorError` whose message is the whole sentence ("cannot delete group ipmp0: it still has
 * members net0, net1") and whose code is an errno name.
 */
import type { JsonValue } from '../base/text/json.ts';
import type {
  AddressRow,
  ConfigCheckRow,
  ConfigRow,
  EventRow,
  GroupRow,
  InterfaceRow,
  MulticastRow,
  NeighborRow,
  ReloadRow,
  SnapshotRow,
  StatusRow,
  TargetRow,
} from '../model/rows.ts';
import type { KstatIdentity, KstatRecord } from '../stats/kstat.ts';
import type { MetricsSnapshot } from '../stats/prometheus.ts';

/** The peer of the control socket. */
export interface Credentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/** The peer that asks for a change, and whether it is to outlive the daemon (`--save`). */
export interface ChangeRequest {
  readonly by: Credentials;
  readonly save: boolean;
}

export interface NewInterface {
  readonly name: string;
  /** At most one of the two; neither: a TAP that another program wires. */
  readonly uplink: string | null;
  readonly bridge: string | null;
  readonly standby: boolean;
}

export interface NewNeighbor {
  readonly dst: string;
  readonly lladdr: string;
  /** We answer for it on the wire. */
  readonly proxy: boolean;
}

/** Keys of a group's configuration; a text is read as in the file (`off`, `2s`, `[10.0.0.1]`). */
export type Settings = Readonly<Record<string, JsonValue>>;

/** Whether the daemon can do its work now; `reason`: why not. */
export interface Readiness {
  readonly ready: boolean;
  readonly reason: string;
}

/** What may be read. */
export interface ControlReads {
  status(): Promise<StatusRow>;
  /** Groups, interfaces, addresses, memberships and targets of one moment. */
  snapshot(): Promise<SnapshotRow>;
  groups(): Promise<readonly GroupRow[]>;
  interfaces(): Promise<readonly InterfaceRow[]>;
  addresses(): Promise<readonly AddressRow[]>;
  neighbors(): Promise<readonly NeighborRow[]>;
  /** Reads the kstats for which `wanted` holds, and asks the drivers of no other. */
  kstats(wanted: (kstat: KstatIdentity) => boolean): Promise<readonly KstatRecord[]>;
  multicast(): Promise<readonly MulticastRow[]>;
  targets(): Promise<readonly TargetRow[]>;
  config(): Promise<readonly ConfigRow[]>;
  /** Checks the text of a configuration file; `file` is its name in the errors. */
  checkConfig(file: string, text: string): Promise<ConfigCheckRow>;
  /**
   * Calls `listener` with each event until the returned function is called. The listener never
   * throws or waits.
   */
  subscribe(listener: (event: EventRow) => void): () => void;
  /** What one scrape of `/metrics` shows. */
  metrics(): Promise<MetricsSnapshot>;
  readiness(): Readiness;
}

/**
 * What may be changed. Each is whole or nothing; errnos as in docs/law.md rows 11 to 34, 103. A
 * group in the place of an interface is EINVAL.
 */
export interface ControlChanges {
  /** EEXIST, EINVAL, ENAMETOOLONG, ENXIO, EALREADY (an interface is in another group). */
  createGroup(name: string, interfaces: readonly string[], request: ChangeRequest): Promise<void>;
  /** ENOENT, EBUSY. */
  deleteGroup(name: string, request: ChangeRequest): Promise<void>;
  /** ENOENT, EINVAL, EEXIST; its own name: done. The device and the kstat keep their names. */
  renameGroup(name: string, to: string, request: ChangeRequest): Promise<void>;
  /** ENOENT, EINVAL; what the host refuses with. */
  setGroup(name: string, settings: Settings, request: ChangeRequest): Promise<void>;
  /** ENOENT, ENXIO, EALREADY, ENOSPC; a member already: done. */
  addMember(group: string, ifname: string, request: ChangeRequest): Promise<void>;
  /** ENOENT, ENXIO, EINVAL; in no group: done. */
  removeMember(group: string, ifname: string, request: ChangeRequest): Promise<void>;
  /** EEXIST, EINVAL, ENAMETOOLONG. A device that is absent or refused is no error: it may come. */
  createInterface(spec: NewInterface, request: ChangeRequest): Promise<void>;
  /** ENXIO, EBUSY. A member leaves its group first. */
  deleteInterface(ifname: string, request: ChangeRequest): Promise<void>;
  /** `standby`, `test-addresses`. ENXIO, EINVAL. */
  setInterface(ifname: string, settings: Settings, request: ChangeRequest): Promise<void>;
  /** ENXIO; EINVAL: in no group; EALREADY; EBUSY: no other interface of the group works. */
  offlineInterface(ifname: string, by: Credentials): Promise<void>;
  /** ENXIO; EINVAL: it is not offline; EADDRINUSE: another interface has its MAC. */
  onlineInterface(ifname: string, by: Credentials): Promise<void>;
  /** ENXIO; EINVAL: in no group, or not healthy; EALREADY: it is active. */
  activateInterface(ifname: string, by: Credentials): Promise<void>;
  /** `address` with its prefix length. ENOENT, EINVAL, EEXIST, EADDRINUSE. */
  addAddress(group: string, address: string, request: ChangeRequest): Promise<void>;
  /** With or without its prefix length. ENOENT, EINVAL, EADDRNOTAVAIL. */
  deleteAddress(group: string, address: string, request: ChangeRequest): Promise<void>;
  /** ENXIO, EINVAL, EEXIST, EADDRINUSE. */
  addTestAddress(ifname: string, address: string, request: ChangeRequest): Promise<void>;
  /** ENXIO, EINVAL, EADDRNOTAVAIL. */
  deleteTestAddress(ifname: string, address: string, request: ChangeRequest): Promise<void>;
  /** ENOENT, EEXIST, EINVAL, ENOBUFS. */
  addNeighbor(group: string, neighbor: NewNeighbor, request: ChangeRequest): Promise<void>;
  /** ENOENT, EINVAL. */
  deleteNeighbor(group: string, dst: string, request: ChangeRequest): Promise<void>;
  /** ENOENT, EINVAL, EADDRINUSE, ENOBUFS. */
  joinMulticast(group: string, address: string, request: ChangeRequest): Promise<void>;
  /** ENOENT, EINVAL, EADDRNOTAVAIL. */
  leaveMulticast(group: string, address: string, request: ChangeRequest): Promise<void>;
  /** Reads the files anew and applies what differs. EINVAL: they are wrong; nothing changed. */
  reload(by: Credentials): Promise<ReloadRow>;
}

export interface ControlBackend extends ControlReads, ControlChanges {}
