/** "Did you mean": the nearest known word to one that was mistyped. */

/** From Damerau's measure: edits beyond this are another word, not a typing error. */
const MAX_EDITS = 2;

/** Letters of a word that are looked at: none of our words is longer. */
const WORD_MAX = 64;

/**
 * Number of inserted, deleted, replaced or swapped neighbouring letters between two words
 * (optimal string alignment distance).
 */
export function editDistance(left: string, right: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const replaced = left[row - 1] === right[column - 1] ? 0 : 1;
      let best = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + replaced,
      );
      const swapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (row > 1 && column > 1 && swapped) best = Math.min(best, (before[column - 2] ?? 0) + 1);
      current.push(best);
    }
    before = previous;
    previous = current;
  }
  return previous[right.length] ?? 0;
}

/**
 * The candidate that `word` was probably meant to be, or undefined if none is near. Case is
 * ignored.
 */
export function suggest(word: string, candidates: readonly string[]): string | undefined {
  const limit = Math.min(MAX_EDITS, word.length - 1);
  const typed = word.toLowerCase().slice(0, WORD_MAX);
  let nearest: string | undefined;
  let nearestEdits = limit + 1;
  for (const candidate of candidates) {
    const edits = editDistance(typed, candidate.toLowerCase());
    const isNear = edits <= 1 || typed[0] === candidate[0]?.toLowerCase();
    if (isNear && edits < nearestEdits) {
      nearest = candidate;
      nearestEdits = edits;
    }
  }
  return nearest;
}
