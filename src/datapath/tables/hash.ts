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

// Ours: the roots of 5, 7, 11 and 13 in the same way, made odd.
const WORD_0 = 0x3c6ef373;
const WORD_1 = 0xa54ff53b | 0;
const WORD_2 = 0x510e527f;
const WORD_3 = 0x9b05688d | 0;

/**
 * Mixes the four words of an IPv6 address into one. The products do not wait for each other, as a
 * chain of `mixInto` would; a frame needs this twice, and what is made of it costs as for IPv4.
 */
export function mixAddress(a: number, b: number, c: number, d: number): number {
  // Sums beyond 32 bits would be objects on the heap.
  const front = (Math.imul(a, WORD_0) + Math.imul(b, WORD_1)) | 0;
  const back = (Math.imul(c, WORD_2) + Math.imul(d, WORD_3)) | 0;
  return mix((front + back) | 0);
}
