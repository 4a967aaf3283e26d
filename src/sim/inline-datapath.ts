/**
 * The datapath without threads: the real forwarder over devices in memory, one breath at a time.
 *
 * It offers what the pool of workers offers (publication, carrier words, attach, inject, punts,
 * counters), so the control plane above it cannot tell the difference.
 */

import { CounterReader, type PortCounters } from '../datapath/counters.ts';
import { Forwarder } from '../datapath/forwarder.ts';
import { slabCreate } from '../datapath/slab.ts';
import type { Publication } from '../datapath/tables/fib.ts';
import {
  CARRIER_WORDS_PER_NIC,
  carrierWords,
  controlMemoryCreate,
} from '../datapath/tables/layout.ts';
import { TablePublisher } from '../datapath/tables/publish.ts';
import type { DatapathDropReason } from '../stats/drop-reasons.ts';
import type { Agenda } from './agenda.ts';
import type { MemoryPort } from './memory-port.ts';

/** A frame for the control plane. */
export interface Punt {
  readonly port: number;
  readonly frame: Uint8Array;
  readonly atMs: number;
}

/** Punts that wait at most; the worker's ring holds some hundred frames of ARP. */
const PUNTS_MAX = 512;

/**
 * The frame memory of all worlds: between two bursts its content is not needed, and four megabytes
 * for each of ten thousand worlds take longer than their lives.
 */
const SLAB = slabCreate();

/** A datapath of one worker, driven by calls of `breathe`. */
export class InlineDatapath {
  /** The control memory, as the workers of a real pool share it. */
  readonly memory: SharedArrayBuffer;
  readonly publication: Publication;
  readonly counters: CounterReader;
  readonly #forwarder: Forwarder;
  readonly #carrierWords: Int32Array;
  readonly #ports = new Map<number, MemoryPort>();
  #punts: Punt[] = [];

  constructor(agenda: Agenda) {
    const memory = controlMemoryCreate(1);
    this.memory = memory;
    this.publication = new TablePublisher(memory);
    this.counters = new CounterReader(memory);
    this.#carrierWords = carrierWords(memory);
    this.#forwarder = new Forwarder({
      memory,
      worker: 0,
      slab: SLAB,
      nowMs: () => agenda.nowMs,
      punts: {
        punt: (port, bytes, offset, length, atMs) => {
          if (this.#punts.length >= PUNTS_MAX) return false;
          this.#punts.push({ port, frame: bytes.slice(offset, offset + length), atMs });
          return true;
        },
      },
    });
  }

  /** Makes `device` the device of `port`. */
  attach(port: number, device: MemoryPort): void {
    this.#forwarder.attach(port, device);
    this.#ports.set(port, device);
  }

  /** Touches the device of `port` no more. */
  detach(port: number): void {
    this.#forwarder.detach(port);
    this.#ports.delete(port);
  }

  /** How many ports have a device. */
  get attached(): number {
    return this.#ports.size;
  }

  /** Writes what the carrier watch writes. */
  setCarrier(nic: number, isUp: boolean): void {
    Atomics.store(this.#carrierWords, nic * CARRIER_WORDS_PER_NIC, isUp ? 0 : 1);
  }

  /** Carries every waiting frame to its end. Returns how many there were. */
  breathe(): number {
    let total = 0;
    for (const [port, device] of this.#ports) {
      while (device.waiting > 0) {
        const count = this.#forwarder.breathe(port);
        if (count <= 0) break;
        total += count;
      }
    }
    return total;
  }

  /** Writes a frame of the control plane to `port`. */
  inject(port: number, frame: Uint8Array): void {
    this.#forwarder.inject(port, frame, 0, frame.length);
    this.#forwarder.commit();
  }

  /** Takes the frames for the control plane, oldest first. */
  takePunts(): Punt[] {
    const punts = this.#punts;
    this.#punts = [];
    return punts;
  }

  portCounters(port: number): PortCounters {
    return this.counters.port(port);
  }

  /** Drops of frames that came in by `port`, by reason. */
  portDrops(port: number): Map<DatapathDropReason, bigint> {
    return this.counters.portDrops(port);
  }
}
