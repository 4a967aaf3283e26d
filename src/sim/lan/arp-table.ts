/**
 * What ARP teaches a simulated station, as a Linux host takes it: a station that asks us becomes
 * known; a new MAC within a second of the last change is ignored, unless it is announced.
 */

import type { Ipv4, Mac } from '../../wire/addr.ts';
import { isUnknown, NeighborTable } from './neighbor-table.ts';

/** The frame by which an entry became known. */
export type Heard = 'reply' | 'request' | 'announcement';

/** What a Linux host does by default. */
const LOCK_MS = 1000;

/** IPv4 neighbours of one station. */
export class ArpTable extends NeighborTable<Ipv4> {
  /** A frame gave `mac` for `address`. `mayCreate`: it was sent to us. */
  learn(address: Ipv4, mac: Mac, heard: Heard, mayCreate: boolean): void {
    const entry = this.find(address);
    if (entry === undefined) {
      if (!mayCreate) return;
    } else if (!isUnknown(entry)) {
      const isMove = mac !== entry.mac;
      if (isMove && heard !== 'announcement' && this.ageMs(entry) < LOCK_MS) return;
      if (!isMove && heard !== 'reply') return;
    }
    this.set(address, mac, heard === 'reply' ? 'reachable' : 'stale');
  }
}
