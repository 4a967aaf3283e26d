/**
 * References: whatever is kept across a wait is held by one, so that it is freed neither too
 * early nor twice. An object owns its References; a holder owns one Reference and releases it
 * exactly once.
 *
 *   linked ── condemn ──> condemned ── drained ──> unlink (in a region) ──> free
 *   hold, release         release only                                      nothing any more
 *
 * A reference remembers the task that took it, so that a wait can name it. One that is
 * dropped without being released is noticed when its memory is reclaimed: it is reported then, and
 * given back, so that waiting tasks can go on.
 *
 * Modelled in test/model/new-order.pml.
 *
 * Invariants
 * 1. After `condemn` no new reference is made.
 * 2. `drained` ends only when the last reference has been released.
 * 3. The count is the number of references not yet released.
 * 4. What is freed was condemned, is unlinked and has no reference left.
 */

import { assert } from './assert.ts';
import { assertNoOpenRegion } from './lock.ts';
import { currentTask, type Operation, type Task } from './operation.ts';
import type { Blockers } from './wait-graph.ts';
import type { Waker } from './waker.ts';
import { captureTrace, type Place, reportViolation } from './witness.ts';

/** What is known of one reference that has not been released. */
interface Hold {
  readonly tag: string;
  readonly task: Task<unknown> | undefined;
  readonly trace: Error | undefined;
}

/** How many references to objects of one kind are held in this thread. */
interface Tally {
  count: number;
}

const tallies = new Map<string, Tally>();

/** Kind of object -> references held in this thread; kinds without any are left out. */
export function referenceCounts(): Record<string, number> {
  const held = [...tallies].filter(([, { count }]) => count > 0);
  return Object.fromEntries(held.map(([kind, { count }]) => [kind, count]));
}

/**
 * Reports dropped References. What it keeps of them must not keep them alive, nor their object:
 * where the object itself is unreachable no task can wait for it, and there is nothing to report.
 */
const dropped = new FinalizationRegistry<{ references: WeakRef<References>; id: number }>(
  ({ references, id }) => references.deref()?.noticeDropped(id),
);

/** The references to one object. */
export class References implements Blockers {
  /** What the object is (`phyint`, `group`): the label of its count. */
  readonly kind: string;
  readonly name: string;
  readonly #self = new WeakRef<References>(this);
  readonly #tally: Tally;
  readonly #holds = new Map<number, Hold>();
  #nextId = 0;
  #state: 'linked' | 'condemned' | 'unlinked' | 'freed' = 'linked';
  #waiting: Waker[] = [];

  constructor(kind: string, name: string) {
    this.kind = kind;
    this.name = name;
    this.#tally = tallies.get(kind) ?? { count: 0 };
    tallies.set(kind, this.#tally);
  }

  /** True once the object is on its way out. */
  get condemned(): boolean {
    return this.#state !== 'linked';
  }

  /** How many references are held. */
  get count(): number {
    return this.#holds.size;
  }

  /** The holders of the object, and where each took it. */
  get places(): Place[] {
    return [...this.#holds.values()].map((hold) => this.#placeOf(hold));
  }

  /** A reference for the holder named by `tag`. The object must not be condemned. */
  hold(tag: string): Reference {
    if (this.condemned) {
      const sentence = `${tag} holds ${this.kind} ${this.name}, which is condemned`;
      reportViolation('condemned', sentence);
    }
    const id = this.#nextId++;
    this.#holds.set(id, { tag, task: currentTask(), trace: captureTrace() });
    this.#tally.count++;
    const reference = new Reference(this, tag, id);
    dropped.register(reference, { references: this.#self, id }, reference);
    return reference;
  }

  /** From now on no new holder is accepted; present holders may finish. */
  condemn(): void {
    assert(!this.condemned, `${this.kind} ${this.name} is condemned twice`);
    this.#state = 'condemned';
  }

  /** Waits until no reference is left; the object must have been condemned. */
  *drained(): Operation<void> {
    assert(this.condemned, `${this.kind} ${this.name} drains without being condemned`);
    assertNoOpenRegion(`drain of ${this.kind} ${this.name}`);
    if (this.count === 0) return;
    yield {
      label: `drain ${this.kind} ${this.name}`,
      begin: (waker) => {
        waker.blockers = this;
        this.#waiting.push(waker);
        waker.onCancel(() => {
          this.#waiting = this.#waiting.filter((other) => other !== waker);
        });
      },
    };
  }

  /** The object cannot be found any more; called in the region that cuts its links. */
  unlink(): void {
    assert(this.#state === 'condemned', `${this.kind} ${this.name} is unlinked while it is in use`);
    this.#state = 'unlinked';
  }

  /** The end of the object. Reported unless it is unlinked and has no holder. */
  free(): void {
    assertNoOpenRegion(`free of ${this.kind} ${this.name}`);
    if (this.#state !== 'unlinked' || this.count > 0) {
      const why = this.#state === 'unlinked' ? `${this.count} references are left` : this.#state;
      const sentence = `${this.kind} ${this.name} is freed too early: ${why}`;
      reportViolation('early-free', sentence, this.places);
    }
    this.#state = 'freed';
  }

  /** Takes one reference back; answers whether it was out. For Reference. */
  give(id: number): boolean {
    if (!this.#holds.delete(id)) return false;
    this.#tally.count--;
    if (this.count > 0) return true;
    if (this.condemned) assertNoOpenRegion(`last release of ${this.kind} ${this.name}`);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waker of waiting) waker.resolve(undefined);
    return true;
  }

  /** Its Reference is gone, and was not released. */
  noticeDropped(id: number): void {
    const hold = this.#holds.get(id);
    if (hold === undefined || !this.give(id)) return;
    const sentence = `a reference to ${this.kind} ${this.name} is dropped without being released`;
    reportViolation('leak', sentence, [this.#placeOf(hold)]);
  }

  get relation(): string {
    return `waits for the references of ${this.kind} ${this.name}, held by`;
  }

  /** The tasks that hold the object and have not ended. */
  tasks(): Task<unknown>[] {
    return [...this.#holds.values()].flatMap(({ task }) =>
      task?.state === 'running' ? [task] : [],
    );
  }

  #placeOf({ tag, task, trace }: Hold): Place {
    const who = task === undefined ? tag : `${task.label} (${tag})`;
    return { what: `${who} holds ${this.kind} ${this.name}`, trace };
  }
}

/** One hold on an object. */
export class Reference {
  readonly references: References;
  readonly tag: string;
  readonly #id: number;
  #released = false;

  constructor(references: References, tag: string, id: number) {
    this.references = references;
    this.tag = tag;
    this.#id = id;
  }

  /** Gives the hold back; a second time is a mistake. */
  release(): void {
    if (this.#released) {
      const { kind, name } = this.references;
      reportViolation('double-release', `${this.tag} releases ${kind} ${name} twice`);
      return;
    }
    this.#released = true;
    dropped.unregister(this);
    this.references.give(this.#id);
  }

  [Symbol.dispose](): void {
    if (!this.#released) this.release();
  }
}
