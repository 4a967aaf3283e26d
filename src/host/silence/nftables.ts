/**
 * nftables tables of our own. For what lies below us: they keep what arrives there from the host's
 * own stack, and broadcasts in fragments from the NICs that are not to bring them. For the device
 * of a group that does not forward: nothing is forwarded that comes or is to leave by it.
 *
 *   table inet ipmpd {
 *     chain nics {
 *       type filter hook prerouting priority raw; policy accept;
 *       iifname "eth0" counter drop
 *       iifname "eth1" counter drop
 *     }
 *     chain forward {
 *       type filter hook forward priority raw; policy accept;
 *       iifname "ipmp0" counter drop
 *       oifname "ipmp0" counter drop
 *     }
 *   }
 *   table netdev ipmpd {
 *     chain from-eth1 {
 *       type filter hook ingress device eth1 priority raw; policy accept;
 *       @ll,7,1 1 meta protocol ip ip frag-off & 0x3fff != 0 counter drop
 *     }
 *     chain from-br1 {
 *       type filter hook ingress device br1 priority raw; policy accept;
 *       counter drop
 *     }
 *   }
 *
 * NIC. Prerouting lies behind the point where a macvtap takes its copy; a rule at ingress would
 * take that too. But before the copy is taken, the kernel puts fragments for all stations together,
 * in one queue for all macvtaps of a network namespace (ip_check_defrag): the datagram comes out of
 * whichever NIC completes it, as often as not one that is not nominated, where it is a copy too
 * many and dropped. So only the nominated NIC may bring them that far.
 *
 * Bridge. What it passes up to the host passes ingress of the bridge's own device; what it passes
 * from port to port, our TAP among them, does not, whether br_netfilter is loaded or not.
 * Prerouting and input would be too late: fragments would meet those that come by the group's
 * device.
 *
 * Ingress belongs to the family netdev. The family inet has it too, but there the kernel drops
 * frames whose IP header is not right before any rule, and the datapath could not count them.
 *
 * Group. `forwarding=0` of one device stops IPv4 that comes by it, but not IPv6: while that of
 * `all` is set, it makes the device a host's and no more.
 *
 * ARP does not pass prerouting: NOARP on the device sees to that.
 *
 * The tables have an owner, our netlink socket: no other process can change or flush them (a
 * reloaded firewall begins with `flush ruleset`), and the kernel removes them when the socket
 * closes, however the process ended. For the same reason a second daemon is refused here. A table
 * of this name without an owner (loaded from a saved ruleset) cannot become ours: then ours are
 * `ipmpd-2`.
 */

import { isRefusal, OperatorError } from '../../base/errors.ts';
import type { NetlinkClient } from '../kernel/netlink.ts';
import type { Request } from '../kernel/netlink-message.ts';
import {
  batchOf,
  cameBy,
  chainAdd,
  dropRule,
  FAMILY_INET,
  FAMILY_NETDEV,
  forwardChainAdd,
  isForGroup,
  isIpv4Fragment,
  leavesBy,
  rulesDelete,
  tableAdd,
  tableDelete,
  tableGet,
} from '../kernel/nftables-message.ts';

// Ours.

const TABLE = 'ipmpd';
const NICS = 'nics';
const FORWARD = 'forward';
const FAMILIES = [FAMILY_INET, FAMILY_NETDEV] as const;

/** Ours: so many tables of our name without an owner are passed over. */
const NAMES_MAX = 8;

/** A NIC below a macvtap or a bridge, which is silenced, or a group that does not forward. */
export type FilteredKind = 'nic' | 'bridge' | 'group';

/** The tables of one daemon; nothing is there until the first device is silenced. */
export class SilenceTable {
  readonly #client: NetlinkClient;
  readonly #devices = new Map<string, FilteredKind>();
  /** NICs that bring broadcasts in fragments; whether silenced or not yet. */
  readonly #nominated = new Set<string>();
  /** Called once for each table of our name that is not ours. */
  readonly #onForeign: (table: string) => void;
  #name = TABLE;
  #isMade = false;
  /** A change failed: what became of it is not known, so all is replaced. */
  #isDoubtful = false;

  constructor(client: NetlinkClient, onForeign: (table: string) => void) {
    this.#client = client;
    this.#onForeign = onForeign;
  }

  /** The kernel has taken rules of ours, so it has what they need. */
  get isMade(): boolean {
    return this.#isMade;
  }

