/**
 * Which statistics are meant: `module:instance:name:statistic`, parts may be left out or be
 * globs.
 */

/** Longest pattern: four parts of the longest names. */
const PATTERN_MAX = 256;

export interface KstatPattern {
  matchesKstat(module: string, instance: number, name: string): boolean;
  matchesStatistic(statistic: string): boolean;
}

/** Undefined if `text` has more than four parts or is too long. Empty parts match everything. */
export function kstatPatternParse(text: string): KstatPattern | undefined {
  const parts = text.split(':');
  if (parts.length > 4 || text.length > PATTERN_MAX) return undefined;
  const [module, instance, name, statistic] = [0, 1, 2, 3].map((at) => globOf(parts[at] ?? ''));
  const fits = (glob: RegExp | undefined, word: string): boolean => glob?.test(word) ?? true;
  return {
    matchesKstat: (m, i, n) => fits(module, m) && fits(instance, String(i)) && fits(name, n),
    matchesStatistic: (word) => fits(statistic, word),
  };
}

/** `*`, `?` and `[a-z]`; runs of stars are one, so that matching stays linear in practice. */
function globOf(glob: string): RegExp | undefined {
  if (glob === '') return undefined;
  const source = glob
    .replace(/\*+/g, '*')
    .replace(/\[!/g, '[^')
    .replace(/[.+${}()|\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.');
  try {
    return new RegExp(`^${source}$`);
  } catch {
    // An unfinished [set]: then every character stands for itself.
    return new RegExp(`^${glob.replace(/[^\w]/g, '\\$&')}$`);
  }
}
