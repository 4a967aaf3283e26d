/**
 * The workers as the daemon uses them: start, devices, publication, messages, stop.
 *
 * Worker i owns queue i of every device. A device with fewer queues than workers is read by as many
 * workers as it has queues, and written by all. Frames of the control plane are written by the
 * first worker, so that they keep their order.
 *
 * A worker has no event loop while it works. It gets its work by rings and words, and its eventfd
 * wakes it. It sends one message as a bell, and the main thread then looks at everything: punts,
 * commands carried out, a publication that waits.
 */

import { Worker } from 'node:worker_threads';
import { assert } from '../base/assert.ts';
import { OperatorError } from '../base/errors.ts';
import { assertNoOpenRegion } from '../base/lock.ts';
import { native } from '../native/addon.ts';
import type { DatapathDropReason } from '../stats/drop-reasons.ts';
import { CounterReader, type DatapathTotals, type PortCounters } from './counters.ts';
import { PUNT_LENGTH_MAX } from './forwarder.ts';
import { CommandRing, commandRingCreate, FrameRing, frameRingCreate } from './ring.ts';
import type { Publication } from './tables/fib.ts';
import {
  carrierWords,
  controlMemoryCreate,
  WORKER_BELL,
  WORKER_BREATHS,
  WORKER_COMMANDS_DONE,
  WORKER_STOP,
  workerOffset,
} from './tables/layout.ts';
import { TablePublisher } from './tables/publish.ts';
import { COMMAND_ATTACH, COMMAND_DETACH, workerCall, workerIsCalled } from './worker-loop.ts';
import { clockOffset, type WorkerMessage, type WorkerStart } from './worker-start.ts';

/** Bytes of a punt or injection ring: some thousand frames of ARP, or 28 jumbo frames (ours). */
const FRAME_RING_BYTES = 256 * 1024;
/** Punts handled in one turn of the event loop, so that others get theirs (ours). */
const PUNTS_PER_TURN = 64;

/** A frame that a worker handed up: Ethernet header first, received by `port` at `atMs`. */
export interface PuntedFrame {
  readonly port: number;
  readonly frame: Uint8Array;
  readonly atMs: number;
}

export interface DatapathPoolOptions {
  /** Number of workers, 1 to MAX_WORKERS. */
  workers: number;
}

/** Refused: it will never be written. Full: there is no room for it now. */
export type Injection = 'taken' | 'full' | 'refused';

interface Command {
  readonly what: number;
  readonly port: number;
  readonly fd: number;
  readonly option: number;
}

/** The main thread's state of one worker. */
interface WorkerSide {
  readonly thread: Worker;
  readonly wakeFd: number;
  readonly commands: CommandRing;
  readonly injections: FrameRing;
  readonly punts: FrameRing;
  /** Commands that found the ring full. */
  readonly waiting: Command[];
  /** Commands ever given, modulo 2^32, and the callers that wait until so many are carried out. */
  given: number;
  readonly waiters: { readonly upTo: number; readonly resolve: () => void }[];
  /** Of its thread; lower is earlier. 0 until it is ready. */
  nice: number;
  /** The remaining punts are taken in a later turn, which has been requested. */
  isDraining: boolean;
  hasExited: boolean;
}

/** The datapath of a daemon. */
export class DatapathPool {
  readonly #memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #publisher: TablePublisher;
  readonly #counters: CounterReader;
  readonly #sides: WorkerSide[] = [];
  #isStopping = false;

  /** Four words per NIC, to be written by the carrier watch alone. */
  readonly carrierWords: Int32Array;
  /** Eventfds to ring when a carrier word has changed. */
  readonly wakeFds: readonly number[];
  /** A frame for the control plane (Ethernet header first, its own copy), and when it came. */
  onPunts: (frames: readonly PuntedFrame[]) => void = () => undefined;
  /** The device of `port` cannot be read any more; it is not read again until attached anew. */
  onPortError: (port: number, errno: number) => void = () => undefined;
  /** A worker died of `error`: the process cannot go on. */
  onFailure: (worker: number, error: Error) => void = (_worker, error) => {
    throw error;
  };

