/**
 * The turn of the system: after each input, its decisions are carried out in the order of urgency:
 * frames, requests to the host, events. Then a timer is set for the system's next deadline. Of many
 * events a number is passed on in each turn: their readers write them down, which takes longer than
 * all other work. A frame that finds no room on its way to a worker waits for some, and the others
 * behind it in the system's own queue, which is bounded.
 *
 * Every input of the system goes through `input`, so each decision is carried out.
 */

import type { Operation, Task } from '../base/operation.ts';
import type { Injection, PuntedFrame } from '../datapath/pool.ts';
import type { Clock, Timer } from '../process/clock.ts';
import type { HostRequest, System, SystemEvent, Transmission } from '../system.ts';

/** Where decisions go. None of these may give the system an input before it returns. */
export interface PumpOutlets {
  /** A frame that is refused is lost, as on any wire, and counted. */
  readonly transmit: (port: number, frame: Uint8Array) => Injection;
  readonly request: (request: HostRequest) => void;
  readonly event: (event: SystemEvent) => void;
  /** Our own mistake: the process cannot go on. */
  readonly fail: (error: unknown) => void;
}

/** Events passed on in one turn: together about a millisecond (ours). */
const EVENTS_A_TURN = 50;

/** Ours: how soon room is looked for again; by then a worker has written hundreds of frames. */
const ROOM_MS = 1;

/** Ours: longer waits are cut, so that a timer never overflows (setTimeout takes 31 bits). */
const WAIT_MAX_MS = 3_600_000;

/** Drives one system by the host's clock. */
export class Pump {
  readonly #system: System;
  readonly #clock: Clock;
  readonly #outlets: PumpOutlets;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #isTurning = false;
  /** Events are left; a turn for them has been asked for. */
  #isToContinue = false;
  /** To be called when no event is left. */
  #afterEvents: (() => void)[] = [];
  #isStopped = false;
  #lostFrames = 0n;
  /** The frame that found no room. */
  #waiting: Transmission | undefined;
  #isAskingForRoom = false;

  constructor(system: System, clock: Clock, outlets: PumpOutlets) {
    this.#system = system;
    this.#clock = clock;
    this.#outlets = outlets;
    system.scheduler.onReady = () => queueMicrotask(() => this.input(() => undefined));
  }

  /** Frames that no worker took, or will. */
  get lostFrames(): bigint {
    return this.#lostFrames;
  }

  /** Gives the system an input at the present time, and carries out what follows from it. */
  input(body: (system: System, nowMs: number) => void): void {
    if (this.#isStopped) return;
    try {
      const nowMs = this.#clock.nowMs();
      body(this.#system, nowMs);
      if (this.#isTurning) return;
      this.#isTurning = true;
      try {
        this.#system.handleTime(nowMs);
        this.#drain();
      } finally {
        this.#isTurning = false;
      }
      this.#arm();
    } catch (error) {
      this.#outlets.fail(error);
    }
  }

  /** Frames that a worker handed up: what comes of them is carried out once, for all together. */
  takeFrames(frames: readonly PuntedFrame[]): void {
    this.input((system) => {
      for (const { port, frame, atMs } of frames) system.handleFrame(port, frame, atMs);
    });
  }

  /** Runs an operation of the system to its end. */
  async run<T>(label: string, body: () => Operation<T>): Promise<T> {
    return await new Promise<T>((resolve, reject) => {
      this.input((system) => {
        system.scheduler.spawn(label, body).onSettled((task: Task<T>) => {
          if (task.state === 'done') resolve(task.value);
          else reject(task.error);
        });
      });
    });
  }

  /** Calls `body` when all events that wait are passed on, so that it comes behind them. */
  afterEvents(body: () => void): void {
    if (this.#isStopped) {
      body();
      return;
    }
    this.#afterEvents.push(body);
    if (!this.#isToContinue) this.input(() => undefined);
  }

  /** Nothing goes in or comes out any more, but for the events that are left. */
  stop(): void {
    this.#isStopped = true;
    const { event } = this.#outlets;
    for (let next = this.#system.pollEvent(); next; next = this.#system.pollEvent()) event(next);
    this.#callTheRest();
    if (this.#waiting !== undefined) this.#lostFrames++;
    this.#waiting = undefined;
    this.#timer?.cancel();
  }

  #drain(): void {
    const { request, event } = this.#outlets;
    this.#transmit();
    for (let next = this.#system.pollHostRequest(); next; next = this.#system.pollHostRequest()) {
      request(next);
    }
    for (let told = 0; told < EVENTS_A_TURN; told++) {
      const next = this.#system.pollEvent();
      if (next === undefined) {
        this.#callTheRest();
        return;
      }
      event(next);
    }
    if (this.#isToContinue) return;
    this.#isToContinue = true;
    setImmediate(() => {
      this.#isToContinue = false;
      this.input(() => undefined);
    });
  }

  #callTheRest(): void {
    for (const body of this.#afterEvents.splice(0)) body();
  }

  #transmit(): void {
    let next = this.#waiting ?? this.#system.pollTransmit();
    for (; next; next = this.#system.pollTransmit()) {
      const end = this.#outlets.transmit(next.port, next.frame);
      if (end === 'full') break;
      if (end === 'refused') this.#lostFrames++;
    }
    this.#waiting = next;
    if (next === undefined || this.#isAskingForRoom) return;
    this.#isAskingForRoom = true;
    this.#clock.after(ROOM_MS, () => {
      this.#isAskingForRoom = false;
      this.input(() => undefined);
    });
  }

  #arm(): void {
    const atMs = this.#system.pollAt();
    if (atMs === this.#timerAtMs && this.#timer !== undefined) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAtMs = atMs;
    if (atMs === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.min(Math.max(0, atMs - this.#clock.nowMs()), WAIT_MAX_MS);
    this.#timer = this.#clock.after(Math.ceil(delayMs), () => {
      this.#timer = undefined;
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.input(() => undefined);
    });
  }
}
