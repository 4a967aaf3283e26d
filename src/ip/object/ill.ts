/**
 * The IP lower link: one address family on one interface. It carries the
 * test addresses of its NIC and the list of the group's data addresses that are bound to it.
 */

import type { Mac } from '../../wire/addr.ts';
import type { Ipif } from './ipif.ts';
import type { Phyint } from './phyint.ts';

/** One family of one interface. */
export class Ill {
  readonly phyint: Phyint;
  readonly family = 4;
  /** Addresses of the NIC itself, which never move. */
  readonly testIpifs: Ipif[] = [];
  /** Data addresses bound here, most recently bound first (docs/law.md row 44). */
  readonly boundIpifs: Ipif[] = [];

  constructor(phyint: Phyint) {
    this.phyint = phyint;
  }

  get name(): string {
    return this.phyint.name;
  }

  get nic(): number {
    return this.phyint.nic;
  }

  /** Address of the NIC on the wire; 0 while it is absent. */
  get physAddr(): Mac {
    return this.phyint.physAddr;
  }
}
