/**
 * 64-bit counters of a worker: a private sum while a breath lasts, committed to shared words at its
 * end.
 *
 * A shared counter is three words: its high half, and two low halves of which the one with the high
 * half's parity is valid. The worker, its only writer, stores the valid low half alone while that
 * does not overflow: plainly, since a word is stored whole, and one that is seen late is a value
 * that the counter had; the atomic store that ends a breath makes it seen. On a carry it stores
 * the other low half, then the high half, which is one more: so a single store makes both valid,
 * and a writer that is stopped anywhere leaves the value of before. A reader takes the high half,
 * the low half that belongs to it, and the high half again; if that has not moved, the value is
 * one that the counter had.
 */

import { assert, InvariantError } from '../base/assert.ts';
import { GROUP_PORT_BASE } from '../model/limits.ts';
import { DATAPATH_DROP_REASONS, type DatapathDropReason } from '../stats/drop-reasons.ts';
import { MAX_PORTS } from './tables/fib.ts';
import {
  COUNTER_WORDS,
  COUNTERS_PER_PORT,
  controlMemoryWorkers,
  counterOffset,
  DROPS,
  FORWARDED,
  INJECTED,
  INJECTED_DROPPED,
  INJECTED_TRANSMITTED,
  PUNTED,
  RECEIVE_BROADCAST,
  RECEIVE_BYTES,
  RECEIVE_MULTICAST,
  RECEIVE_PACKETS,
  TRANSMIT_BROADCAST,
  TRANSMIT_BYTES,
  TRANSMIT_ERRORS,
  TRANSMIT_MULTICAST,
  TRANSMIT_PACKETS,
} from './tables/layout.ts';

const HALF = 2 ** 32;

/**
 * Readings tried. Each one that fails had a whole carry in its midst, and a carry takes 4 GiB of
 * traffic; only a test gets past the second.
 */
const READ_TRIES = 1_000;

/**
 * The counters of one port, summed over the workers. Frames are counted without their vnet header.
 */
export interface PortCounters {
  receivePackets: bigint;
  receiveBytes: bigint;
  receiveMulticast: bigint;
  receiveBroadcast: bigint;
  transmitPackets: bigint;
  transmitBytes: bigint;
  transmitMulticast: bigint;
  transmitBroadcast: bigint;
  /** Frames that the device of this port did not take. */
  transmitErrors: bigint;
  /**
   * What became of the frames read from this port:
   * receivePackets = forwarded + punted + the drops of this port - injectedDropped.
   */
  forwarded: bigint;
  punted: bigint;
  /** Frames that the control plane gave to this port: injectedTransmitted + injectedDropped. */
  injected: bigint;
  injectedTransmitted: bigint;
  /** These are among the drops of this port too. */
  injectedDropped: bigint;
}

/** Frames of all ports: one reading of the whole datapath, exact while no frame is on its way. */
export interface DatapathTotals {
  /** Frames read: receivedWire + receivedHost = forwarded + punted + dropped. */
  receivedWire: bigint;
  receivedHost: bigint;
  forwarded: bigint;
  punted: bigint;
  /** All drops except those of injected frames. */
  dropped: bigint;
  /** Frames of the control plane: injected = injectedTransmitted + injectedDropped. */
  injected: bigint;
  injectedTransmitted: bigint;
  injectedDropped: bigint;
  /** Frames written: transmittedWire + transmittedHost = forwarded + injectedTransmitted. */
  transmittedWire: bigint;
  transmittedHost: bigint;
}

/** The counting side: owned by one worker. */
export class CounterWriter {
  readonly #words: Int32Array;
  /** Word of the first counter of port 0; the others follow in the order of `#breath`. */
  readonly #shared: number;
  /** Counts of this breath, COUNTERS_PER_PORT for each port. */
  readonly #breath = new Float64Array(MAX_PORTS * COUNTERS_PER_PORT);
  /** Places in `#breath` that are not zero, each once. */
  readonly #touched = new Int32Array(MAX_PORTS * COUNTERS_PER_PORT);
  #touchedCount = 0;

  constructor(memory: SharedArrayBuffer, worker: number) {
    this.#words = new Int32Array(memory);
    this.#shared = counterOffset(worker, 0, 0);
  }

