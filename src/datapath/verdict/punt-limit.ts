/**
 * The rate of ARP and neighbour discovery that one station gets into the control plane.
 *
 * A frame for the control plane costs many times what a forwarded one costs, and its queue is one
 * for all. Without a limit a station that asks 100,000 times a second takes the processor from the
 * forwarding path, and fills the queue, so the answers of the gateway are lost in it.
 *
 * Each NIC has a rate for each station (by source MAC), one for what is sent to a group address and
 * one for unicast: a flood of broadcasts with the MAC of the gateway does not hold up its answers.
 * Stations whose hashes are equal share a rate. A flood with many source MACs is limited by the
 * queue alone.
 *
 * Each rate is a virtual schedule (the generic cell rate algorithm, ITU-T I.371): one word, the
 * time at which a station that sends evenly would send its next frame.
 */

import { readI32, readU16 } from '../../base/bytes.ts';
import { MAC_LENGTH } from '../../wire/addr.ts';
import { ethernetIsGroup } from '../../wire/ethernet.ts';
import { mixInto } from '../tables/hash.ts';

/** Ours: frames a second; a gateway with thousands of our addresses asks for fewer. */
const RATE = 2000;
/** Ours: frames at once; half of a punt ring, which takes 4096 frames of ARP. */
export const PUNT_BURST = 2048;
/** Ours: schedules of a worker, 8 KiB; a power of two. */
const SCHEDULES = 1024;

/** Milliseconds from a frame to the next. */
export const PUNT_INTERVAL_MS = 1000 / RATE;
/** A frame may be ahead of its schedule by this. */
const AHEAD_MS = (PUNT_BURST - 1) * PUNT_INTERVAL_MS;

/** The limits of one worker. */
export class PuntLimit {
  readonly #nextMs = new Float64Array(SCHEDULES).fill(Number.NEGATIVE_INFINITY);

  /** Counts the frame at `frame`, received by `port`; false if it is beyond its station's rate. */
  take(port: number, bytes: Uint8Array, frame: number, nowMs: number): boolean {
    const source = frame + MAC_LENGTH;
    const kind = port * 2 + (ethernetIsGroup(bytes, frame) ? 1 : 0);
    const hash = mixInto(mixInto(kind, readU16(bytes, source)), readI32(bytes, source + 2));
    const at = hash & (SCHEDULES - 1);
    const nextMs = Math.max(nowMs, this.#nextMs[at]!);
    if (nextMs > nowMs + AHEAD_MS) return false;
    this.#nextMs[at] = nextMs + PUNT_INTERVAL_MS;
    return true;
  }
}
