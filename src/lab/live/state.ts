/** What the live view shows, as one value; it is drawn from this alone. */

import type { AddressRow, EventRow, GroupRow, InterfaceRow } from '../../model/rows.ts';

/** Bytes and packets a second, as the kstats have it. */
export interface Rates {
  readonly inBytes: number;
  readonly inPackets: number;
  readonly outBytes: number;
  readonly outPackets: number;
}

/** An event and when it came, in monotonic milliseconds. */
export interface Heard {
  readonly atMs: number;
  readonly row: EventRow;
}

/** A cable of the lab that a key cuts and repairs. */
export interface Cable {
  /** The digit that chooses it. */
  readonly key: string;
  readonly uplink: string;
  /** The interface of the daemon that lies on it. */
  readonly ifname: string;
  readonly isCut: boolean;
}

/** The traffic of the lab while it is looked at; a problem is what keeps it from being measured. */
export interface TrafficState {
  readonly echo: EchoState | { readonly problem: string };
  readonly tcp: TcpState | { readonly problem: string };
}

export interface EchoState {
  readonly target: string;
  readonly perSecond: number;
  readonly sent: number;
  readonly lost: number;
  /** Since the last cut or repair. */
  readonly last: { label: string; lost: number; longestGapMs: number } | null;
}

export interface TcpState {
  readonly target: string;
  readonly arrivedBytes: number;
  readonly bytesPerSecond: number;
}

/** The last answers of the daemon. */
export interface DaemonState {
  readonly version: string;
  readonly uptimeS: number;
  readonly groups: readonly GroupRow[];
  readonly interfaces: readonly InterfaceRow[];
  readonly addresses: readonly AddressRow[];
}

export interface LiveState {
  /** Monotonic milliseconds. */
  readonly nowMs: number;
  readonly daemon: DaemonState | null;
  /** Since when the daemon has not answered; null while it does. */
  readonly silentSinceMs: number | null;
  /** How it has ended, if it has. */
  readonly exit: number | string | null;
  /** By kstat, `ipmp:ipmp0` or `link:net0`. */
  readonly rates: ReadonlyMap<string, Rates>;
  /** The latest first. */
  readonly events: readonly Heard[];
  readonly traffic: TrafficState | null;
  readonly cables: readonly Cable[];
  readonly screen: 'tables' | 'help' | 'choice';
  readonly isPaused: boolean;
  readonly notice: { readonly text: string; readonly isBad: boolean } | null;
  /** Commands by which the lab can be used from another terminal. */
  readonly hints: readonly string[];
}
