/**
 * Rates from kstats: the difference of two readings by the difference of their `snaptime`. A kstat
 * that was created anew has no rate until its second reading; a reading in which a last known
 * value is used (`stale`) gives none.
 */

import type { KstatRow } from '../../model/rows.ts';
import type { Rates } from './state.ts';

/** Ours: readings closer together than this show more of the moment than of the rate. */
const SPAN_S = 0.9;

interface Reading {
  readonly crtime: string;
  readonly snaptimeS: number;
  readonly counters: readonly bigint[];
}

/** In the order of `Rates`. */
const COUNTERS = ['rbytes64', 'ipackets64', 'obytes64', 'opackets64'] as const;

/** Remembers the last readings of all kstats. */
export class RateMeter {
  readonly #before = new Map<string, Reading>();
  #rates: ReadonlyMap<string, Rates> = new Map();

  /** Takes what GET /v1/kstats has answered; returns the rates by `module:name`. */
  handleKstats(rows: readonly KstatRow[]): ReadonlyMap<string, Rates> {
    const rates = new Map<string, Rates>();
    for (const row of rows) {
      const key = `${row.module}:${row.name}`;
      const reading = readingOf(row);
      if (reading === undefined) {
        this.#before.delete(key);
        continue;
      }
      const before = this.#before.get(key);
      const isSame = before !== undefined && before.crtime === reading.crtime;
      const spanS = isSame ? reading.snaptimeS - before.snaptimeS : 0;
      const known = this.#rates.get(key);
      if (isSame && spanS < SPAN_S) {
        if (known !== undefined) rates.set(key, known);
        continue;
      }
      if (isSame) rates.set(key, ratesOf(before, reading, spanS));
      this.#before.set(key, reading);
    }
    this.#rates = rates;
    return rates;
  }
}

function readingOf(row: KstatRow): Reading | undefined {
  const { data, stale } = row;
  if (stale) return undefined;
  return {
    crtime: String(row.crtime),
    snaptimeS: Number(row.snaptime),
    counters: COUNTERS.map((name) => BigInt(String(data[name] ?? 0))),
  };
}

function ratesOf(before: Reading, after: Reading, spanS: number): Rates {
  const [inBytes = 0, inPackets = 0, outBytes = 0, outPackets = 0] = after.counters.map(
    (counter, index) => Number(counter - (before.counters[index] ?? 0n)) / spanS,
  );
  return { inBytes, inPackets, outBytes, outPackets };
}
