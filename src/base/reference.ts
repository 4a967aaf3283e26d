/**
 * References: whatever is kept across a wait is held by one, so that it is freed neither too
 * early nor twice. An object owns its References; a holder owns one Reference and releases it
 * exactly once. To free the object: unlink it, condemn it, wait until it is drained.
 *
 * Invariants
 * 1. After `condemn` no new reference is made.
 * 2. `drained` ends only when the last reference has been released.
 * 3. The count is the number of references not yet released, by tag as well.
 */

import { assert } from './assert.ts';
import type { Operation, Waker } from './operation.ts';

/** The references to one object. */
export class References {
  /** What the object is (`phyint`, `group`): the label of its count. */
  readonly kind: string;
  readonly name: string;
  #condemned = false;
  #count = 0;
  #byTag = new Map<string, number>();
  #waiting: Waker[] = [];

  constructor(kind: string, name: string) {
    this.kind = kind;
    this.name = name;
  }

  /** True once the object is on its way out. */
  get condemned(): boolean {
    return this.#condemned;
  }

  /** How many references are held. */
  get count(): number {
    return this.#count;
  }

  /** Tag -> references held under it. */
  get tags(): ReadonlyMap<string, number> {
    return this.#byTag;
  }

  /** A reference for the holder named by `tag`. The object must not be condemned. */
  hold(tag: string): Reference {
    assert(!this.#condemned, `${tag} holds ${this.kind} ${this.name}, which is condemned`);
    this.#count++;
    this.#byTag.set(tag, (this.#byTag.get(tag) ?? 0) + 1);
    return new Reference(this, tag);
  }

  /** From now on nobody may hold the object; who holds it already may finish. */
  condemn(): void {
    assert(!this.#condemned, `${this.kind} ${this.name} is condemned twice`);
    this.#condemned = true;
  }

  /** Waits until no reference is left; the object must have been condemned. */
  *drained(): Operation<void> {
    assert(this.#condemned, `${this.kind} ${this.name} drains without being condemned`);
    if (this.#count === 0) return;
    yield {
      label: `drain ${this.kind} ${this.name}`,
      begin: (waker) => {
        this.#waiting.push(waker);
        waker.onCancel(() => {
          this.#waiting = this.#waiting.filter((other) => other !== waker);
        });
      },
    };
  }

  /** Takes one reference back. For Reference. */
  give(tag: string): void {
    const tagged = this.#byTag.get(tag) ?? 0;
    assert(tagged > 0, `${tag} gives back what it does not hold`);
    if (tagged === 1) this.#byTag.delete(tag);
    else this.#byTag.set(tag, tagged - 1);
    this.#count--;
    if (this.#count > 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waker of waiting) waker.resolve(undefined);
  }
}

/** One hold on an object. */
export class Reference {
  readonly references: References;
  readonly tag: string;
  #released = false;

  constructor(references: References, tag: string) {
    this.references = references;
    this.tag = tag;
  }

  /** Gives the hold back; a second time is a mistake. */
  release(): void {
    assert(!this.#released, `${this.tag} releases ${this.references.name} twice`);
    this.#released = true;
    this.references.give(this.tag);
  }

  [Symbol.dispose](): void {
    if (!this.#released) this.release();
  }
}
