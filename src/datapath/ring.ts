/**
 * Rings between a worker and the main thread: one producer, one consumer, bounded, lock-free.
 *
 * FrameRing carries frames with their port and time: punts (worker to main thread) and injections
 * (main thread to worker). CommandRing carries fixed records of numbers (main thread to worker).
 *
 *   word 0   HEAD, bytes (records) ever put in, modulo 2^32; written by the producer after the data
 *   word 16  TAIL, bytes (records) ever taken out, modulo 2^32; written by the consumer afterwards
 *   word 32  data
 *
 * Each index is stored atomically by its one writer when the data it covers is complete or no
 * longer needed, and loaded atomically by the other side; so the data themselves need no atomic
 * access. A frame record lies in one piece: one that does not fit before the end of the data is
 * preceded by a filler, and the index is never inside a record.
 */

import { assert } from '../base/assert.ts';

const HEAD = 0;
const TAIL = 16;
const DATA = 32;
const DATA_BYTES = DATA * 4;

/** Record header: length, port, time as a 64-bit float. Records are multiples of this. */
const RECORD_HEADER = 16;
/** Length of a filler: nothing follows up to the end of the data. */
const FILLER = -1;

/** Shared memory of a frame ring of `capacity` bytes, a power of two. */
export function frameRingCreate(capacity: number): SharedArrayBuffer {
  assert(capacity >= 64 && (capacity & (capacity - 1)) === 0, 'ring capacity is a power of two');
  return new SharedArrayBuffer(DATA_BYTES + capacity);
}

/**
 * One end of a frame ring. Each side makes its own view of the memory and uses only its methods.
 */
export class FrameRing {
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  readonly #capacity: number;
  /** The data, for the consumer: a frame begins at `offset` after `next` returned true. */
  readonly bytes: Uint8Array;
  offset = 0;
  length = 0;
  port = 0;
  atMs = 0;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#times = new Float64Array(memory);
    this.#capacity = memory.byteLength - DATA_BYTES;
    this.bytes = new Uint8Array(memory, DATA_BYTES);
  }

  /** Producer: longest frame that this ring takes: two always fit. */
  get lengthMax(): number {
    return this.#capacity / 2 - RECORD_HEADER;
  }

  /** Producer: puts a frame in; false if there is no room or it is longer than `lengthMax`. */
  push(
    port: number,
    frame: Uint8Array,
    frameOffset: number,
    frameLength: number,
    atMs: number,
  ): boolean {
    const size = recordSize(frameLength);
    let head = Atomics.load(this.#words, HEAD);
    const used = (head - Atomics.load(this.#words, TAIL)) >>> 0;
    let at = head & (this.#capacity - 1);
    const untilEnd = this.#capacity - at;
    const filler = size > untilEnd ? untilEnd : 0;
    if (frameLength > this.lengthMax || used + filler + size > this.#capacity) return false;
    if (filler > 0) {
      this.#words[DATA + (at >> 2)] = FILLER;
      head = (head + filler) | 0;
      at = 0;
    }
    const header = DATA + (at >> 2);
    this.#words[header] = frameLength;
    this.#words[header + 1] = port;
    this.#times[(header + 2) >> 1] = atMs;
    // A loop: set() would need a view of the frame, which is an allocation per frame.
    const data = at + RECORD_HEADER;
    for (let i = 0; i < frameLength; i++) this.bytes[data + i] = frame[frameOffset + i]!;
    Atomics.store(this.#words, HEAD, (head + size) | 0);
    return true;
  }

  /**
   * Consumer: goes to the oldest frame and sets offset, length, port and atMs; false if there is
   * none. The frame stays in the ring until `release`.
   */
  next(): boolean {
    let tail = Atomics.load(this.#words, TAIL);
    const head = Atomics.load(this.#words, HEAD);
    if (tail === head) return false;
    let at = tail & (this.#capacity - 1);
    if (this.#words[DATA + (at >> 2)] === FILLER) {
      tail = (tail + this.#capacity - at) | 0;
      Atomics.store(this.#words, TAIL, tail);
      if (tail === head) return false;
      at = 0;
    }
    const header = DATA + (at >> 2);
    this.length = this.#words[header]!;
    this.port = this.#words[header + 1]!;
    this.atMs = this.#times[(header + 2) >> 1]!;
    this.offset = at + RECORD_HEADER;
    return true;
  }

  /** Consumer: gives back the room of the frame to which `next` went. */
  release(): void {
    const tail = Atomics.load(this.#words, TAIL);
    Atomics.store(this.#words, TAIL, (tail + recordSize(this.length)) | 0);
  }

  /** Either side: nothing is in the ring. */
  get isEmpty(): boolean {
    return Atomics.load(this.#words, HEAD) === Atomics.load(this.#words, TAIL);
  }
}

function recordSize(length: number): number {
  return Math.ceil((RECORD_HEADER + length) / RECORD_HEADER) * RECORD_HEADER;
}

/** Words of a command: what, port, descriptor, option. */
const COMMAND_WORDS = 4;
/** Commands that may wait for one worker; more wait in the main thread. A power of two. */
const COMMANDS = 64;

/** Shared memory of a command ring. */
export function commandRingCreate(): SharedArrayBuffer {
  return new SharedArrayBuffer(DATA_BYTES + COMMANDS * COMMAND_WORDS * 4);
}

/** One end of a command ring. */
export class CommandRing {
  readonly #words: Int32Array;
  what = 0;
  port = 0;
  fd = 0;
  option = 0;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** Producer: false if the ring is full. */
  push(what: number, port: number, fd: number, option: number): boolean {
    const head = Atomics.load(this.#words, HEAD);
    if ((head - Atomics.load(this.#words, TAIL)) >>> 0 >= COMMANDS) return false;
    const at = DATA + (head & (COMMANDS - 1)) * COMMAND_WORDS;
    this.#words[at] = what;
    this.#words[at + 1] = port;
    this.#words[at + 2] = fd;
    this.#words[at + 3] = option;
    Atomics.store(this.#words, HEAD, (head + 1) | 0);
    return true;
  }

  /** Consumer: takes the oldest command into what, port, fd and option; false if there is none. */
  pop(): boolean {
    const tail = Atomics.load(this.#words, TAIL);
    if (tail === Atomics.load(this.#words, HEAD)) return false;
    const at = DATA + (tail & (COMMANDS - 1)) * COMMAND_WORDS;
    this.what = this.#words[at]!;
    this.port = this.#words[at + 1]!;
    this.fd = this.#words[at + 2]!;
    this.option = this.#words[at + 3]!;
    Atomics.store(this.#words, TAIL, (tail + 1) | 0);
    return true;
  }

  /** Either side: nothing is in the ring. */
  get isEmpty(): boolean {
    return Atomics.load(this.#words, HEAD) === Atomics.load(this.#words, TAIL);
  }
}
