/**
 * Long work in turns: a number of rows in each, and between two of them whatever else waits for
 * the thread. Work in turns uses a copy: what the copy was made of may change meanwhile.
 */

/** Rows in one turn: together under a millisecond (ours). */
export const ROWS_A_TURN = 50;

/** Ends this turn; resolves in the next. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Work that may be interrupted where it yields; what it returns is its result. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Does all of it in this turn. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** Does each step in a turn of its own. */
export async function stepByStep<T>(steps: Steps<T>): Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    await nextTurn();
  }
}

/** What many callers begin by themselves: so many in a turn, and the others in the next ones. */
export class TurnShare {
  readonly #most: number;
  readonly #waiting: (() => void)[] = [];
  #left: number;
  #isCounting = false;

  constructor(most: number) {
    this.#most = most;
    this.#left = most;
  }

  /** Calls `begin` in this turn if there is room in it; in order. */
  run(begin: () => void): void {
    this.#waiting.push(begin);
    if (this.#waiting.length === 1) this.#beginSome();
  }

  #beginSome(): void {
    while (this.#left > 0 && this.#waiting.length > 0) {
      this.#left--;
      this.#waiting.shift()?.();
    }
    if (this.#isCounting) return;
    this.#isCounting = true;
    setImmediate(() => {
      this.#isCounting = false;
      this.#left = this.#most;
      if (this.#waiting.length > 0) this.#beginSome();
    });
  }
}

/** Calls `each` for every row, in order. */
export async function inTurns<Row>(rows: Iterable<Row>, each: (row: Row) => void): Promise<void> {
  let count = 0;
  for (const row of rows) {
    each(row);
    if (++count % ROWS_A_TURN === 0) await nextTurn();
  }
}

/** The first that `pick` finds in the rows, in order; those behind it are not looked at. */
export async function findInTurns<Row, Found>(
  rows: Iterable<Row>,
  pick: (row: Row) => Found | undefined,
): Promise<Found | undefined> {
  let count = 0;
  for (const row of rows) {
    const found = pick(row);
    if (found !== undefined) return found;
    if (++count % ROWS_A_TURN === 0) await nextTurn();
  }
  return undefined;
}

/** What `make` makes of every row, in order. */
export async function mapInTurns<Row, Made>(
  rows: Iterable<Row>,
  make: (row: Row) => Made,
): Promise<Made[]> {
  const made: Made[] = [];
  await inTurns(rows, (row) => made.push(make(row)));
  return made;
}
