/**
 * The loop of a worker: breaths while there is something to do, else a wait in native code.
 *
 * One breath holds the table, carries out commands, writes what the control plane injects, and
 * visits each port that has frames, once, for at most one burst: so a busy port delays the others
 * by one burst at most. A port that gives a full burst stays ready; every WAIT_EVERY breaths the
 * others are asked too.
 *
 * The main thread calls a worker by workerCall: it puts its data down, sets CALLED, and rings if
 * HELD is 0. With nothing to do the worker lets go of the table, looks once more at CALLED, and
 * waits; so either it sees the call or the caller sees that it has to ring. The wait ends after
 * WAIT_MAX_MS in any case.
 *
 * The loop uses neither threads nor descriptors: what it needs of them is WorkerPark, so it runs
 * in tests as it runs in a worker.
 */

import { type Forwarder, isGone, type PuntSink } from './forwarder.ts';
import type { PortIo } from './port.ts';
import type { CommandRing, FrameRing } from './ring.ts';
import { BURST_MAX } from './slab.ts';
import { MAX_PORTS } from './tables/fib.ts';
import {
  WORD_PENDING,
  WORKER_BELL,
  WORKER_BREATHS,
  WORKER_CALLED,
  WORKER_COMMANDS_DONE,
  WORKER_HELD,
  WORKER_STOP,
  workerOffset,
} from './tables/layout.ts';

/** The longest wait: a worker that missed a ring is late by this at most. */
export const WAIT_MAX_MS = 100;
/** Breaths between two looks at all ports while some are busy. */
const WAIT_EVERY = 8;
/** Frames of the control plane written in a breath. */
const INJECT_MAX = 64;
/** Reads in a row that a device may refuse before it counts as broken (ours). */
export const REFUSALS_MAX = 64;
/** Ports that one wait can report. */
const READY_MAX = 128;

// What a command asks for.
/** A device for `port`: descriptor `fd`; `option` 1 if this worker reads it. */
export const COMMAND_ATTACH = 1;
/** No device for `port` any more; the descriptor is not touched again. */
export const COMMAND_DETACH = 2;

/** What the loop needs of its thread. */
export interface WorkerPark {
  /** The device behind a descriptor. */
  open(fd: number): PortIo;
  /** Reports `port` from `wait` while `fd` is readable or broken. */
  watch(fd: number, port: number): void;
  unwatch(fd: number): void;
  /** Waits for a port or a ring; fills `ready` with ports and returns how many. */
  wait(timeoutMs: number, ready: Int32Array): number;
  /** The monotonic clock of the main thread. */
  nowMs(): number;
  /** Sends a message to the main thread: a ring (coalesced by WORKER_BELL). */
  bell(): void;
  /** Reports that the device of `port` can no longer be read. `errno` is positive. */
  portError(port: number, errno: number): void;
}

export interface WorkerLoopOptions {
  memory: SharedArrayBuffer;
  worker: number;
  forwarder: Forwarder;
  park: WorkerPark;
  commands: CommandRing;
  injections: FrameRing;
  punts: RingPunts;
}

/**
 * Has `worker` look at its rings and its stop word, after they were filled: it is called, and its
 * wait is ended by `ring` if it may be waiting.
 */
export function workerCall(words: Int32Array, worker: number, ring: () => void): void {
  const own = workerOffset(worker);
  Atomics.store(words, own + WORKER_CALLED, 1);
  if (Atomics.load(words, own + WORKER_HELD) === 0) ring();
}

/**
 * Whether `worker` is called and has not begun to look: then it will see what was put down before
 * this was asked. Thousands of frames in a row need no call each.
 */
export function workerIsCalled(words: Int32Array, worker: number): boolean {
  return Atomics.load(words, workerOffset(worker) + WORKER_CALLED) !== 0;
}

/** The punt sink of a worker: its ring to the main thread, and whether that must be rung. */
export class RingPunts implements PuntSink {
  readonly #ring: FrameRing;
  hasNew = false;

  constructor(ring: FrameRing) {
    this.#ring = ring;
  }

  punt(port: number, bytes: Uint8Array, offset: number, length: number, atMs: number): boolean {
    if (!this.#ring.push(port, bytes, offset, length, atMs)) return false;
    this.hasNew = true;
    return true;
  }
}

/** One worker's loop; `run` returns when the stop word is set. */
export class WorkerLoop {
  readonly #options: WorkerLoopOptions;
  readonly #words: Int32Array;
  readonly #own: number;
  readonly #waited = new Int32Array(READY_MAX);
  /** Ports that may have frames, and whether a port is among them. */
  readonly #ready = new Int32Array(MAX_PORTS);
  readonly #isReady = new Uint8Array(MAX_PORTS);
  #readyCount = 0;
  /** Descriptor of each attached port; watched if this worker reads it. */
  readonly #fds = new Int32Array(MAX_PORTS).fill(-1);
  readonly #isWatched = new Uint8Array(MAX_PORTS);
  /** Reads in a row that the device of each port has refused. */
  readonly #refusals = new Int32Array(MAX_PORTS);
  #breaths = 0;
  #isStopped = false;
  /** Injections were left in their ring by the last breath. */
  #hasInjections = false;

