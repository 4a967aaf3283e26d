/**
 * The drivers of the simulated NICs, as far as statistics go. A driver counts what its port in the
 * datapath counts; how it answers is its mood:
 *
 *   prompt   at once                       slow      when it likes, perhaps after all patience
 *   hung     never                         failing   with EIO
 *   stuck    never, and the call does not return: it keeps the thread that makes it for good
 *
 * Every call may be stuck, so it is made on another thread than the one that serves; the witness
 * reports one that is not.
 *
 * A slow answer comes even if its question was given up, as that of a real driver does.
 */

import { OperatorError } from '../base/errors.ts';
import { external, type Operation, type Settle } from '../base/operation.ts';
import type { Rng } from '../base/rng.ts';
import { assertMayWait, onAnotherThread } from '../base/serving.ts';
import type { PortCounters } from '../datapath/counters.ts';
import { type LinkCounters, linkCountersSubtract } from '../stats/schema.ts';
import type { Agenda } from './agenda.ts';

export const DRIVER_MOODS = ['prompt', 'slow', 'hung', 'failing', 'stuck'] as const;
export type DriverMood = (typeof DRIVER_MOODS)[number];

/** What a prompt driver takes to answer with its counters. */
const PROMPT_MS = 0.3;
/** What a slow one takes at most: twice the budget of a reader. */
const SLOW_MAX_MS = 400;

/** What drivers need of their world. */
export interface DriverGround {
  readonly agenda: Agenda;
  readonly rng: Rng;
  hasDevice(ifname: string): boolean;
  portCounters(port: number): PortCounters;
}

/** All drivers; each begins prompt. */
export class SimDrivers {
  /** What an answer takes, instead of what the mood gives; Infinity: it never comes. */
  delayMs: ((ifname: string) => number) | undefined;
  /** Questions so far, and those to which no answer has come and none ever will. */
  asked = 0;
  unanswered = 0;
  /** Threads that a call has kept for good. */
  kept = 0;
  /** Questions that are waited for, by interface. */
  readonly #waitedFor = new Set<{ readonly ifname: string }>();
  readonly #ground: DriverGround;
  readonly #moods = new Map<string, DriverMood>();
  /** What the driver of a port had counted when its counters were reset. */
  readonly #resetAt = new Map<number, LinkCounters>();

  constructor(ground: DriverGround) {
    this.#ground = ground;
  }

  /** How the driver of `ifname` answers. */
  mood(ifname: string): DriverMood {
    return this.#moods.get(ifname) ?? 'prompt';
  }

  /** True while a question about `ifname` is waited for. */
  isAsked(ifname: string): boolean {
    return [...this.#waitedFor].some((question) => question.ifname === ifname);
  }

  /** How it answers the questions that are asked from now on. */
  setMood(ifname: string, mood: DriverMood): void {
    this.#moods.set(ifname, mood);
  }

  /** Every driver is prompt again. */
  soothe(): void {
    this.#moods.clear();
  }

  /** The driver of `port` counts from zero again. */
  reset(port: number): void {
    this.#resetAt.set(port, this.#count(port));
  }

  /** Asks a driver for its counters, as SystemOptions.linkStatistics. */
  ask(port: number, ifname: string): Operation<LinkCounters> {
    const { agenda } = this.#ground;
    const mood = this.mood(ifname);
    this.asked++;
    const question = { ifname };
    return external<LinkCounters>(`driver of ${ifname}`, (settle) => {
      this.#waitedFor.add(question);
      onAnotherThread(() => this.#call(ifname, mood));
      const delayMs = this.delayMs?.(ifname) ?? this.#delayOf(mood);
      if (delayMs === Number.POSITIVE_INFINITY) this.unanswered++;
      else {
        agenda.after(delayMs, () => {
          this.#waitedFor.delete(question);
          this.#answer(port, ifname, mood, settle);
        });
      }
      return () => this.#waitedFor.delete(question);
    });
  }

  /** Into the driver. What it does to a stuck one's caller no simulation outlives. */
  #call(ifname: string, mood: DriverMood): void {
    assertMayWait(`the driver of ${ifname}`);
    if (mood === 'stuck') this.kept++;
  }

  #delayOf(mood: DriverMood): number {
    if (mood === 'hung' || mood === 'stuck') return Number.POSITIVE_INFINITY;
    return mood === 'slow' ? this.#ground.rng.uniform(0, SLOW_MAX_MS) : PROMPT_MS;
  }

  #answer(port: number, ifname: string, mood: DriverMood, settle: Settle<LinkCounters>): void {
    if (!this.#ground.hasDevice(ifname)) {
      settle.reject(new OperatorError('ENODEV', `${ifname} is gone`));
    } else if (mood === 'failing') {
      settle.reject(new OperatorError('EIO', `the driver of ${ifname} is at a loss`));
    } else {
      const resetAt = this.#resetAt.get(port);
      const count = this.#count(port);
      settle.resolve(resetAt === undefined ? count : linkCountersSubtract(count, resetAt));
    }
  }

  #count(port: number): LinkCounters {
    const counters = this.#ground.portCounters(port);
    return {
      rbytes: counters.receiveBytes,
      obytes: counters.transmitBytes,
      ipackets: counters.receivePackets,
      opackets: counters.transmitPackets,
      ierrors: 0n,
      oerrors: counters.transmitErrors,
      multircv: counters.receiveMulticast,
      multixmt: counters.transmitMulticast,
      brdcstrcv: counters.receiveBroadcast,
      brdcstxmt: counters.transmitBroadcast,
    };
  }
}
