/**
 * A worker's loop and forwarder at full speed without a thread or a device: ports that hand out
 * the frames of traffic.ts in turn, and a park that takes punts, gives injections, and
 * moves carriers now and then. Once warm it allocates nothing itself, whatever it is asked: so
 * what is allocated while it runs is the datapath's.
 */

import { CounterReader, counterAdd } from '../../../src/datapath/counters.ts';
import { Forwarder } from '../../../src/datapath/forwarder.ts';
import type { Burst, PortIo } from '../../../src/datapath/port.ts';
import {
  CommandRing,
  commandRingCreate,
  FrameRing,
  frameRingCreate,
} from '../../../src/datapath/ring.ts';
import {
  carrierWords,
  controlMemoryCreate,
  WORKER_BELL,
  WORKER_STOP,
  workerOffset,
} from '../../../src/datapath/tables/layout.ts';
import { TablePublisher } from '../../../src/datapath/tables/publish.ts';
import {
  COMMAND_ATTACH,
  RingPunts,
  WorkerLoop,
  type WorkerPark,
  workerCall,
} from '../../../src/datapath/worker-loop.ts';
import { native } from '../../../src/native/addon.ts';
import { BROADCAST, etherFrame, NET0, NET1, NET4, NIC_MACS } from './harness.ts';
import { type Kind, TRAFFIC_PORTS, trafficTables } from './traffic.ts';

/** Sizes of the bursts that a port gives in turn: full ones keep it ready, others do not. */
const BURSTS = Int32Array.of(64, 64, 64, 17, 64, 1, 64, 64, 32, 3);
/** Each of so many frames finds the device without room. */
const FULL_EVERY = 1009;
const { EAGAIN } = native.errno;
/** Waits between two changes of a carrier, and between two injections. */
const CARRIER_EVERY = 64;
const INJECT_EVERY = 2;

/** A port that hands out its kinds for ever and takes what is written. */
class TrafficPort implements PortIo {
  readonly kinds: readonly Kind[];
  /** Frames handed out of each kind. */
  readonly given: Int32Array;
  readonly #order: readonly number[];
  #next = 0;
  #bursts = 0;
  #untilFull = FULL_EVERY;

  constructor(kinds: readonly Kind[]) {
    this.kinds = kinds;
    this.given = new Int32Array(kinds.length);
    this.#order = kinds.flatMap(({ share }, index) => new Array<number>(share).fill(index));
  }

  receive({ bytes, slots, lengths, slotLength }: Burst, count: number): number {
    if (this.#order.length === 0) return 0;
    const burst = BURSTS[this.#bursts]!;
    this.#bursts = (this.#bursts + 1) % BURSTS.length;
    const size = burst < count ? burst : count;
    for (let i = 0; i < size; i++) {
      const index = this.#order[this.#next]!;
      this.#next = (this.#next + 1) % this.#order.length;
      const { head, length } = this.kinds[index]!;
      bytes.set(head, slots[i]! * slotLength);
      lengths[i] = length;
      this.given[index] = this.given[index]! + 1;
    }
    return size;
  }

  transmit({ status }: Burst, from: number, count: number): void {
    for (let i = from; i < from + count; i++) {
      const isFull = --this.#untilFull === 0;
      if (isFull) this.#untilFull = FULL_EVERY;
      status[i] = isFull ? EAGAIN : 0;
    }
  }
}

/** The harness: one worker's loop over one port for each of TRAFFIC_PORTS. */
export class LoopHarness implements WorkerPark {
  readonly counters: CounterReader;
  readonly ports: ReadonlyMap<number, TrafficPort>;
  readonly #loop: WorkerLoop;
  readonly #words: Int32Array;
  readonly #carrier: Int32Array;
  readonly #injections: FrameRing;
  readonly #punts: FrameRing;
  readonly #injected = etherFrame(BROADCAST, NIC_MACS[0]!, 0x0806);
  readonly #ready = Int32Array.from(TRAFFIC_PORTS);
  #nowMs = 0;
  #waits = 0;
  #endWaits = 0;

  /** Only `kinds` come in. */
  constructor(kinds: readonly Kind[]) {
    const memory = controlMemoryCreate(1);
    this.#words = new Int32Array(memory);
    this.#carrier = carrierWords(memory);
    this.counters = new CounterReader(memory);
    this.ports = new Map(
      TRAFFIC_PORTS.map((port) => [port, new TrafficPort(kinds.filter((k) => k.port === port))]),
    );
    publish(new TablePublisher(memory));
    showCarries();
    const [commands, injections, punts] = [
      commandRingCreate(),
      frameRingCreate(1 << 16),
      frameRingCreate(1 << 18),
    ];
    this.#injections = new FrameRing(injections);
    this.#punts = new FrameRing(punts);
    const sink = new RingPunts(new FrameRing(punts));
    this.#loop = new WorkerLoop({
      memory,
      worker: 0,
      forwarder: new Forwarder({ memory, worker: 0, punts: sink, nowMs: () => this.nowMs() }),
      park: this,
      commands: new CommandRing(commands),
      injections: new FrameRing(injections),
      punts: sink,
    });
    const giver = new CommandRing(commands);
    for (const port of TRAFFIC_PORTS) giver.push(COMMAND_ATTACH, port, port, 1);
    this.#call();
  }

