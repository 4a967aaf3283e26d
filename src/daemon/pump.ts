/**
 * The turn of the system: after anything has been told to it, what it decided is carried out in
 * the order of urgency: frames, requests to the host, events. Then a timer is set for the moment
 * at which it wants to be told the time. Of many events a number is told in each turn: whoever
 * hears of them writes them down, and that takes longer than all the rest.
 *
 * Everything that tells the system something goes through `tell`, so no decision is left lying.
 */

import type { Operation, Task } from '../base/operation.ts';
import type { Clock, Timer } from '../host/clock.ts';
import type { HostRequest, System, SystemEvent } from '../system.ts';

/** Where decisions go. None of these may tell the system something before it returns. */
export interface PumpOutlets {
  /** False if there was no room: the frame is lost, as on any wire, and counted. */
  readonly transmit: (port: number, frame: Uint8Array) => boolean;
  readonly request: (request: HostRequest) => void;
  readonly event: (event: SystemEvent) => void;
  /** Our own mistake: the process cannot go on. */
  readonly fail: (error: unknown) => void;
}

/** Events told in one turn: together about a millisecond (ours). */
const EVENTS_A_TURN = 50;

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
  #isTelling = false;
  #isStopped = false;
  #lostFrames = 0n;

  constructor(system: System, clock: Clock, outlets: PumpOutlets) {
    this.#system = system;
    this.#clock = clock;
    this.#outlets = outlets;
    system.scheduler.onReady = () => queueMicrotask(() => this.tell(() => undefined));
  }

  /** Frames that found no room on their way to a worker. */
  get lostFrames(): bigint {
    return this.#lostFrames;
  }

  /** Tells the system something at the present time, and carries out what follows from it. */
  tell(body: (system: System, nowMs: number) => void): void {
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

  /** Runs an operation of the system to its end. */
  async run<T>(label: string, body: () => Operation<T>): Promise<T> {
    return await new Promise<T>((resolve, reject) => {
      this.tell((system) => {
        system.scheduler.spawn(label, body).onSettled((task: Task<T>) => {
          if (task.state === 'done') resolve(task.value);
          else reject(task.error);
        });
      });
    });
  }

  /** Nothing is told and nothing comes out any more, but for the events that are left. */
  stop(): void {
    this.#isStopped = true;
    const { event } = this.#outlets;
    for (let next = this.#system.pollEvent(); next; next = this.#system.pollEvent()) event(next);
    this.#timer?.cancel();
  }

  #drain(): void {
    const { transmit, request, event } = this.#outlets;
    for (let next = this.#system.pollTransmit(); next; next = this.#system.pollTransmit()) {
      if (!transmit(next.port, next.frame)) this.#lostFrames++;
    }
    for (let next = this.#system.pollHostRequest(); next; next = this.#system.pollHostRequest()) {
      request(next);
    }
    for (let told = 0; told < EVENTS_A_TURN; told++) {
      const next = this.#system.pollEvent();
      if (next === undefined) return;
      event(next);
    }
    if (this.#isTelling) return;
    this.#isTelling = true;
    setImmediate(() => {
      this.#isTelling = false;
      this.tell(() => undefined);
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
      this.tell(() => undefined);
    });
  }
}
