/**
 * Which statistics are meant: `module:instance:name:statistic`, parts may be left out or be globs.
 *
 * Any user may send a pattern, so matching costs at most the product of the two lengths: only the
 * last star is ever tried again.
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
  const [module = [], instance = [], name = [], statistic = []] = [0, 1, 2, 3].map((at) =>
    tokensOf(parts[at] || '*'),
  );
  return {
    matchesKstat: (m, i, n) =>
      matches(module, m) && matches(instance, String(i)) && matches(name, n),
    matchesStatistic: (word) => matches(statistic, word),
  };
}

/** Any number of characters, or one that fits. */
type Token = 'star' | ((character: string) => boolean);

/** `*`, `?`, `[a-z]` and `[!a-z]`; in an unfinished set every character stands for itself. */
function tokensOf(glob: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < glob.length; at++) {
    const character = glob[at];
    const end = character === '[' ? glob.indexOf(']', at + 2) : -1;
    if (end > 0) {
      tokens.push(setOf(glob.slice(at + 1, end)));
      at = end;
    } else if (character === '*') {
      if (tokens.at(-1) !== 'star') tokens.push('star');
    } else if (character === '?') tokens.push(() => true);
    else tokens.push((other) => other === character);
  }
  return tokens;
}

/** The characters of a set as they stand between its brackets. */
function setOf(text: string): (character: string) => boolean {
  const isInverse = text.startsWith('!') && text.length > 1;
  const members = isInverse ? text.slice(1) : text;
  return (character) => isMember(members, character) !== isInverse;
}

function isMember(members: string, character: string): boolean {
  for (let at = 0; at < members.length; at++) {
    const first = members[at]!;
    const isRange = members[at + 1] === '-' && at + 2 < members.length;
    const last = isRange ? members[at + 2]! : first;
    if (first <= character && character <= last) return true;
    if (isRange) at += 2;
  }
  return false;
}

function matches(tokens: readonly Token[], text: string): boolean {
  let token = 0;
  let star = -1;
  let retryAt = 0;
  for (let at = 0; at < text.length; ) {
    const wanted = tokens[token];
    if (wanted === 'star') {
      star = token++;
      retryAt = at;
    } else if (wanted?.(text[at]!)) {
      token++;
      at++;
    } else if (star >= 0) {
      token = star + 1;
      at = ++retryAt;
    } else return false;
  }
  if (tokens[token] === 'star') token++;
  return token === tokens.length;
}
