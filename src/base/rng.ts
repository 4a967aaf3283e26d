/**
 * A seedable source of numbers that look random: xoshiro128** (Blackman and Vigna), its state
 * filled from the seed by a 32-bit mixing function. Chance is an argument everywhere, so that a
 * seed replays a run. Not for secrets.
 */

import { assert } from './assert.ts';

const TWO_TO_32 = 2 ** 32;

/** The golden ratio in 32 bits: an odd step that visits every word before it repeats. */
const SEED_STEP = 0x9e3779b9;

/** A stream of 32-bit words decided by its seed alone. */
export class Rng {
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 0;

  /** `seed`: any integer; the low 32 bits count. */
  constructor(seed: number) {
    let step = seed >>> 0;
    const next = (): number => {
      step = (step + SEED_STEP) >>> 0;
      return mix(step);
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    this.#d = next() | 1; // the state must not be all zero
  }

  /** The next word, from 0 to 2^32 - 1. */
  nextU32(): number {
    const product = Math.imul(this.#b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** A number of at least `low` and less than `high`. */
  uniform(low: number, high: number): number {
    return low + ((high - low) * this.nextU32()) / TWO_TO_32;
  }

  /** An integer from 0 to `count` - 1; `count` is at most 2^32. */
  below(count: number): number {
    assert(count > 0 && count <= TWO_TO_32, `a choice among ${count}`);
    return Math.floor((this.nextU32() / TWO_TO_32) * count);
  }

  /** A source of its own, decided by this one: use it where draws must not disturb each other. */
  fork(): Rng {
    return new Rng(this.nextU32());
  }
}

/** Spreads every bit of `word` over all 32 (multiply and shift, twice). */
function mix(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
