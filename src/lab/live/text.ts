/**
 * Lines of text with styles, for a terminal whose width is counted in columns. Every character is
 * ASCII or a box character, so that a column is a character and no name from outside can wrap a
 * line or control the terminal.
 */

/** What a piece of text means; the colours are chosen in one place. */
export type Style = 'plain' | 'dim' | 'bold' | 'good' | 'warn' | 'bad' | 'badge';

/** A piece of text in one style. */
export interface Span {
  readonly text: string;
  readonly style: Style;
}

/** One line, from left to right. */
export type Line = readonly Span[];

/** Select Graphic Rendition (ECMA-48), by style. */
const SGR: Readonly<Record<Style, string>> = {
  plain: '',
  dim: '2',
  bold: '1',
  good: '32',
  warn: '33',
  bad: '1;31',
  badge: '7',
};

const NOT_SHOWN = /[^\x20-\x7e─│┌┐└┘├┤┬┴┼]/gu;
const RULE = '─';

/** A piece of text; what is neither ASCII nor a box character becomes a question mark. */
export function span(text: string, style: Style = 'plain'): Span {
  return { text: text.replace(NOT_SHOWN, '?'), style };
}

/** Width in columns. */
export function lineWidth(line: Line): number {
  return line.reduce((sum, { text }) => sum + text.length, 0);
}

/** `text` in at most `width` columns; what had to go is shown by dots. */
export function cutText(text: string, width: number): string {
  if (text.length <= width) return text;
  return width > 5 ? `${text.slice(0, width - 3)}...` : text.slice(0, Math.max(0, width));
}

/** The line in at most `width` columns, cut without a sign: the terminal's edge is the sign. */
export function cutLine(line: Line, width: number): Line {
  let left = width;
  return line.flatMap(({ text, style }) => {
    const kept = text.slice(0, Math.max(0, left));
    left -= kept.length;
    return kept === '' ? [] : [{ text: kept, style }];
  });
}

/** `left` and `right` at the two edges of a line of `width` columns; `left` gives way. */
export function spread(left: Line, right: Line, width: number): Line {
  const room = Math.max(0, width - lineWidth(right));
  const kept = cutLine(left, room);
  return [...kept, span(' '.repeat(room - lineWidth(kept))), ...right];
}

/** A rule of `width` columns into which `titles` are written, each at its column. */
export function rule(titles: readonly { at: number; text: string }[], width: number): Line {
  const spans: Span[] = [];
  let at = 0;
  for (const title of [...titles].sort((left, right) => left.at - right.at)) {
    if (title.text === '') continue;
    const gap = title.at - 1 - at;
    if (gap > 0) spans.push(span(RULE.repeat(gap), 'dim'));
    spans.push(span(` ${title.text} `.slice(gap < 0 ? -gap : 0), 'dim'));
    at = Math.max(at, title.at - 1 + title.text.length + 2);
  }
  if (at < width) spans.push(span(RULE.repeat(width - at), 'dim'));
  return cutLine(spans, width);
}

/** The line without spaces at its end. */
export function trimLine(line: Line): Line {
  const last = line.at(-1);
  if (last === undefined || last.style === 'badge') return line;
  const text = last.text.replace(/ +$/, '');
  if (text === last.text && text !== '') return line;
  const before = line.slice(0, -1);
  return text === '' ? trimLine(before) : [...before, { ...last, text }];
}

/** The line as a terminal gets it; without colour it is its text alone. */
export function lineText(line: Line, hasColour: boolean): string {
  return line
    .map(({ text, style }) => {
      const code = SGR[style];
      return hasColour && code !== '' ? `\x1b[${code}m${text}\x1b[0m` : text;
    })
    .join('');
}
