/**
 * The shared memory of the datapath: every word that two threads see, with its one writer.
 *
 * One SharedArrayBuffer, seen as 32-bit words, holds everything but the rings (ring.ts). A zeroed
 * word always means "none", so fresh memory is a valid empty state; numbers that may be absent are
 * stored plus one.
 *
 *   region     writer           readers          ordering
 *   header     publisher        workers          GENERATION: atomic store after the table is filled
 *   carrier    carrier watch    workers          state stored before the wake-up; read atomically
 *   live       publisher        workers          one atomic store a word, no order between words
 *   used       workers set,     publisher        atomic: a use seen late is seen the next time
 *              publisher clears
 *   tables     publisher        workers          plain; only while no worker holds the table
 *   workers    see WORKER_*     see WORKER_*     atomic
 *   counters   their worker     main thread      counters.ts
 *
 * Holding a table. GENERATION counts publications; generation g lies in table g & 1. A worker
 * stores the generation it is about to read in its HELD word and then reads GENERATION once more;
 * only if it is still the same may it read that table. HELD is 0 while the worker holds nothing: it
 * sleeps, or has not begun. The publisher rewrites the table that is not current only if every HELD
 * word is 0 or the current generation. All these accesses are sequentially consistent, so either
 * the publisher sees the worker's HELD, or the worker sees the publisher's new GENERATION and lets
 * go. A worker asleep needs no waking: it takes the current generation when it wakes.
 */

import { assert } from '../../base/assert.ts';
import {
  MAX_ADDRESSES,
  MAX_GROUP_MEMBERS,
  MAX_GROUPS,
  MAX_NICS,
  MAX_REDIRECTS,
  MAX_WORKERS,
} from '../../model/limits.ts';
import { DATAPATH_DROP_REASONS } from '../../stats/drop-reasons.ts';
import { MAX_PORTS, MAX_SLOTS } from './fib.ts';

/** Words of a cache line: words of different writers are on different lines. */
const LINE = 16;

// Header. Written by the publisher, read by workers.

/** Number of the current publication; its table is this & 1. Stored last. */
export const WORD_GENERATION = 0;
/**
 * The generation of fresh memory, whose table is empty. Not 0, which means "none" in HELD words.
 */
const FIRST_GENERATION = 2;
/** 1 while a publication waits until a worker lets go of the spare table: the worker then rings. */
export const WORD_PENDING = 1;

// Carrier words. Written by the carrier watch: 1 in the first of four if the NIC's link is down.

export const CARRIER = LINE;
export const CARRIER_WORDS_PER_NIC = 4;

// Live words. Written by the publisher.

/** Four words per group, on one line of the cache: two masks of members, a NIC, spare. */
const LIVE_GROUPS = CARRIER + MAX_NICS * CARRIER_WORDS_PER_NIC;
export const LIVE_GROUP_WORDS = 4;
/** Members 0..31 of a group that may carry frames. */
export const ACTIVE_LOW = LIVE_GROUPS;
/** Members 32..63. */
export const ACTIVE_HIGH = LIVE_GROUPS + 1;
/** NIC for broadcast and multicast of a group, plus one. */
export const CAST = LIVE_GROUPS + 2;
/** NIC of each placement slot, plus one. */
export const PLACEMENT = LIVE_GROUPS + MAX_GROUPS * LIVE_GROUP_WORDS;

// Signs of use. Set to 1 by any worker, taken back to 0 by the publisher.

/**
 * Use of redirects, by the first index of their redirect in its hash. That index stays
 * the same from table to table; redirects that share one are in use together.
 */
export const REDIRECTS_USED = PLACEMENT + MAX_SLOTS;

// The two tables. All offsets below are relative to the beginning of a table.

/** Of a NIC: group plus two (0 absent, 1 in no group), member plus one, MAC 16 + 32, MTU, spare. */
export const TABLE_NICS = 0;
export const NIC_WORDS = 8;
/** Four words per group: GROUP_* bits, MAC 16 + 32 bits, number of redirects. */
export const TABLE_GROUPS = TABLE_NICS + MAX_NICS * NIC_WORDS;
export const GROUP_WORDS = 4;
/** NIC of each member ordinal of each group, plus one. */
export const TABLE_MEMBERS = TABLE_GROUPS + MAX_GROUPS * GROUP_WORDS;
/** Hash of our MACs, NICs and groups: port plus one, MAC 16 + 32 bits, spare. */
export const TABLE_MACS = TABLE_MEMBERS + MAX_GROUPS * MAX_GROUP_MEMBERS;
export const MAC_SLOTS = hashCapacity(MAX_PORTS);
/** Words of an entry of each hash but that of IPv6 addresses. */
export const HASH_ENTRY_WORDS = 4;
/** Hash of our IPv4 addresses: group plus two, address, slot plus one or -(nic plus one), spare. */
export const TABLE_ADDRESSES = TABLE_MACS + MAC_SLOTS * HASH_ENTRY_WORDS;
/** Entries of each of the two hashes of addresses: all may be of one family. */
export const ADDRESS_SLOTS = hashCapacity(MAX_ADDRESSES);
/** Hash of redirects: group plus one, high 16 bits of old and new MAC, old 32, new 32 bits. */
export const TABLE_REDIRECTS = TABLE_ADDRESSES + ADDRESS_SLOTS * HASH_ENTRY_WORDS;
export const REDIRECT_SLOTS = hashCapacity(MAX_REDIRECTS);
/**
 * Hash of our IPv6 addresses: group plus two, four words of the address, slot plus one or -(nic
 * plus one), two spare. A hash of its own: the look-ups of IPv4 stay as short as they were. The
 * last part of a table and two thirds of it, which need no clearing while no address is in it.
 */
