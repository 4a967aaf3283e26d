/** Durations as operators write them: a whole number with its unit, `ms`, `s` or `m`. */

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

/**
 * Milliseconds, or undefined unless `text` is a whole number of at most nine digits directly
 * followed by its unit.
 */
export function durationParse(text: string): number | undefined {
  const match = /^(\d{1,9})(ms|s|m)$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? 0);
}

/**
 * The shortest text that `durationParse` reads back as `durationMs` (a whole number of
 * milliseconds).
 */
export function durationFormat(durationMs: number): string {
  if (durationMs !== 0 && durationMs % 60_000 === 0) return `${durationMs / 60_000}m`;
  if (durationMs !== 0 && durationMs % 1000 === 0) return `${durationMs / 1000}s`;
  return `${durationMs}ms`;
}