  /** Adds `amount` (0 .. 2^32 - 1 in a breath) to `counter` of `port`, an index of layout.ts. */
  add(port: number, counter: number, amount: number): void {
    if (amount === 0) return;
    const index = port * COUNTERS_PER_PORT + counter;
    const before = this.#breath[index]!;
    if (before === 0) this.#touched[this.#touchedCount++] = index;
    this.#breath[index] = before + amount;
  }

  /** Makes the counts of this breath visible to readers. */
  commit(): void {
    for (let i = 0; i < this.#touchedCount; i++) {
      const index = this.#touched[i]!;
      counterAdd(this.#words, this.#shared + index * COUNTER_WORDS, this.#breath[index]!);
      this.#breath[index] = 0;
    }
    this.#touchedCount = 0;
  }
}

/**
 * Adds `amount` to the shared counter at word `at`, of which the caller is the writer. Below 2^32:
 * what a breath can count is less, 64 frames of 64 KiB from each port.
 */
export function counterAdd(words: Int32Array, at: number, amount: number): void {
  const high = words[at]!;
  const sum = (words[at + 1 + (high & 1)]! >>> 0) + amount;
  if (sum < HALF) {
    words[at + 1 + (high & 1)] = sum | 0;
    return;
  }
  assert(sum < 2 * HALF, 'a counter grows by less than 2^32 at a time');
  const next = (high + 1) | 0;
  Atomics.store(words, at + 1 + (next & 1), (sum - HALF) | 0);
  Atomics.store(words, at, next);
}

/** The value of the shared counter at word `at`, exact at some moment of the call. */
export function counterRead(words: Int32Array, at: number): bigint {
  const sum = new HalvesSum();
  sum.add(words, at);
  return sum.take();
}

/** Adds counters up without a bigint for each: thousands of them are read in one turn. */
class HalvesSum {
  /** Sums of halves, exact as doubles for 2^21 counters. */
  #high = 0;
  #low = 0;

  add(words: Int32Array, at: number): void {
    for (let tries = 0; tries < READ_TRIES; tries++) {
      const high = Atomics.load(words, at);
      const low = Atomics.load(words, at + 1 + (high & 1));
      if (Atomics.load(words, at) !== high) continue;
      this.#high += high >>> 0;
      this.#low += low >>> 0;
      return;
    }
    throw new InvariantError('a counter carries faster than it can be read');
  }

