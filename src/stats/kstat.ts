/**
 * The kstat chain: every published set of statistics, by module, instance and name.
 *
 * Terms are illumos': a kstat has a *class*, a creation time (`crtime`) and, in each reading, a
 * `snaptime`; the *chain id* rises with each install and remove, so a reader can tell that the
 * list has changed. A kstat has one *owner* at a time: its reader or its remover (lock rank 2).
 *
 * Order of removal, and why: the kstat is unlinked at once, so no look-up finds it; then the
 * remover waits for the owner; then the kstat is retired. No task waits for a reader with a region
 * open, so the deadlock of reader and remover (test/model/old-order.pml) has no place to happen.
 * The order as it is, in all its runs: test/model/new-order.pml.
 */
import { assert } from '../base/assert.ts';
import { OperatorError } from '../base/errors.ts';
import { acquire, WaitLock } from '../base/lock.ts';
import { allOf, type Operation, sleepFor } from '../base/operation.ts';
import { type Decimal, secondsFromMs } from '../base/text/json.ts';
import type { KstatData } from './schema.ts';

/** The identity of a kstat; `instance` is 0 for all of ours. */
export interface KstatIdentity {
  readonly module: string;
  readonly instance: number;
  readonly name: string;
  readonly class: string;
}

/** One reading. `stale`: some driver did not answer in time and its last known value is used. */
export interface KstatReading {
  readonly data: KstatData;
  /** Monotonic milliseconds. */
  readonly snaptimeMs: number;
  readonly stale: boolean;
}

/** A published set of statistics. */
export interface Kstat extends KstatIdentity {
  /** Monotonic milliseconds. */
  readonly crtimeMs: number;
  readonly owner: WaitLock;
  /**
   * Reads it, as its owner; ends within the read's budget of 200 ms. After `retire` it gives the
   * last reading.
   */
  read(): Operation<KstatReading>;
  /** From now on readings ask no driver. Called by the chain, as owner. */
  retire(): void;
}

/** A reading with its identity: a flat copy (contract 4, `kstat`). */
export interface KstatRecord extends KstatIdentity {
  readonly crtime: Decimal;
  readonly snaptime: Decimal;
  readonly stale: boolean;
  readonly data: KstatData;
}

/** A kstat has come (`installed`) or gone; `id` is that of the chain afterwards. */
export interface KstatChange {
  readonly kind: 'installed' | 'removed';
  readonly kstat: string;
  readonly id: number;
}

/** Kstats that may be installed at once: 512 NICs, 64 groups, and our own with room to grow. */
const CHAIN_MAX = 4096;

/** All kstats of this daemon, in the order of their installation. */
export class KstatChain {
  readonly #kstats = new Map<string, Kstat>();
  #id = 1;
  /** Readings given, and those among them in which a last known value stood in. */
  readings = 0n;
  staleReadings = 0n;
  /** Called at each install and remove, perhaps with a region open: it may only take note. */
  onChange: ((change: KstatChange) => void) | undefined;

  /** Rises with each install and remove. */
  get id(): number {
    return this.#id;
  }

