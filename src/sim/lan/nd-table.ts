/**
 * What neighbour discovery teaches a simulated station: RFC 4861 7.2.3 and 7.2.5, to the letter.
 *
 * An entry whose questions had no answer counts as none, as the RFC deletes it.
 */

import type { Ipv6, Mac } from '../../wire/addr.ts';
import { isUnknown, NeighborTable } from './neighbor-table.ts';

/** What an advertisement says (RFC 4861 4.4). */
export interface Advertised {
  readonly target: Ipv6;
  /** Of the option with the target's MAC; undefined without. */
  readonly targetMac: Mac | undefined;
  readonly isSolicited: boolean;
  readonly isOverride: boolean;
}

/** IPv6 neighbours of one station. */
export class NdTable extends NeighborTable<Ipv6> {
  /** The sender of a solicitation or of a router's frame gave its own MAC (7.2.3, 6.3.4). */
  learnSource(address: Ipv6, mac: Mac): void {
    const entry = this.find(address);
    const isKnown = entry !== undefined && !isUnknown(entry);
    if (!isKnown || entry.mac !== mac) this.set(address, mac, 'stale');
  }

  /** Takes an advertisement; false if the rules of 7.2.5 have it ignored. */
  learnAdvertised({ target, targetMac, isSolicited, isOverride }: Advertised): boolean {
    const entry = this.find(target);
    if (entry === undefined || entry.state === 'failed') return false;
    if (entry.state === 'incomplete') {
      if (targetMac === undefined) return false;
      this.set(target, targetMac, isSolicited ? 'reachable' : 'stale');
      return true;
    }
    const isMove = targetMac !== undefined && targetMac !== entry.mac;
    if (isMove && !isOverride) {
      if (entry.state === 'reachable') this.set(target, entry.mac, 'stale');
      return false;
    }
    if (isSolicited) this.set(target, targetMac ?? entry.mac, 'reachable');
    else if (isMove) this.set(target, targetMac, 'stale');
    return true;
  }
}
