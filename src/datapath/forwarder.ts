/**
 * The forwarder: bursts from a port, a verdict for each frame, bursts to the ports that they name.
 *
 * Theory of operation. A breath is: hold the current table, visit ports, commit counters; a worker
 * lets the table go before it sleeps. A visit reads one burst from one port and carries it through
 * to its end: every frame is written, punted or dropped before the visit returns, so nothing is
 * queued here, and a device without room costs its frames and not the others'. Frames that leave by
 * one port keep their order.
 *
 * The same class serves the workers (worker-loop.ts) and, over ports in memory, the simulator.
 *
 * Invariants:
 * 1. Conservation. For each port, of the frames read: receivePackets = forwarded + punted + their
 *    drops; of those injected: injected = injectedTransmitted + injectedDropped. Over all ports,
 *    of the frames written: transmitPackets = forwarded + injectedTransmitted.
 * 2. After construction nothing is allocated, whatever the frames (attach and detach aside).
 * 3. Only between `begin` and `end` is a table held.
 */

import { assert } from '../base/assert.ts';
import { GROUP_PORT_BASE } from '../model/limits.ts';
import { native } from '../native/addon.ts';
import { ETHERNET_HEADER_LENGTH, ethernetIsGroup } from '../wire/ethernet.ts';
import { CounterWriter } from './counters.ts';
import { type Burst, type PortIo, VNET_HEADER_LENGTH } from './port.ts';
import { BURST_MAX, SLOT_LENGTH, type Slab, slabCreate } from './slab.ts';
import { MAX_PORTS } from './tables/fib.ts';
import {
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
  tableOffset,
  WORD_GENERATION,
  WORKER_HELD,
  workerOffset,
} from './tables/layout.ts';
import { isPaced } from './verdict/discovery.ts';
import { inputVerdict } from './verdict/input.ts';
import { outputVerdict } from './verdict/output.ts';
import { type Packet, packetCreate } from './verdict/parse.ts';
import { priorityUntag } from './verdict/priority-tag.ts';
import { PuntLimit } from './verdict/punt-limit.ts';
import {
  DROP_PUNT_FULL,
  DROP_PUNT_RATE_LIMITED,
  DROP_PUNT_REFUSED,
  DROP_RECEIVE_REFUSED,
  DROP_RUNT,
  DROP_TRANSMIT_DOWN,
  DROP_TRANSMIT_FULL,
  DROP_TRANSMIT_GONE,
  DROP_TRANSMIT_REFUSED,
  DROP_TRUNCATED,
  PUNT,
  verdictReasonIndex,
} from './verdict/verdict.ts';
import { type Visit, visitBegin, visitCreate } from './verdict/visit.ts';
import { vnetClear, vnetCompleteChecksum, vnetIsSegmented } from './verdict/vnet.ts';

/** What a TAP or macvtap may answer. */
const { EAGAIN, EBADF, EBADFD, EFAULT, EIO, ENOBUFS, ENODEV, ENOMEM, ENXIO } = native.errno;

/** Longest frame that the control plane takes: a jumbo frame (ours). */
export const PUNT_LENGTH_MAX = 9_234;

/** Answers to a read after which the device gives nothing any more: it is gone, or going. */
const GONE: readonly number[] = [EBADF, EBADFD, ENODEV, ENXIO, EFAULT];

/** A frame of the burst that has been dealt with. */
const DONE = -1;

/** Where frames for the control plane go. */
export interface PuntSink {
  /**
   * Takes a copy of the frame (Ethernet header first) that `port` received at `atMs`; false if
   * there is no room, and then the frame is dropped.
   */
  punt(port: number, bytes: Uint8Array, offset: number, length: number, atMs: number): boolean;
}

export interface ForwarderOptions {
  /** Shared memory of controlMemoryCreate. */
  memory: SharedArrayBuffer;
  /** Number of this worker in it. */
  worker: number;
  punts: PuntSink;
  /** The clock for the receive time of punted frames. */
  nowMs: () => number;
  /** Frame memory to use; its own if absent. */
  slab?: Slab;
}

/** One worker's forwarder. */
export class Forwarder {
  readonly #words: Int32Array;
  readonly #heldAt: number;
  readonly #counters: CounterWriter;
  readonly #punts: PuntSink;
  readonly #puntLimit = new PuntLimit();
  readonly #nowMs: () => number;
  readonly #receive: Burst;
  readonly #transmit: Burst;
  readonly #ports: (PortIo | undefined)[] = new Array(MAX_PORTS).fill(undefined);
  readonly #visit: Visit = visitCreate();
  readonly #packet: Packet = packetCreate();
  /** Port by which each frame of the burst leaves; DONE if none, or not any more. */
  readonly #outPort = new Int32Array(BURST_MAX);
  #table = 0;
  #isHolding = false;

  constructor(options: ForwarderOptions) {
    const slab = options.slab ?? slabCreate();
    this.#words = new Int32Array(options.memory);
    this.#heldAt = workerOffset(options.worker) + WORKER_HELD;
    this.#counters = new CounterWriter(options.memory, options.worker);
    this.#punts = options.punts;
    this.#nowMs = options.nowMs;
    this.#receive = slab.receive;
    this.#transmit = slab.transmit;
  }