export const TABLE_ADDRESSES6 = TABLE_REDIRECTS + REDIRECT_SLOTS * HASH_ENTRY_WORDS;
export const HASH6_ENTRY_WORDS = 8;
export const TABLE_WORDS = TABLE_ADDRESSES6 + ADDRESS_SLOTS * HASH6_ENTRY_WORDS;

/** Bits of the first word of a group record. */
export const GROUP_PRESENT = 1;
export const GROUP_BY_DESTINATION = 2;
export const GROUP_BY_ADDRESS = 4;

const TABLES = lines(REDIRECTS_USED + REDIRECT_SLOTS);

// A worker's own words.

/** Generation held, 0 for none. Written by the worker, read by the publisher and by producers. */
export const WORKER_HELD = 0;
/**
 * 1: the main thread has put something into a ring of this worker, or asks it to stop. Set after
 * that, cleared by the worker before it looks.
 */
export const WORKER_CALLED = LINE;
/** 1: leave the loop. Written by the main thread, read by the worker. */
export const WORKER_STOP = LINE + 1;
/** 1: a message to the main thread is under way. Set by the worker, cleared by the main thread. */
export const WORKER_BELL = 2 * LINE;
/** Commands carried out, modulo 2^32. Written by the worker, read by the main thread. */
export const WORKER_COMMANDS_DONE = 3 * LINE;
/** Breaths taken, modulo 2^32. Written by the worker, read by the main thread. */
export const WORKER_BREATHS = 3 * LINE + 1;
const WORKER_COUNTERS = 4 * LINE;

// Counters of a port, in the order of the counter block; drop reasons follow in table order.

export const RECEIVE_PACKETS = 0;
export const RECEIVE_BYTES = 1;
export const RECEIVE_MULTICAST = 2;
export const RECEIVE_BROADCAST = 3;
export const TRANSMIT_PACKETS = 4;
export const TRANSMIT_BYTES = 5;
export const TRANSMIT_MULTICAST = 6;
export const TRANSMIT_BROADCAST = 7;
export const TRANSMIT_ERRORS = 8;
/** Frames read here that left by a device. */
export const FORWARDED = 9;
/** Frames read here that went to the control plane. */
export const PUNTED = 10;
/** Frames that the control plane gave to this port, and how many of them left or were dropped. */
export const INJECTED = 11;
export const INJECTED_TRANSMITTED = 12;
export const INJECTED_DROPPED = 13;
export const DROPS = 14;

export const COUNTERS_PER_PORT = DROPS + DATAPATH_DROP_REASONS.length;
/** A counter: high half, low half for even and for odd high halves (counters.ts). */
export const COUNTER_WORDS = 3;
const WORKER_WORDS = lines(WORKER_COUNTERS + MAX_PORTS * COUNTERS_PER_PORT * COUNTER_WORDS);

const WORKERS = lines(TABLES + 2 * TABLE_WORDS);

function lines(words: number): number {
  return Math.ceil(words / LINE) * LINE;
}

/** Entries of an open-addressing hash for `records`: a power of two, at most half full. */
function hashCapacity(records: number): number {
  return 2 ** Math.ceil(Math.log2(records * 2));
}

/** Shared memory for `workers` workers: an empty table published, nothing counted. */
export function controlMemoryCreate(workers: number): SharedArrayBuffer {
  assert(workers >= 1 && workers <= MAX_WORKERS, `1 to ${MAX_WORKERS} workers, not ${workers}`);
  const memory = new SharedArrayBuffer((WORKERS + workers * WORKER_WORDS) * 4);
  Atomics.store(new Int32Array(memory), WORD_GENERATION, FIRST_GENERATION);
  return memory;
}

/** How many workers a memory was created for. */
export function controlMemoryWorkers(memory: SharedArrayBuffer): number {
  return (memory.byteLength / 4 - WORKERS) / WORKER_WORDS;
}

/** First word of the table of `generation`. */
export function tableOffset(generation: number): number {
  return TABLES + (generation & 1) * TABLE_WORDS;
}

/** First of the words of `worker`; add a WORKER_ offset. */
export function workerOffset(worker: number): number {
  return WORKERS + worker * WORKER_WORDS;
}

/** First word of counter `counter` of `port`, as counted by `worker`. */
export function counterOffset(worker: number, port: number, counter: number): number {
  const index = port * COUNTERS_PER_PORT + counter;
  return workerOffset(worker) + WORKER_COUNTERS + index * COUNTER_WORDS;
}

/** The words that the carrier watch writes: four per NIC, see CARRIER. */
export function carrierWords(memory: SharedArrayBuffer): Int32Array {
  return new Int32Array(memory, CARRIER * 4, MAX_NICS * CARRIER_WORDS_PER_NIC);
}
