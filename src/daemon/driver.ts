/**
 * The driver of a NIC, as far as statistics go: its port in the datapath together with its kernel
 * device. The datapath's counters lie in shared memory; the kernel is asked over rtnetlink for what
 * only it knows: frames it lost or refused before we saw them. The question may be late, fail, or
 * never be answered, so it is an operation.
 *
 * A kernel device counts from its own creation and may be replaced. What it counts while it is
 * attached is added up here, so that a new device never makes a total fall.
 *
 * Whose "received" it is depends on the device: a macvtap receives what the wire brings, but what a
 * TAP receives is what *we* write into it.
 */

import { OperatorError } from '../base/errors.ts';
import { external, type Operation } from '../base/operation.ts';
import type { PortCounters } from '../datapath/counters.ts';
import type { DeviceCounters } from '../host/records.ts';
import type { LinkCounters } from '../stats/schema.ts';

/** Frames that the kernel lost, by direction as we see it. */
interface KernelLosses {
  readonly receive: bigint;
  readonly transmit: bigint;
}

interface AttachedNic {
  readonly isTap: boolean;
  /** What the device had counted when it was attached. */
  base: KernelLosses | undefined;
  last: KernelLosses;
}

/** The datapath, as far as it counts for a port. */
interface PortCounts {
  portCounters(port: number): PortCounters;
}

const NO_LOSSES: KernelLosses = { receive: 0n, transmit: 0n };

/** Statistics of all NICs. */
export class NicDrivers {
  readonly #pool: PortCounts;
  readonly #ask: (ifname: string) => Promise<DeviceCounters>;
  readonly #attached = new Map<string, AttachedNic>();
  /** Sums over the devices that an interface had before. */
  readonly #former = new Map<string, KernelLosses>();

  /** `ask` gives the counters of a kernel device; it fails with ENODEV if there is none. */
  constructor(pool: PortCounts, ask: (ifname: string) => Promise<DeviceCounters>) {
    this.#pool = pool;
    this.#ask = ask;
  }

  /** The interface has a device from now on; what the device has counted so far is not ours. */
  async attached(ifname: string, isTap: boolean): Promise<void> {
    const nic: AttachedNic = { isTap, base: undefined, last: NO_LOSSES };
    this.#attached.set(ifname, nic);
    note(nic, await this.#ask(ifname));
  }

  /** The interface's device is gone; what it counted stays. */
  released(ifname: string): void {
    const nic = this.#attached.get(ifname);
    if (nic === undefined) return;
    this.#attached.delete(ifname);
    const former = this.#former.get(ifname) ?? NO_LOSSES;
    this.#former.set(ifname, sum(former, sinceAttached(nic)));
  }

  /** The counters of a NIC; fails where the kernel does. */
  *statistics(port: number, ifname: string): Operation<LinkCounters> {
    const nic = this.#attached.get(ifname);
    if (nic !== undefined) {
      const counters = yield* external<DeviceCounters | undefined>(
        `statistics of ${ifname}`,
        (settle) => {
          this.#ask(ifname).then(settle.resolve, (error: unknown) => {
            // A device that has just gone counts no more; its last figures stand.
            if (error instanceof OperatorError && error.code === 'ENODEV')
              settle.resolve(undefined);
            else settle.reject(error);
          });
          return undefined;
        },
      );
      if (counters !== undefined) note(nic, counters);
    }
    return this.#totals(port, ifname, nic);
  }

  #totals(port: number, ifname: string, nic: AttachedNic | undefined): LinkCounters {
    const ours = this.#pool.portCounters(port);
    const former = this.#former.get(ifname) ?? NO_LOSSES;
    const losses = nic === undefined ? former : sum(former, sinceAttached(nic));
    return {
      rbytes: ours.receiveBytes,
      obytes: ours.transmitBytes,
      ipackets: ours.receivePackets,
      opackets: ours.transmitPackets,
      ierrors: losses.receive,
      oerrors: losses.transmit + ours.transmitErrors,
      multircv: ours.receiveMulticast,
      multixmt: ours.transmitMulticast,
      brdcstrcv: ours.receiveBroadcast,
      brdcstxmt: ours.transmitBroadcast,
    };
  }
}

function note(nic: AttachedNic, counters: DeviceCounters): void {
  const inward = counters.rxDropped + counters.rxErrors;
  const outward = counters.txDropped + counters.txErrors;
  const now = nic.isTap
    ? { receive: outward, transmit: inward }
    : { receive: inward, transmit: outward };
  nic.base ??= now;
  // A driver may reset its counters: then it counts from zero again, and nothing falls.
  if (now.receive < nic.last.receive || now.transmit < nic.last.transmit) {
    const since = sinceAttached(nic);
    nic.base = { receive: -since.receive, transmit: -since.transmit };
  }
  nic.last = now;
}

function sinceAttached({ base, last }: AttachedNic): KernelLosses {
  if (base === undefined) return NO_LOSSES;
  return { receive: last.receive - base.receive, transmit: last.transmit - base.transmit };
}

function sum(left: KernelLosses, right: KernelLosses): KernelLosses {
  return {
    receive: left.receive + right.receive,
    transmit: left.transmit + right.transmit,
  };
}