  /** Runs the loop for `waits` waits: some hundred frames each. */
  run(waits: number): void {
    this.#endWaits = this.#waits + waits;
    Atomics.store(this.#words, workerOffset(0) + WORKER_STOP, 0);
    this.#loop.run();
  }

  /** Frames that the ports have handed out, all together. */
  frames(): number {
    let sum = 0;
    for (const { given } of this.ports.values()) for (const count of given) sum += count;
    return sum;
  }

  open(fd: number): PortIo {
    const port = this.ports.get(fd);
    if (port === undefined) throw new Error(`no port ${fd}`);
    return port;
  }

  watch(): void {}
  unwatch(): void {}

  wait(_timeoutMs: number, ready: Int32Array): number {
    this.#waits++;
    this.#nowMs++;
    if (this.#waits === this.#endWaits) {
      Atomics.store(this.#words, workerOffset(0) + WORKER_STOP, 1);
      this.#call();
    }
    if (this.#waits % CARRIER_EVERY === 0) {
      const isDown = (this.#waits / CARRIER_EVERY) & 1;
      Atomics.store(this.#carrier, NET1 * 4, isDown);
    }
    if (this.#waits % INJECT_EVERY === 0) {
      this.#injections.push(NET0, this.#injected, 0, this.#injected.length, 0);
      this.#call();
    }
    for (let i = 0; i < this.#ready.length; i++) ready[i] = this.#ready[i]!;
    return this.#ready.length;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  /** The main thread's part: it takes all punts and may be rung again. */
  bell(): void {
    while (this.#punts.next()) this.#punts.release();
    Atomics.store(this.#words, workerOffset(0) + WORKER_BELL, 0);
  }

  /** The main thread's part of a call: the loop is in `wait`, which ends by itself. */
  #call(): void {
    workerCall(this.#words, 0, noRing);
  }

  portError(port: number, errno: number): void {
    throw new Error(`port ${port} failed with ${errno}`);
  }
}

const noRing = (): void => undefined;

/** A counter of bytes carries once in 4 GiB: code that has not seen it is compiled anew then. */
function showCarries(): void {
  const words = new Int32Array(3);
  for (let i = 0; i < 1000; i++) counterAdd(words, 0, 2 ** 31 + 1);
}

function publish(publisher: TablePublisher): void {
  publisher.replace(trafficTables());
  publisher.setActiveMembers(0, 0b11, 0);
  publisher.setActiveMembers(1, 0b1, 0);
  publisher.setActiveMembers(2, 0, 1 << 31);
  publisher.setCastMember(0, NET0);
  publisher.setCastMember(1, NET4);
  publisher.setCastMember(2, 5);
  publisher.setPlacement(1, NET1);
}