  /**
   * Makes `kstat` visible. Synchronous, so a region may do it together with what the kstat
   * describes.
   */
  install(kstat: Kstat): void {
    const key = keyOf(kstat.module, kstat.instance, kstat.name);
    if (this.#kstats.has(key)) throw new OperatorError('EEXIST', `kstat ${key} exists already`);
    assert(this.#kstats.size < CHAIN_MAX, 'the kstat chain is bounded');
    this.#kstats.set(key, kstat);
    this.#changed('installed', key);
  }

  /**
   * Makes `kstat` invisible. Synchronous, so a region may do it together with what the kstat
   * describes; `destroy` follows.
   */
  unlink(kstat: Kstat): void {
    const key = keyOf(kstat.module, kstat.instance, kstat.name);
    assert(this.#kstats.get(key) === kstat, `kstat ${key} is unlinked once`);
    this.#kstats.delete(key);
    this.#changed('removed', key);
  }

  /**
   * Waits until `kstat`, which is unlinked, has no reader; retires it. No region may be open, no
   * later lock be held.
   */
  *destroy(kstat: Kstat): Operation<void> {
    using _owned = yield* acquire(kstat.owner);
    kstat.retire();
  }

  /** Unlinks and destroys, for what describes nothing that could vanish meanwhile. */
  *remove(kstat: Kstat): Operation<void> {
    this.unlink(kstat);
    yield* this.destroy(kstat);
  }

  lookup(module: string, instance: number, name: string): Kstat | undefined {
    return this.#kstats.get(keyOf(module, instance, name));
  }

  get size(): number {
    return this.#kstats.size;
  }

  /** A copy of the list. */
  list(): Kstat[] {
    return [...this.#kstats.values()];
  }

  #changed(kind: KstatChange['kind'], kstat: string): void {
    this.#id++;
    this.onChange?.({ kind, kstat, id: this.#id });
  }
}

function keyOf(module: string, instance: number, name: string): string {
  return `${module}:${instance}:${name}`;
}

/**
 * Kstats whose reading begins in one turn (ours). The next ones begin when these have been read: a
 * thousand questions at once would wait for each other longer than a reading may take.
 */
const READ_A_TURN = 20;

/** Ours: a driver that does not answer within this delays the other kstats no longer. */
const PATIENCE_MS = 20;

/**
 * Reads all kstats for which `wanted` holds, concurrently. A kstat that cannot be read is left
 * out.
 */
export function* collectKstats(
  chain: KstatChain,
  wanted: (kstat: KstatIdentity) => boolean = () => true,
): Operation<KstatRecord[]> {
  const kstats = chain.list().filter(wanted);
  const readings: (KstatReading | undefined)[] = new Array(kstats.length);
  yield* readFrom(kstats, 0, readings);
  return kstats.flatMap((kstat, index) => {
    const reading = readings[index];
    if (reading === undefined) return [];
    chain.readings++;
    if (reading.stale) chain.staleReadings++;
    return [recordOf(kstat, reading)];
  });
}

/** Reads those from `first` on: some now, and concurrently the others when these have been read. */
function* readFrom(
  kstats: readonly Kstat[],
  first: number,
  readings: (KstatReading | undefined)[],
): Operation<void> {
  const some = kstats.slice(first, first + READ_A_TURN);
  let left = some.length;
  const parts = some.map(function* (kstat, at): Operation<void> {
    try {
      readings[first + at] = yield* kstat.read();
    } finally {
      left--;
    }
  });
  const next = first + READ_A_TURN;
  if (next < kstats.length) parts.push(readLater());
  yield* allOf(parts);

  function* readLater(): Operation<void> {
    let waitedMs = 0;
    do yield* sleepFor(1);
    while (left > 0 && ++waitedMs < PATIENCE_MS);
    yield* readFrom(kstats, next, readings);
  }
}

function recordOf(kstat: Kstat, reading: KstatReading): KstatRecord {
  return {
    module: kstat.module,
    instance: kstat.instance,
    name: kstat.name,
    class: kstat.class,
    crtime: secondsFromMs(kstat.crtimeMs),
    snaptime: secondsFromMs(reading.snaptimeMs),
    stale: reading.stale,
    data: reading.data,
  };
}

/** A kstat whose data lie in memory: `read` copies them in one turn, without waiting. */
export class MemoryKstat implements Kstat {
  readonly module: string;
  readonly instance: number;
  readonly name: string;
  readonly class: string;
  readonly crtimeMs: number;
  readonly owner: WaitLock;
  readonly #copy: () => KstatData;
  readonly #nowMs: () => number;
  #dead = false;
  #last: KstatReading;

  /** `copy` gives the present data; `nowMs` the time of a reading. */
  constructor(
    identity: KstatIdentity,
    options: { crtimeMs: number; nowMs: () => number; copy: () => KstatData },
  ) {
    this.module = identity.module;
    this.instance = identity.instance;
    this.name = identity.name;
    this.class = identity.class;
    this.crtimeMs = options.crtimeMs;
    this.owner = new WaitLock('kstat', keyOf(identity.module, identity.instance, identity.name));
    this.#copy = options.copy;
    this.#nowMs = options.nowMs;
    this.#last = { data: {}, snaptimeMs: options.crtimeMs, stale: true };
  }

  *read(): Operation<KstatReading> {
    using _owned = yield* acquire(this.owner);
    if (!this.#dead) {
      this.#last = { data: this.#copy(), snaptimeMs: this.#nowMs(), stale: false };
    }
    return this.#last;
  }

  retire(): void {
    this.#dead = true;
  }
}
