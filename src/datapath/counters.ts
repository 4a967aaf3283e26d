/**
 * 64-bit counters of a worker: a private sum while a breath lasts, committed to shared words at its
 * end.
 *
 * A shared counter is three words: the high half twice and the low half between them. The worker, its
 * only writer, stores the low half alone while it does not overflow; on a carry it stores the first
 * high half, the low half, and the last high half, in this order. A reader takes them in the
 * opposite order; if both high halves agree, no carry lay between, and the value is exact.
 */

import { DATAPATH_DROP_REASONS, type DatapathDropReason } from '../stats/drop-reasons.ts';
import { MAX_PORTS } from './fib.ts';
import {
  COUNTER_WORDS,
  COUNTERS_PER_PORT,
  controlMemoryWorkers,
  counterOffset,
  DROPS,
  FORWARDED,
  INJECTED,
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
} from './layout.ts';

const HALF = 2 ** 32;

/**
 * Readings tried while a carry is under way. A carry takes nanoseconds; only a writer that the
 * scheduler stopped in the midst of one lets a reader come this far.
 */
const READ_TRIES = 1_000_000;

/** The counters of one port, summed over the workers. Frames are counted without their vnet header. */
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
   * What became of the frames that came in by this port:
   * receivePackets + injected = forwarded + punted + the drops of this port.
   */
  forwarded: bigint;
  punted: bigint;
  /** Frames that the control plane gave to this port. */
  injected: bigint;
}

/** The counting side: owned by one worker. */
export class CounterWriter {
  readonly #words: Int32Array;
  readonly #worker: number;
  /** Counts of this breath, COUNTERS_PER_PORT for each port. */
  readonly #breath = new Float64Array(MAX_PORTS * COUNTERS_PER_PORT);
  /** Ports with a count in this breath, and whether a port is among them. */
  readonly #touched = new Int32Array(MAX_PORTS);
  readonly #isTouched = new Uint8Array(MAX_PORTS);
  #touchedCount = 0;

  constructor(memory: SharedArrayBuffer, worker: number) {
    this.#words = new Int32Array(memory);
    this.#worker = worker;
  }

  /** Adds `amount` (0 .. 2^53 in a breath) to `counter` of `port`, an index of layout.ts. */
  add(port: number, counter: number, amount: number): void {
    const index = port * COUNTERS_PER_PORT + counter;
    this.#breath[index] = this.#breath[index]! + amount;
    if (this.#isTouched[port] === 0) {
      this.#isTouched[port] = 1;
      this.#touched[this.#touchedCount++] = port;
    }
  }

  /** Makes the counts of this breath visible to readers. */
  commit(): void {
    for (let i = 0; i < this.#touchedCount; i++) {
      const port = this.#touched[i]!;
      const first = port * COUNTERS_PER_PORT;
      const shared = counterOffset(this.#worker, port, 0);
      for (let counter = 0; counter < COUNTERS_PER_PORT; counter++) {
        const amount = this.#breath[first + counter]!;
        if (amount === 0) continue;
        counterAdd(this.#words, shared + counter * COUNTER_WORDS, amount);
        this.#breath[first + counter] = 0;
      }
      this.#isTouched[port] = 0;
    }
    this.#touchedCount = 0;
  }
}

/** Adds `amount` (below 2^53) to the shared counter at word `at`, of which the caller is the writer. */
export function counterAdd(words: Int32Array, at: number, amount: number): void {
  const low = (words[at + 1]! >>> 0) + amount;
  if (low < HALF) {
    Atomics.store(words, at + 1, low | 0);
    return;
  }
  const high = (words[at]! + Math.floor(low / HALF)) | 0;
  Atomics.store(words, at, high);
  Atomics.store(words, at + 1, (low % HALF) | 0);
  Atomics.store(words, at + 2, high);
}

/**
 * The exact value of the shared counter at word `at`. Should its writer stand still in the midst of a
 * carry for READ_TRIES readings: the multiple of 2^32 that the carry passes.
 */
export function counterRead(words: Int32Array, at: number): bigint {
  let first = 0;
  for (let tries = 0; tries < READ_TRIES; tries++) {
    const last = Atomics.load(words, at + 2);
    const low = Atomics.load(words, at + 1);
    first = Atomics.load(words, at);
    if (first === last) return (BigInt(first >>> 0) << 32n) | BigInt(low >>> 0);
  }
  return BigInt(first >>> 0) << 32n;
}

/** The reading side: any thread, at any time. */
export class CounterReader {
  readonly #words: Int32Array;
  readonly #workers: number;

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
    const total = new Map<DatapathDropReason, bigint>();
    for (const [index, reason] of DATAPATH_DROP_REASONS.entries()) {
      let sum = 0n;
      for (let port = 0; port < MAX_PORTS; port++) sum += this.#sum(port, DROPS + index);
      total.set(reason, sum);
    }
    return total;
  }

  #sum(port: number, counter: number): bigint {
    let sum = 0n;
    for (let worker = 0; worker < this.#workers; worker++) {
      sum += counterRead(this.#words, counterOffset(worker, port, counter));
    }
    return sum;
  }
}
