/**
 * The one mixing function of the datapath: hash tables, flow hashes and rendezvous scores.
 *
 * It spreads a 32-bit word so that each input bit changes each output bit with probability near one
 * half. It is not secret: a peer can put all its flows on one NIC, where any peer can
 * send all its frames anyway.
 */

// Ours: the first 32 bits of the fractions of the golden ratio and of the roots of 2 and 3. Odd,
// and of no pattern; the avalanche test shows that they do.
const STEP = 0x9e3779b9 | 0;
const FIRST = 0x6a09e667;
const SECOND = 0xbb67ae85 | 0;

/** Spreads the bits of `word`. Signed 32-bit result. */
export function mix(word: number): number {
  let h = word | 0;
  h = Math.imul(h ^ (h >>> 16), FIRST);
  h = Math.imul(h ^ (h >>> 13), SECOND);
  return h ^ (h >>> 16);
}

/** Mixes `word` into the running hash `state`; the order of words matters. */
export function mixInto(state: number, word: number): number {
  return mix((Math.imul(state, 31) + STEP) ^ word);
}
