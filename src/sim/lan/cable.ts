/**
 * A segment: a cable with two ends, full duplex, that takes time and may be bad.
 *
 *   a ─────────────────────── b      cut: neither end has carrier, frames under way are lost
 *       --> latency, loss            silenced direction: carrier stays, frames vanish
 *
 * Invariants
 * 1. For each direction, sent + duplicated = delivered + underWay + the sum of what was lost.
 */

import { assert } from '../../base/assert.ts';
import type { Rng } from '../../base/rng.ts';
import type { Agenda } from '../agenda.ts';

/** What is plugged into an end. */
export interface Plug {
  /** A frame has come; it begins at the Ethernet header and must not be changed. */
  handleFrame(frame: Uint8Array): void;
  /** Carrier came or went. */
  handleCarrier(isUp: boolean): void;
}

export type End = 'a' | 'b';

/** What a direction does to frames. */
export interface Faults {
  /** Frames take this long, in milliseconds. */
  latencyMs: number;
  /** And up to this much longer, each by chance: frames may overtake one another. */
  jitterMs: number;
  /** Of 1000 frames, this many vanish by chance. */
  lossPerMille: number;
  /** Of 1000 frames, this many come twice. */
  duplicatePerMille: number;
  /** Of 1000 frames, this many are held back by HOLD_MS: those behind them come first. */
  reorderPerMille: number;
  /** Of 1000 frames, this many come with one bit turned over, as from a switch with bad memory. */
  flipPerMille: number;
  /** Every frame vanishes, and no carrier changes. */
  isSilent: boolean;
}

/** The fate of the frames of one direction, counted. */
export interface DirectionCounts {
  sent: number;
  delivered: number;
  /** Frames that came once more than they were sent. */
  duplicated: number;
  heldBack: number;
  flipped: number;
  underWay: number;
  lostByCut: number;
  lostByChance: number;
  lostInSilence: number;
}

/** Ours: some tens of frames of a busy stream. */
const HOLD_MS = 2;

const HEALTHY: Readonly<Faults> = {
  latencyMs: 0.05,
  jitterMs: 0,
  lossPerMille: 0,
  duplicatePerMille: 0,
  reorderPerMille: 0,
  flipPerMille: 0,
  isSilent: false,
};

/** Sees every frame that is put into a cable. */
export type Tap = (cable: Cable, from: End, frame: Uint8Array) => void;

/** A cable. Both ends are plugged in once; it is up from then on until it is cut. */
export class Cable {
  readonly name: string;
  readonly faults: Record<End, Faults> = { a: { ...HEALTHY }, b: { ...HEALTHY } };
  readonly counts: Record<End, DirectionCounts> = { a: noCounts(), b: noCounts() };
  /** Called for every frame put in while the cable is up; for transcripts and checkers. */
  readonly #taps: readonly Tap[];
  readonly #agenda: Agenda;
  readonly #rng: Rng;
  readonly #plugs: Partial<Record<End, Plug>> = {};
  #isCut = false;
  /** Counts the cuts: a frame that was put in before a cut does not come out after it. */
  #epoch = 0;

  constructor(name: string, agenda: Agenda, rng: Rng, taps: readonly Tap[] = []) {
    this.name = name;
    this.#taps = taps;
    this.#agenda = agenda;
    this.#rng = rng;
  }

  /** True while both ends are plugged in and the cable is whole. */
  get isUp(): boolean {
    return !this.#isCut && this.#plugs.a !== undefined && this.#plugs.b !== undefined;
  }

  /** Puts something into an end. */
  plug(end: End, plug: Plug): void {
    assert(this.#plugs[end] === undefined, `end ${end} of ${this.name} is in use`);
    this.#plugs[end] = plug;
    if (this.isUp) this.#tellCarrier();
  }

  /** Takes what is plugged into `end` out; the other end loses its carrier. */
  unplug(end: End): void {
    const wasUp = this.isUp;
    delete this.#plugs[end];
    this.#epoch++;
    if (wasUp) this.#tellCarrier();
  }

  /** Breaks the cable: both ends lose their carrier, frames under way are lost. */
  cut(): void {
    const wasUp = this.isUp;
    this.#isCut = true;
    this.#epoch++;
    if (wasUp) this.#tellCarrier();
  }

  /** Mends a cut. */
  repair(): void {
    this.#isCut = false;
    if (this.isUp) this.#tellCarrier();
  }

  /** Makes frames vanish without a sign, from `end` or, without it, both ways. */
  silence(end?: End): void {
    for (const from of end === undefined ? (['a', 'b'] as const) : [end]) {
      this.faults[from].isSilent = true;
    }
  }

  /** Ends every fault but a cut. */
  heal(): void {
    Object.assign(this.faults.a, HEALTHY);
    Object.assign(this.faults.b, HEALTHY);
  }

  /** Puts a frame into `end`; it is copied. */
  transmit(from: End, frame: Uint8Array): void {
    const counts = this.counts[from];
    const faults = this.faults[from];
    counts.sent++;
    if (!this.isUp) {
      counts.lostByCut++;
      return;
    }
    for (const tap of this.#taps) tap(this, from, frame);
    if (faults.isSilent) {
      counts.lostInSilence++;
      return;
    }
    if (this.#happens(faults.lossPerMille)) {
      counts.lostByChance++;
      return;
    }
    const copy = frame.slice();
    if (copy.length > 0 && this.#happens(faults.flipPerMille)) {
      counts.flipped++;
      const bit = this.#rng.below(copy.length * 8);
      copy[bit >> 3]! ^= 1 << (bit & 7);
    }
    this.#deliverLater(from, copy);
    if (this.#happens(faults.duplicatePerMille)) {
      counts.duplicated++;
      this.#deliverLater(from, copy);
    }
  }

  #deliverLater(from: End, frame: Uint8Array): void {
    const { latencyMs, jitterMs, reorderPerMille } = this.faults[from];
    const counts = this.counts[from];
    let delayMs = latencyMs + (jitterMs > 0 ? this.#rng.uniform(0, jitterMs) : 0);
    if (this.#happens(reorderPerMille)) {
      counts.heldBack++;
      delayMs += HOLD_MS;
    }
    const epoch = this.#epoch;
    counts.underWay++;
    this.#agenda.after(delayMs, () => {
      counts.underWay--;
      const plug = this.#plugs[otherEnd(from)];
      if (epoch !== this.#epoch || plug === undefined) {
        counts.lostByCut++;
        return;
      }
      counts.delivered++;
      plug.handleFrame(frame);
    });
  }

  #happens(perMille: number): boolean {
    return perMille > 0 && this.#rng.below(1000) < perMille;
  }

  #tellCarrier(): void {
    const { isUp } = this;
    for (const end of ['a', 'b'] as const) this.#plugs[end]?.handleCarrier(isUp);
  }
}

function otherEnd(end: End): End {
  return end === 'a' ? 'b' : 'a';
}

function noCounts(): DirectionCounts {
  return {
    sent: 0,
    delivered: 0,
    duplicated: 0,
    heldBack: 0,
    flipped: 0,
    underWay: 0,
    lostByCut: 0,
    lostByChance: 0,
    lostInSilence: 0,
  };
}
