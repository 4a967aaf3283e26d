/**
 * The IP lower link of one interface. It carries the test addresses of its NIC and, by family, the
 * lists of the group's data addresses that are bound to it. There is one for both families, since
 * whether a NIC can be used does not depend on its addresses.
 */

import type { Family, Mac } from '../../wire/addr.ts';
import type { Ipif } from './ipif.ts';
import type { Phyint } from './phyint.ts';

/** The IP side of one interface. */
export class Ill {
  readonly phyint: Phyint;
  /** Addresses of the NIC itself, which never move. */
  readonly testIpifs: Ipif[] = [];
  /** Data addresses bound here by family, most recently bound first (docs/law.md row 44). */
  readonly boundIpifs: Readonly<Record<Family, Ipif[]>> = { 4: [], 6: [] };

  constructor(phyint: Phyint) {
    this.phyint = phyint;
  }

  get name(): string {
    return this.phyint.name;
  }

  /** How many data addresses are bound here. */
  get boundCount(): number {
    return this.boundIpifs[4].length + this.boundIpifs[6].length;
  }

  get nic(): number {
    return this.phyint.nic;
  }

  /** Address of the NIC on the wire; 0 while it is absent. */
  get physAddr(): Mac {
    return this.phyint.physAddr;
  }
}