  constructor(options: WorkerLoopOptions) {
    this.#options = options;
    this.#words = new Int32Array(options.memory);
    this.#own = workerOffset(options.worker);
  }

  /** Breathes and waits until a call finds the stop word set. */
  run(): void {
    this.#isStopped = false;
    for (;;) {
      this.#breathe();
      if (this.#isStopped) break;
      if (this.#readyCount === 0) this.#sleep();
      else if (this.#breaths % WAIT_EVERY === 0) this.#look(0);
    }
    this.#options.forwarder.end();
  }

  /** One breath. The table stays held until the worker sleeps. */
  #breathe(): void {
    const { forwarder, punts } = this.#options;
    forwarder.begin();
    let mustRing = this.#isCalled() && this.#answerCall();
    for (let i = this.#readyCount - 1; i >= 0; i--) this.#visit(this.#ready[i]!, i);
    forwarder.commit();
    this.#breaths = (this.#breaths + 1) | 0;
    Atomics.store(this.#words, this.#own + WORKER_BREATHS, this.#breaths);
    if (punts.hasNew) {
      punts.hasNew = false;
      mustRing = true;
    }
    if (mustRing || this.#isAwaited()) this.#ring();
  }

  #isCalled(): boolean {
    return this.#hasInjections || workerIsCalled(this.#words, this.#options.worker);
  }

  /** Does what the main thread has asked for; true if the main thread must be called. */
  #answerCall(): boolean {
    // Before looking: what comes later calls again.
    Atomics.store(this.#words, this.#own + WORKER_CALLED, 0);
    this.#isStopped = Atomics.load(this.#words, this.#own + WORKER_STOP) !== 0;
    const hasCommands = this.#takeCommands();
    this.#takeInjections();
    return hasCommands;
  }

  /** The publisher waits until a worker lets go, which this one has just done. */
  #isAwaited(): boolean {
    return Atomics.load(this.#words, WORD_PENDING) !== 0;
  }

  #visit(port: number, index: number): void {
    const { forwarder, park } = this.#options;
    const count = forwarder.visit(port, BURST_MAX);
    if (count > 0) this.#refusals[port] = 0;
    if (count === BURST_MAX) return;
    this.#ready[index] = this.#ready[--this.#readyCount]!;
    this.#isReady[port] = 0;
    if (count >= 0) return;
    // The next read may succeed; the port is reported again while it has frames.
    if (!isGone(-count) && ++this.#refusals[port]! < REFUSALS_MAX) return;
    this.#unwatch(port);
    park.portError(port, -count);
  }

  #sleep(): void {
    const { forwarder } = this.#options;
    forwarder.end();
    if (this.#isAwaited()) this.#ring();
    this.#look(this.#isCalled() ? 0 : WAIT_MAX_MS);
  }

  /** Adds the ports that have frames to those that are ready. */
  #look(timeoutMs: number): void {
    const count = this.#options.park.wait(timeoutMs, this.#waited);
    for (let i = 0; i < count; i++) {
      const port = this.#waited[i]!;
      if (this.#isReady[port] !== 0) continue;
      this.#isReady[port] = 1;
      this.#ready[this.#readyCount++] = port;
    }
  }

  /** Carries out what waits in the command ring; true if there was something. */
  #takeCommands(): boolean {
    const { commands, forwarder, park } = this.#options;
    let done = 0;
    while (commands.pop()) {
      const { what, port, fd, option } = commands;
      this.#forget(port);
      if (what === COMMAND_ATTACH) {
        forwarder.attach(port, park.open(fd));
        this.#fds[port] = fd;
        if (option === 1) {
          park.watch(fd, port);
          this.#isWatched[port] = 1;
        }
      }
      done++;
    }
    if (done > 0) Atomics.add(this.#words, this.#own + WORKER_COMMANDS_DONE, done);
    return done > 0;
  }

  #forget(port: number): void {
    this.#unwatch(port);
    this.#fds[port] = -1;
    this.#refusals[port] = 0;
    this.#options.forwarder.detach(port);
  }

  #unwatch(port: number): void {
    if (this.#isWatched[port] === 0) return;
    this.#isWatched[port] = 0;
    this.#options.park.unwatch(this.#fds[port]!);
  }

  #takeInjections(): void {
    const { injections, forwarder } = this.#options;
    for (let i = 0; i < INJECT_MAX && injections.next(); i++) {
      forwarder.inject(injections.port, injections.bytes, injections.offset, injections.length);
      injections.release();
    }
    this.#hasInjections = !injections.isEmpty;
  }

  #ring(): void {
    if (Atomics.exchange(this.#words, this.#own + WORKER_BELL, 1) === 0) this.#options.park.bell();
  }
}