  /**
   * Drops what arrives on `device`, or is forwarded through a group. EBUSY: the table belongs to
   * another daemon.
   */
  async add(device: string, kind: FilteredKind): Promise<void> {
    const before = this.#devices.get(device);
    if (before === kind && !this.#isDoubtful) return;
    this.#devices.set(device, kind);
    try {
      const isAddition = this.#isMade && before === undefined && !this.#isDoubtful;
      if (isAddition) await this.#append(device, kind);
      else await this.#publish();
    } catch (error) {
      if (before === undefined) this.#devices.delete(device);
      else this.#devices.set(device, before);
      this.#isDoubtful = true;
      throw error;
    }
  }

  /** Lets through again what was dropped; after an error, `retry` does. */
  async delete(device: string): Promise<void> {
    if (!this.#devices.delete(device)) return;
    await this.#assert();
  }

  /** `device` is to bring broadcasts in fragments, or no longer; `retry` does so after an error. */
  async setNominated(device: string, isNominated: boolean): Promise<void> {
    if (this.#nominated.has(device) === isNominated) return;
    if (isNominated) this.#nominated.add(device);
    else this.#nominated.delete(device);
    if (this.#devices.get(device) !== 'nic') return;
    if (this.#isDoubtful) return this.#assert();
    const chain = chainOf(device);
    const requests = [
      rulesDelete(FAMILY_NETDEV, this.#name, chain),
      ...this.#ingressRules(device, 'nic'),
    ];
    try {
      await this.#client.batch(`fragments from ${device}`, batchOf(requests));
    } catch (error) {
      this.#isDoubtful = true;
      throw error;
    }
  }

  /** Lets everything through again; after an error, `retry` does. */
  async clear(): Promise<void> {
    this.#devices.clear();
    await this.#assert();
  }

  /** Makes up for a change that failed. */
  async retry(): Promise<void> {
    if (this.#isDoubtful) await this.#assert();
  }

  /** Makes the rules those of the devices, whatever they are now. */
  async #assert(): Promise<void> {
    try {
      if (this.#devices.size > 0) await this.#publish();
      else await this.#remove();
    } catch (error) {
      this.#isDoubtful = true;
      throw error;
    }
  }

  /** Of a table that is doubtful it is not known whether it is there. */
  async #remove(): Promise<void> {
    if (!this.#isMade && !this.#isDoubtful) return;
    try {
      const requests = FAMILIES.map((family) => tableDelete(family, this.#name));
      await this.#client.batch(`remove tables ${this.#name}`, batchOf(requests));
    } catch (error) {
      if (!isRefusal(error, 'ENOENT')) throw error;
    }
    this.#isMade = false;
    this.#isDoubtful = false;
  }

  /** Adds what one more device needs behind the others: with hundreds, all are many. */
  async #append(device: string, kind: FilteredKind): Promise<void> {
    await this.#client.batch(`filter ${device}`, batchOf(this.#partsOf(device, kind)));
  }

  /** Replaces everything in one transaction, in tables that are ours. */
  async #publish(): Promise<void> {
    for (let number = 1; ; number++) {
      if (!this.#isMade) this.#name = number === 1 ? TABLE : `${TABLE}-${number}`;
      try {
        await this.#replace();
        return;
      } catch (error) {
        if (this.#isMade) throw error;
        if (isRefusal(error, 'EPERM')) throw takenBy(this.#name);
        // Also the answer of a kernel without nf_tables.
        const isForeign = isRefusal(error, 'EOPNOTSUPP') && (await this.#exists(this.#name));
        if (!isForeign) throw error;
        this.#onForeign(this.#name);
        if (number === NAMES_MAX) throw takenBy(this.#name);
      }
    }
  }

  /** Added first, a table can be deleted whether it was there or not. */
  async #replace(): Promise<void> {
    const name = this.#name;
    const anew = FAMILIES.flatMap((family) => {
      return [tableAdd(family, name), tableDelete(family, name), tableAdd(family, name)];
    });
    const parts = [...this.#devices].flatMap(([device, kind]) => this.#partsOf(device, kind));
    await this.#client.batch(
      `filter ${[...this.#devices.keys()].join(', ')}`,
      batchOf([...anew, chainAdd(FAMILY_INET, name, NICS), ...parts]),
    );
    this.#isMade = true;
    this.#isDoubtful = false;
  }

  /** What one device needs. */
  #partsOf(device: string, kind: FilteredKind): Request[] {
    const name = this.#name;
    if (kind === 'group') {
      const conditions = [cameBy(device), leavesBy(device)];
      const rules = conditions.map((one) => dropRule(FAMILY_INET, name, FORWARD, [one]));
      return [forwardChainAdd(name, FORWARD), ...rules];
    }
    const ingress = [
      chainAdd(FAMILY_NETDEV, name, chainOf(device), device),
      ...this.#ingressRules(device, kind),
    ];
    if (kind === 'bridge') return ingress;
    return [dropRule(FAMILY_INET, name, NICS, [cameBy(device)]), ...ingress];
  }

  #ingressRules(device: string, kind: 'nic' | 'bridge'): Request[] {
    const chain = chainOf(device);
    if (kind === 'bridge') return [dropRule(FAMILY_NETDEV, this.#name, chain, [])];
    if (this.#nominated.has(device)) return [];
    return [dropRule(FAMILY_NETDEV, this.#name, chain, [isForGroup(), isIpv4Fragment()])];
  }

  async #exists(name: string): Promise<boolean> {
    for (const family of FAMILIES) {
      try {
        await this.#client.request(`look up table ${name}`, tableGet(family, name));
        return true;
      } catch (error) {
        // EOPNOTSUPP, EINVAL: there are no tables at all.
        if (!isRefusal(error, 'ENOENT', 'EOPNOTSUPP', 'EINVAL')) throw error;
      }
    }
    return false;
  }
}

/** The chain at the ingress of a device. */
function chainOf(device: string): string {
  return `from-${device}`;
}

function takenBy(table: string): OperatorError {
  return new OperatorError(
    'EBUSY',
    `the nftables table ${table} belongs to another process`,
    'is another ipmpd running in this network namespace?',
  );
}
