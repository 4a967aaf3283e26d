/**
 * What a frame costs the forwarder alone: no system call, no copy, no worker. The ports hold one
 * burst for ever and only put back what the forwarder rewrites. The length of a frame plays no
 * part, since only its headers are looked at.
 *
 * A breath is counted whole: holding the table, the visit, committing the counters.
 */

import { writeU16, writeU32 } from '../../../src/base/bytes.ts';
import { CounterReader } from '../../../src/datapath/counters.ts';
import { Forwarder } from '../../../src/datapath/forwarder.ts';
import { type Burst, type PortIo, VNET_HEADER_LENGTH } from '../../../src/datapath/port.ts';
import { BURST_MAX, slabCreate } from '../../../src/datapath/slab.ts';
import { controlMemoryCreate } from '../../../src/datapath/tables/layout.ts';
import { TablePublisher } from '../../../src/datapath/tables/publish.ts';
import {
  FAMILIES,
  type FamilyPlan,
  HOST,
  NET0,
  NET1,
  worldTables,
} from '../../unit/datapath/harness.ts';
import { addTo, type Rounds } from '../figures.ts';
import { WrongTransfer } from '../side-by-side/transfers.ts';

/** Rounds that only warm up (ours): the optimising compiler is done by then. */
const COLD_ROUNDS = 4;
/** Breaths between two looks at the clock. */
const BREATHS_PER_LOOK = 256;

/** A port whose burst is always there. */
class StillPort implements PortIo {
  readonly #frame: Uint8Array;
  readonly #burst: number;
  readonly #macHigh: number;
  readonly #macLow: number;
  sent = 0;

  constructor(frame: Uint8Array, burst: number) {
    this.#frame = frame;
    this.#burst = burst;
    const view = new DataView(frame.buffer, frame.byteOffset);
    this.#macHigh = view.getUint16(0);
    this.#macLow = view.getUint32(2);
  }

  /** Writes the frame into all slots that `receive` will name. */
  fill({ bytes, slots, slotLength }: Burst): void {
    for (const slot of slots) bytes.set(this.#frame, slot * slotLength + VNET_HEADER_LENGTH);
  }

  receive({ bytes, slots, lengths, slotLength }: Burst): number {
    for (let i = 0; i < this.#burst; i++) {
      const frame = slots[i]! * slotLength + VNET_HEADER_LENGTH;
      writeU16(bytes, frame, this.#macHigh);
      writeU32(bytes, frame + 2, this.#macLow);
      lengths[i] = VNET_HEADER_LENGTH + this.#frame.length;
    }
    return this.#burst;
  }

  transmit({ status }: Burst, from: number, count: number): void {
    status.fill(0, from, from + count);
    this.sent += count;
  }
}

/** One direction with bursts of one size: a forwarder between two NICs and the group's device. */
class Way {
  readonly name: string;
  readonly #forwarder: Forwarder;
  readonly #port: number;
  readonly #burst: number;
  readonly #targets: StillPort[] = [];
  readonly #counters: CounterReader;
  #frames = 0;

  constructor({ name, fromHost, fromWire }: FamilyPlan, port: number, burst: number) {
    const way = port === HOST ? 'out' : 'in';
    this.name = `${name} ${way}, bursts of ${burst}`;
    this.#port = port;
    this.#burst = burst;
    const memory = controlMemoryCreate(1);
    const slab = slabCreate();
    const punts = { punt: () => false };
    this.#forwarder = new Forwarder({ memory, worker: 0, punts, nowMs: () => 0, slab });
    this.#counters = new CounterReader(memory);
    const publisher = new TablePublisher(memory);
    publisher.replace(worldTables());
    publisher.setActiveMembers(0, 0b11, 0);
    publisher.setCastMember(0, NET0);
    const frame = port === HOST ? fromHost() : fromWire();
    for (const each of [HOST, NET0, NET1]) {
      const io = new StillPort(frame, burst);
      this.#forwarder.attach(each, io);
      if (each === port) io.fill(slab.receive);
      else this.#targets.push(io);
    }
  }

  /** One round, in nanoseconds a frame. @throws WrongTransfer if one was lost or not counted */
  run(runMs: number): number {
    const before = this.#frames;
    const start = performance.now();
    let now = start;
    while (now - start < runMs) {
      for (let i = 0; i < BREATHS_PER_LOOK; i++) this.#forwarder.breathe(this.#port);
      this.#frames += BREATHS_PER_LOOK * this.#burst;
      now = performance.now();
    }
    const sent = this.#targets.reduce((sum, port) => sum + port.sent, 0);
    const { forwarded } = this.#counters.port(this.#port);
    if (sent !== this.#frames || forwarded !== BigInt(sent)) {
      throw new WrongTransfer(
        `${this.name}: ${this.#frames} in, ${sent} out, ${forwarded} counted`,
      );
    }
    return ((now - start) * 1e6) / (this.#frames - before);
  }
}

/**
 * Measures all ways of both families in turn, `runMs` milliseconds a round each: six seconds in all
 * by default. @throws WrongTransfer
 */
export function measureForwarder({ rounds = 9, runMs = 50 } = {}): Rounds {
  const values = new Map<string, number[]>();
  const ways = [BURST_MAX, 1].flatMap((burst) =>
    [HOST, NET0].flatMap((port) => FAMILIES.map((plan) => new Way(plan, port, burst))),
  );
  for (let round = 0; round < COLD_ROUNDS + rounds; round++) {
    for (const way of ways) {
      const ns = way.run(runMs);
      if (round >= COLD_ROUNDS) addTo(values, way.name, ns);
    }
  }
  return values;
}