  /** Makes `io` the device of `port`. The port must have none. */
  attach(port: number, io: PortIo): void {
    assert(port >= 0 && port < MAX_PORTS, `port ${port} out of range`);
    assert(this.#ports[port] === undefined, `port ${port} is attached already`);
    this.#ports[port] = io;
  }

  /** Forgets the device of `port`; it is not touched any more. */
  detach(port: number): void {
    this.#ports[port] = undefined;
  }

  /** Holds the current table, see layout.ts. */
  begin(): void {
    for (;;) {
      const generation = Atomics.load(this.#words, WORD_GENERATION);
      Atomics.store(this.#words, this.#heldAt, generation);
      this.#table = tableOffset(generation);
      // Ends: having seen this store, the publisher flips once more at most without our consent.
      if (Atomics.load(this.#words, WORD_GENERATION) === generation) break;
    }
    this.#isHolding = true;
  }

  /** Commits the counters of this breath; the table stays held. */
  commit(): void {
    this.#counters.commit();
  }

  /** Commits, and lets go of the table. */
  end(): void {
    this.#counters.commit();
    this.#isHolding = false;
    Atomics.store(this.#words, this.#heldAt, 0);
  }

  /**
   * Carries at most `limit` frames from `port` to their ends. Returns how many came, or the
   * negative errno with which the device refused to be read; 0 if the port has no device. A device
   * that is there loses the frame that it could not give, also behind others of a burst.
   */
  visit(port: number, limit: number): number {
    assert(this.#isHolding, 'a visit outside a breath');
    const io = this.#ports[port];
    if (io === undefined) return 0;
    const most = limit < BURST_MAX ? limit : BURST_MAX;
    const count = io.receive(this.#receive, most);
    if (count < 0) this.#countRefused(port, -count);
    if (count <= 0) return count;
    if (count < most) this.#countRefused(port, this.#receive.status[count]!);
    this.#countReceived(port, count);
    visitBegin(this.#visit, this.#words, this.#table, port);
    if (port < GROUP_PORT_BASE) this.#decideInput(port, count);
    else this.#decideOutput(port, count);
    this.#send(port, count);
    return count;
  }

  /** One breath that visits one port: for tests and the simulator. Returns as `visit` does. */
  breathe(port: number): number {
    this.begin();
    const count = this.visit(port, BURST_MAX);
    this.end();
    return count;
  }

  /** Writes a frame of the control plane (Ethernet header first) to `port`, once. */
  inject(port: number, bytes: Uint8Array, offset: number, length: number): void {
    this.#counters.add(port, INJECTED, 1);
    const size = length + VNET_HEADER_LENGTH;
    if (length < ETHERNET_HEADER_LENGTH || size >= SLOT_LENGTH) {
      this.#drop(port, size >= SLOT_LENGTH ? DROP_TRUNCATED : DROP_RUNT);
      this.#counters.add(port, INJECTED_DROPPED, 1);
      return;
    }
    const slab = this.#transmit.bytes;
    vnetClear(slab, 0);
    for (let i = 0; i < length; i++) slab[VNET_HEADER_LENGTH + i] = bytes[offset + i]!;
    this.#transmit.slots[0] = 0;
    this.#transmit.lengths[0] = size;
    const written = this.#write(port, port, 1);
    this.#counters.add(port, INJECTED_TRANSMITTED, written);
    this.#counters.add(port, INJECTED_DROPPED, 1 - written);
  }

  #decideInput(port: number, count: number): void {
    const { bytes, slots, lengths, slotLength } = this.#receive;
    const visit = this.#visit;
    const packet = this.#packet;
    for (let i = 0; i < count; i++) {
      const at = slots[i]! * slotLength;
      const length = priorityUntag(bytes, at, lengths[i]!);
      lengths[i] = length;
      const verdict = inputVerdict(this.#words, this.#table, visit, packet, bytes, at, length);
      this.#settle(port, i, verdict, at, length);
    }
  }

  #decideOutput(port: number, count: number): void {
    const { bytes, slots, lengths, slotLength } = this.#receive;
    const visit = this.#visit;
    const packet = this.#packet;
    for (let i = 0; i < count; i++) {
      const at = slots[i]! * slotLength;
      const length = lengths[i]!;
      const verdict = outputVerdict(this.#words, this.#table, visit, packet, bytes, at, length);
      this.#settle(port, i, verdict, at, length);
    }
  }

  /** Notes the way of frame `i` out, or ends it here. */
  #settle(port: number, i: number, verdict: number, at: number, length: number): void {
    this.#outPort[i] = verdict >= 0 ? verdict : DONE;
    if (verdict === PUNT) this.#punt(port, at, length);
    else if (verdict < 0) this.#drop(port, verdict);
  }

  #punt(port: number, at: number, length: number): void {
    const { bytes } = this.#receive;
    const frameLength = length - VNET_HEADER_LENGTH;
    if (frameLength > PUNT_LENGTH_MAX || vnetIsSegmented(bytes, at)) {
      this.#drop(port, DROP_PUNT_REFUSED);
      return;
    }
    const frame = at + VNET_HEADER_LENGTH;
    const nowMs = this.#nowMs();
    const isLimited = port < GROUP_PORT_BASE && isPaced(this.#packet, bytes);
    if (isLimited && !this.#puntLimit.take(port, bytes, frame, nowMs)) {
      this.#drop(port, DROP_PUNT_RATE_LIMITED);
      return;
    }
    vnetCompleteChecksum(bytes, at, frameLength);
    if (this.#punts.punt(port, bytes, frame, frameLength, nowMs)) {
      this.#counters.add(port, PUNTED, 1);
    } else {
      this.#drop(port, DROP_PUNT_FULL);
    }
  }

  #drop(port: number, verdict: number): void {
    this.#counters.add(port, DROPS + verdictReasonIndex(verdict), 1);
  }

  /** Writes what the burst of `port` forwards, one burst for each port on the way out. */
  #send(port: number, count: number): void {
    const { slots, lengths } = this.#receive;
    const out = this.#transmit;
    let forwarded = 0;
    for (let first = 0; first < count; first++) {
      const target = this.#outPort[first]!;
      if (target === DONE) continue;
      let size = 0;
      for (let i = first; i < count; i++) {
        if (this.#outPort[i] !== target) continue;
        this.#outPort[i] = DONE;
        out.slots[size] = slots[i]!;
        out.lengths[size] = lengths[i]!;
        size++;
      }
      forwarded += this.#write(port, target, size);
    }
    this.#counters.add(port, FORWARDED, forwarded);
  }

  /**
   * Writes the first `size` entries of the transmit burst, which came in by `port`, to `target`.
   * Returns how many the device took; each of the others is dropped.
   */
  #write(port: number, target: number, size: number): number {
    const io = this.#ports[target];
    const { bytes, slots, lengths, status, slotLength } = this.#transmit;
    if (io === undefined) status.fill(ENODEV, 0, size);
    else io.transmit(this.#transmit, 0, size);
    let packets = 0;
    let octets = 0;
    for (let i = 0; i < size; i++) {
      const error = status[i]!;
      if (error !== 0) {
        this.#drop(port, transmitDrop(error));
        continue;
      }
      packets++;
      octets += lengths[i]! - VNET_HEADER_LENGTH;
      const frame = slots[i]! * slotLength + VNET_HEADER_LENGTH;
      if (ethernetIsGroup(bytes, frame)) {
        const isBroadcast = macIsBroadcast(bytes, frame);
        this.#counters.add(target, isBroadcast ? TRANSMIT_BROADCAST : TRANSMIT_MULTICAST, 1);
      }
    }
    this.#counters.add(target, TRANSMIT_PACKETS, packets);
    this.#counters.add(target, TRANSMIT_BYTES, octets);
    this.#counters.add(target, TRANSMIT_ERRORS, size - packets);
    return packets;
  }

  /** Counts the frame that a read has lost which failed with `errno`; 0: it did not. */
  #countRefused(port: number, errno: number): void {
    if (errno === 0 || isGone(errno)) return;
    this.#counters.add(port, RECEIVE_PACKETS, 1);
    this.#drop(port, DROP_RECEIVE_REFUSED);
  }

  #countReceived(port: number, count: number): void {
    const { bytes, slots, lengths, slotLength } = this.#receive;
    let octets = 0;
    for (let i = 0; i < count; i++) {
      const length = lengths[i]! - VNET_HEADER_LENGTH;
      if (length < ETHERNET_HEADER_LENGTH) continue;
      octets += length;
      const frame = slots[i]! * slotLength + VNET_HEADER_LENGTH;
      if (ethernetIsGroup(bytes, frame)) {
        const isBroadcast = macIsBroadcast(bytes, frame);
        this.#counters.add(port, isBroadcast ? RECEIVE_BROADCAST : RECEIVE_MULTICAST, 1);
      }
    }
    this.#counters.add(port, RECEIVE_PACKETS, count);
    this.#counters.add(port, RECEIVE_BYTES, octets);
  }
}

/** True if a device that refused to be read with `errno` gives nothing any more. */
export function isGone(errno: number): boolean {
  return GONE.includes(errno);
}

/** The drop of a frame that a device refused with `error`. */
function transmitDrop(error: number): number {
  switch (error) {
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
      return DROP_TRANSMIT_FULL;
    case EIO:
      return DROP_TRANSMIT_DOWN;
    case EBADF:
    case EBADFD:
    case ENODEV:
      return DROP_TRANSMIT_GONE;
    default:
      return DROP_TRANSMIT_REFUSED;
  }
}

function macIsBroadcast(bytes: Uint8Array, at: number): boolean {
  let all = 0xff;
  for (let i = 0; i < 6; i++) all &= bytes[at + i]!;
  return all === 0xff;
}
