/**
 * One thing after another: what changes the host runs in the order it was asked for, so that two
 * interfaces that share a bridge, or an event and a command, never meet half-way.
 */

/** A queue of asynchronous bodies, one running at a time. */
export class Serial {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `body` after everything asked for before; its result or error is the caller's. */
  run<T>(body: () => Promise<T>): Promise<T> {
    const result = this.#last.then(body, body);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
