/**
 * The driver of a NIC, as far as statistics go: its port in the datapath together with its kernel
 * device. The datapath's counters lie in shared memory; the kernel is asked for the frames that it
 * lost or refused before we saw them. The question may be late, fail, or never be
 * answered, so it is an operation, and the driver is called on another thread.
 *
 * A driver has one question at a time: it is answered for all that had asked before it was put. So
 * a driver that hangs costs one thread, however many readers come; it is *unanswered* then, which
 * is shown, and concerns nothing else. Modelled in test/model/main-thread.pml.
 *
 * A kernel device counts from its own creation and may be replaced. What it counts while it is
 * attached is added up here, so that a new device never makes a total fall. A port counts since the
 * daemon began and may be another interface's later, which begins at zero.
 *
 * Whose "received" it is depends on the device: a macvtap receives what the wire brings, but what a
 * TAP receives is what *we* write into it.
 */

import { OperatorError } from '../base/errors.ts';
import { keysOf, recordOf } from '../base/keys.ts';
import { external, type Operation, type Settle } from '../base/operation.ts';
import { TurnShare } from '../base/turns.ts';
import type { PortCounters } from '../datapath/counters.ts';
import type { DeviceCounters } from '../host/kernel/records.ts';
import type { Clock } from '../process/clock.ts';
import { type LateHandler, reportingLate } from '../process/late.ts';
import { READ_BUDGET_MS } from '../stats/collector.ts';
import type { LinkCounters } from '../stats/schema.ts';

/** Frames that the kernel lost, by direction as we see it. */
interface KernelLosses {
  readonly receive: bigint;
  readonly transmit: bigint;
}

/** Readers that wait for one answer; one that is called off leaves at once. */
type Readers = Set<Settle<void>>;

interface AttachedNic {
  readonly isTap: boolean;
  /** What the device had counted when it was attached. */
  base: KernelLosses | undefined;
  last: KernelLosses;
  /** The readers of the question under way, and since when it is. */
  asking: Readers | undefined;
  askedAtMs: number;
  /** Readers of the question after it. */
  next: Readers | undefined;
}

/** The datapath, as far as it counts for a port. */
interface PortCounts {
  portCounters(port: number): PortCounters;
}

/** Ours: questions that are put in one turn. A scrape of a large host has a thousand. */
const ASKED_A_TURN = 16;

const NO_LOSSES: KernelLosses = { receive: 0n, transmit: 0n };

/** Statistics of all NICs. */
export class NicDrivers {
  readonly #pool: PortCounts;
  readonly #ask: (ifname: string) => Promise<DeviceCounters>;
  readonly #clock: Clock;
  readonly #onLate: LateHandler;
  readonly #share = new TurnShare(ASKED_A_TURN);
  readonly #attached = new Map<string, AttachedNic>();
  /** Sums over the devices that an interface had before. */
  readonly #former = new Map<string, KernelLosses>();
  /** What a port had counted when the last interface on it was removed. */
  readonly #portBases = new Map<number, PortCounters>();

  /** `ask` gives the counters of a kernel device; it fails with ENODEV if there is none. */
  constructor(
    pool: PortCounts,
    ask: (ifname: string) => Promise<DeviceCounters>,
    clock: Clock,
    onLate: LateHandler,
  ) {
    this.#pool = pool;
    this.#ask = ask;
    this.#clock = clock;
    this.#onLate = onLate;
  }

  /** The interface has a device from now on; what the device has counted so far is not ours. */
  attached(ifname: string, isTap: boolean): void {
    const nic: AttachedNic = {
      isTap,
      base: undefined,
      last: NO_LOSSES,
      asking: undefined,
      askedAtMs: 0,
      next: undefined,
    };
    this.#attached.set(ifname, nic);
    // No reader waits for this answer: it is only the base of later ones.
    this.#put(ifname, nic, new Set());
  }

  /** The interface's device is gone; what it counted stays. */
  released(ifname: string): void {
    const nic = this.#attached.get(ifname);
    if (nic === undefined) return;
    this.#attached.delete(ifname);
    const former = this.#former.get(ifname) ?? NO_LOSSES;
    this.#former.set(ifname, sum(former, sinceAttached(nic)));
  }