  constructor({ workers }: DatapathPoolOptions) {
    this.#memory = controlMemoryCreate(workers);
    this.#words = new Int32Array(this.#memory);
    this.#publisher = new TablePublisher(this.#memory, (worker) => this.#call(worker));
    this.#counters = new CounterReader(this.#memory);
    this.carrierWords = carrierWords(this.#memory);
    this.wakeFds = Array.from({ length: workers }, () => native.eventfdCreate());
  }

  /** Starts the workers; resolves when all are in their loops. */
  async start(): Promise<void> {
    const ready = this.wakeFds.map((wakeFd, worker) => this.#startWorker(worker, wakeFd));
    await Promise.all(ready);
  }

  /** The nice value of each worker that is ready. */
  nices(): number[] {
    return this.#sides.map(({ nice }) => nice);
  }

  get publication(): Publication {
    return this.#publisher;
  }

  /**
   * Gives the device behind `fds` to `port`: one descriptor for each worker, or fewer. They are
   * non-blocking and stay the caller's. Resolves when every worker has taken its own.
   */
  async attach(port: number, fds: readonly number[]): Promise<void> {
    const workers = this.#sides.length;
    assert(fds.length >= 1 && fds.length <= workers, `${fds.length} queues, ${workers} workers`);
    // With too few queues their readers are not the same workers for every port.
    const shift = fds.length < workers ? port % workers : 0;
    const done = this.#sides.map((side, worker) => {
      const queue = (worker + shift) % workers;
      const fd = fds[queue % fds.length]!;
      return this.#command(side, {
        what: COMMAND_ATTACH,
        port,
        fd,
        option: queue < fds.length ? 1 : 0,
      });
    });
    await Promise.all(done);
  }

  /**
   * Takes the device from `port`. When this resolves no worker touches its descriptors any more.
   */
  async detach(port: number): Promise<void> {
    const command: Command = { what: COMMAND_DETACH, port, fd: -1, option: 0 };
    await Promise.all(this.#sides.map((side) => this.#command(side, command)));
  }

  /** Has `frame` (Ethernet header first) written to `port`. */
  inject(port: number, frame: Uint8Array): Injection {
    assertNoOpenRegion('injection');
    const side = this.#sides[0];
    if (side === undefined || this.#isStopping || frame.length > PUNT_LENGTH_MAX) return 'refused';
    if (!side.injections.push(port, frame, 0, frame.length, 0)) return 'full';
    if (!workerIsCalled(this.#words, 0)) this.#call(0);
    return 'taken';
  }

  /** The counters of `port`, exact, summed over the workers. */
  portCounters(port: number): PortCounters {
    return this.#counters.port(port);
  }

  /** What all ports counted together, exact while no frame is on its way. */
  totals(): DatapathTotals {
    return this.#counters.totals();
  }

  /** The same of each worker alone. */
  workerTotals(): DatapathTotals[] {
    return this.#counters.workerTotals();
  }

  /** Dropped frames by reason, of one port they came in by, or of all. */
  dropCounters(port?: number): Map<DatapathDropReason, bigint> {
    return port === undefined ? this.#counters.drops() : this.#counters.portDrops(port);
  }

  /** Breaths of each worker, modulo 2^32: each moves at least ten times a second. */
  breaths(): number[] {
    return this.#sides.map((_side, worker) => {
      return Atomics.load(this.#words, workerOffset(worker) + WORKER_BREATHS);
    });
  }

  /** Ends the workers; resolves when all have exited. The devices' descriptors stay open. */
  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    const exits = this.#sides.map((side, worker) => {
      Atomics.store(this.#words, workerOffset(worker) + WORKER_STOP, 1);
      this.#call(worker);
      if (side.hasExited) return undefined;
      return new Promise((resolve) => side.thread.once('exit', resolve));
    });
    await Promise.all(exits);
    await Promise.all(this.wakeFds.map((fd) => native.later.deviceClose(fd)));
  }

  #startWorker(worker: number, wakeFd: number): Promise<void> {
    const punts = frameRingCreate(FRAME_RING_BYTES);
    const injections = frameRingCreate(FRAME_RING_BYTES);
    const commands = commandRingCreate();
    const start: WorkerStart = {
      worker,
      memory: this.#memory,
      punts,
      injections,
      commands,
      wakeFd,
      clockOffsetMs: clockOffset(),
    };
    const thread = new Worker(new URL('./worker.js', import.meta.url), { workerData: start });
    const side: WorkerSide = {
      thread,
      wakeFd,
      commands: new CommandRing(commands),
      injections: new FrameRing(injections),
      punts: new FrameRing(punts),
      waiting: [],
      given: 0,
      waiters: [],
      nice: 0,
      isDraining: false,
      hasExited: false,
    };
    this.#sides.push(side);
    return new Promise((resolve, reject) => {
      thread.on('message', (message: WorkerMessage) => {
        if (message.kind === 'ready') {
          side.nice = message.nice;
          resolve();
        } else if (message.kind === 'bell') this.#handleBell(worker, side);
        else this.onPortError(message.port, message.errno);
      });
      thread.once('error', (error: Error) => {
        reject(error);
        this.onFailure(worker, error);
      });
      thread.once('exit', (code) => {
        this.#handleExit(side);
        if (code === 0 && !this.#isStopping) {
          this.onFailure(worker, new OperatorError('EIO', `datapath worker ${worker} ended`));
        }
      });
    });
  }

  /** Everything for which a worker may have rung. */
  #handleBell(worker: number, side: WorkerSide): void {
    // Before looking: what comes later rings again.
    Atomics.store(this.#words, workerOffset(worker) + WORKER_BELL, 0);
    this.#publisher.retry();
    this.#flushCommands(worker, side);
    this.#settleWaiters(worker, side);
    if (!side.isDraining) this.#drainPunts(side);
  }

  /** A worker that is gone touches nothing any more: callers that waited for that go on. */
  #handleExit(side: WorkerSide): void {
    side.hasExited = true;
    for (const { resolve } of side.waiters.splice(0)) resolve();
  }

  #command(side: WorkerSide, command: Command): Promise<void> {
    assertNoOpenRegion('command to a worker');
    if (side.hasExited) return Promise.resolve();
    const worker = this.#sides.indexOf(side);
    side.given = (side.given + 1) | 0;
    const { given } = side;
    side.waiting.push(command);
    this.#flushCommands(worker, side);
    return new Promise((resolve) => side.waiters.push({ upTo: given, resolve }));
  }

  #flushCommands(worker: number, side: WorkerSide): void {
    let hasPushed = false;
    for (;;) {
      const next = side.waiting[0];
      if (next === undefined) break;
      if (!side.commands.push(next.what, next.port, next.fd, next.option)) break;
      side.waiting.shift();
      hasPushed = true;
    }
    if (hasPushed) this.#call(worker);
  }

  #settleWaiters(worker: number, side: WorkerSide): void {
    const done = Atomics.load(this.#words, workerOffset(worker) + WORKER_COMMANDS_DONE);
    while (side.waiters.length > 0 && ((done - side.waiters[0]!.upTo) | 0) >= 0) {
      side.waiters.shift()?.resolve();
    }
  }

  #drainPunts(side: WorkerSide): void {
    const { punts } = side;
    side.isDraining = false;
    const frames: PuntedFrame[] = [];
    while (frames.length < PUNTS_PER_TURN && punts.next()) {
      const { port, atMs, offset, length } = punts;
      frames.push({ port, frame: punts.bytes.slice(offset, offset + length), atMs });
      punts.release();
    }
    if (frames.length > 0) this.onPunts(frames);
    if (frames.length < PUNTS_PER_TURN) return;
    side.isDraining = true;
    setImmediate(() => this.#drainPunts(side));
  }

  #call(worker: number): void {
    workerCall(this.#words, worker, () => native.eventfdRing(this.wakeFds[worker]!));
  }
}