  /** The sum modulo 2^64; the next one begins at 0. */
  take(): bigint {
    const sum = (BigInt(this.#high) << 32n) + BigInt(this.#low);
    this.#high = 0;
    this.#low = 0;
    return BigInt.asUintN(64, sum);
  }
}

/** Workers and ports, each up to but without its end. */
interface CounterRange {
  readonly firstWorker: number;
  readonly endWorker: number;
  readonly first: number;
  readonly end: number;
}

/** The reading side: the main thread, at any time. */
export class CounterReader {
  readonly #words: Int32Array;
  readonly #workers: number;
  /** Ports that have counted frames, in order; all others are at 0 and are not summed. */
  #usedPorts: number[] = [];
  readonly #isUsed = new Uint8Array(MAX_PORTS);

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#workers = controlMemoryWorkers(memory);
  }

  /** The counters of `port`. */
  port(port: number): PortCounters {
    return {
      receivePackets: this.#sum(port, RECEIVE_PACKETS),
      receiveBytes: this.#sum(port, RECEIVE_BYTES),
      receiveMulticast: this.#sum(port, RECEIVE_MULTICAST),
      receiveBroadcast: this.#sum(port, RECEIVE_BROADCAST),
      transmitPackets: this.#sum(port, TRANSMIT_PACKETS),
      transmitBytes: this.#sum(port, TRANSMIT_BYTES),
      transmitMulticast: this.#sum(port, TRANSMIT_MULTICAST),
      transmitBroadcast: this.#sum(port, TRANSMIT_BROADCAST),
      transmitErrors: this.#sum(port, TRANSMIT_ERRORS),
      forwarded: this.#sum(port, FORWARDED),
      punted: this.#sum(port, PUNTED),
      injected: this.#sum(port, INJECTED),
      injectedTransmitted: this.#sum(port, INJECTED_TRANSMITTED),
      injectedDropped: this.#sum(port, INJECTED_DROPPED),
    };
  }

  /** What all ports counted together, by all workers. */
  totals(): DatapathTotals {
    this.#findUsedPorts();
    return this.#totals(0, this.#workers);
  }

  /** The same of each worker alone. */
  workerTotals(): DatapathTotals[] {
    this.#findUsedPorts();
    return Array.from({ length: this.#workers }, (_, worker) => this.#totals(worker, worker + 1));
  }

  #totals(firstWorker: number, endWorker: number): DatapathTotals {
    const sum = new HalvesSum();
    const ofPorts = (counter: number, first: number, end: number): bigint => {
      this.#addPorts(sum, counter, { firstWorker, endWorker, first, end });
      return sum.take();
    };
    const ofAll = (counter: number): bigint => ofPorts(counter, 0, MAX_PORTS);
    const ofNics = (counter: number): bigint => ofPorts(counter, 0, GROUP_PORT_BASE);
    const ofGroups = (counter: number): bigint => ofPorts(counter, GROUP_PORT_BASE, MAX_PORTS);
    let drops = 0n;
    for (let index = 0; index < DATAPATH_DROP_REASONS.length; index++)
      drops += ofAll(DROPS + index);
    const injectedDropped = ofAll(INJECTED_DROPPED);
    return {
      receivedWire: ofNics(RECEIVE_PACKETS),
      receivedHost: ofGroups(RECEIVE_PACKETS),
      forwarded: ofAll(FORWARDED),
      punted: ofAll(PUNTED),
      dropped: drops - injectedDropped,
      injected: ofAll(INJECTED),
      injectedTransmitted: ofAll(INJECTED_TRANSMITTED),
      injectedDropped,
      transmittedWire: ofNics(TRANSMIT_PACKETS),
      transmittedHost: ofGroups(TRANSMIT_PACKETS),
    };
  }

  /** Drops of frames that came in by `port`, every reason, zero or not. */
  portDrops(port: number): Map<DatapathDropReason, bigint> {
    return new Map(
      DATAPATH_DROP_REASONS.map((reason, index) => [reason, this.#sum(port, DROPS + index)]),
    );
  }

  /** Drops of all ports, every reason, zero or not. */
  drops(): Map<DatapathDropReason, bigint> {
    this.#findUsedPorts();
    const all = { firstWorker: 0, endWorker: this.#workers, first: 0, end: MAX_PORTS };
    const sum = new HalvesSum();
    return new Map(
      DATAPATH_DROP_REASONS.map((reason, index) => {
        this.#addPorts(sum, DROPS + index, all);
        return [reason, sum.take()];
      }),
    );
  }

  /** A port is used once it has received a frame or been given one to write. */
  #findUsedPorts(): void {
    const before = this.#usedPorts.length;
    for (let port = 0; port < MAX_PORTS; port++) {
      if (this.#isUsed[port] === 1 || !this.#hasCounted(port)) continue;
      this.#isUsed[port] = 1;
      this.#usedPorts.push(port);
    }
    if (this.#usedPorts.length > before) this.#usedPorts.sort((left, right) => left - right);
  }

  #hasCounted(port: number): boolean {
    for (let worker = 0; worker < this.#workers; worker++) {
      for (const counter of [RECEIVE_PACKETS, TRANSMIT_PACKETS, INJECTED]) {
        const at = counterOffset(worker, port, counter);
        for (let word = at; word < at + COUNTER_WORDS; word++) {
          if (this.#words[word] !== 0) return true;
        }
      }
    }
    return false;
  }

  #addPorts(sum: HalvesSum, counter: number, range: CounterRange): void {
    const { firstWorker, endWorker, first, end } = range;
    for (let worker = firstWorker; worker < endWorker; worker++) {
      for (const port of this.#usedPorts) {
        if (port < first || port >= end) continue;
        sum.add(this.#words, counterOffset(worker, port, counter));
      }
    }
  }

  #sum(port: number, counter: number): bigint {
    const sum = new HalvesSum();
    for (let worker = 0; worker < this.#workers; worker++) {
      sum.add(this.#words, counterOffset(worker, port, counter));
    }
    return sum.take();
  }
}