  /** The interface is gone for good; the next one on its port begins at zero. */
  removed(ifname: string, port: number): void {
    this.#attached.delete(ifname);
    this.#former.delete(ifname);
    this.#portBases.set(port, this.#pool.portCounters(port));
  }

  /** True while an answer of the driver takes longer than a reader waits. */
  isUnanswered(ifname: string): boolean {
    const nic = this.#attached.get(ifname);
    if (nic?.asking === undefined) return false;
    return this.#clock.nowMs() - nic.askedAtMs > READ_BUDGET_MS;
  }

  /** The counters of a NIC; fails where the kernel does. */
  *statistics(port: number, ifname: string): Operation<LinkCounters> {
    const nic = this.#attached.get(ifname);
    if (nic !== undefined) {
      yield* external<void>(`statistics of ${ifname}`, (settle) => {
        return this.#question(ifname, nic, settle);
      });
    }
    // The device may have been released, or replaced, during the wait.
    return this.#totals(port, ifname);
  }

  /**
   * Asks a driver, now or as soon as it has answered the question that is under way. Returns how
   * the reader is called off.
   */
  #question(ifname: string, nic: AttachedNic, reader: Settle<void>): () => void {
    const readers: Readers = (nic.asking && nic.next) ?? new Set();
    readers.add(reader);
    if (nic.asking === undefined) this.#put(ifname, nic, readers);
    else nic.next = readers;
    return () => readers.delete(reader);
  }

  /** Puts a question to a driver, and after its answer the one that was asked meanwhile. */
  #put(ifname: string, nic: AttachedNic, readers: Readers): void {
    nic.asking = readers;
    nic.askedAtMs = this.#clock.nowMs();
    this.#share.run(() => void this.#exchange(ifname, nic, readers));
  }

  async #exchange(ifname: string, nic: AttachedNic, readers: Readers): Promise<void> {
    const failure = await this.#answer(ifname, nic);
    const { next } = nic;
    nic.asking = undefined;
    nic.next = undefined;
    if (next !== undefined) this.#put(ifname, nic, next);
    for (const { resolve, reject } of readers) {
      if (failure === undefined) resolve();
      else reject(failure.error);
    }
  }

  /** Notes what the driver answers; returns how the question failed, if it did. */
  async #answer(ifname: string, nic: AttachedNic): Promise<{ error: unknown } | undefined> {
    const what = `statistics of ${ifname}`;
    try {
      note(nic, await reportingLate(what, this.#clock, this.#onLate, this.#ask(ifname)));
    } catch (error) {
      // A device that has just gone counts no more; its last figures stand.
      if (!(error instanceof OperatorError) || error.code !== 'ENODEV') return { error };
    }
    return undefined;
  }

  #totals(port: number, ifname: string): LinkCounters {
    const nic = this.#attached.get(ifname);
    const ours = since(this.#pool.portCounters(port), this.#portBases.get(port));
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
  const now = lossesOf(nic.isTap, counters);
  const { base = now, last } = nic;
  nic.base = {
    receive: baseAfter(base.receive, last.receive, now.receive),
    transmit: baseAfter(base.transmit, last.transmit, now.transmit),
  };
  nic.last = now;
}

/**
 * A macvtap shows what it lost on the way in under both names (macvlan, and the kernel's own sum
 * over its devices is in `dropped`). What a TAP receives is what we write.
 */
function lossesOf(isTap: boolean, counters: DeviceCounters): KernelLosses {
  const outward = counters.txDropped + counters.txErrors;
  return isTap
    ? { receive: outward, transmit: counters.rxDropped + counters.rxErrors }
    : { receive: counters.rxDropped, transmit: outward };
}

/** A driver may reset a counter: then it counts from zero again, and no sum falls. */
function baseAfter(base: bigint, last: bigint, now: bigint): bigint {
  return now < last ? base - last : base;
}

function since(counters: PortCounters, base: PortCounters | undefined): PortCounters {
  if (base === undefined) return counters;
  return recordOf(keysOf(counters), (name) => counters[name] - base[name]);
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
