/**
 * Tables of the live view: columns on the left as wide as their widest entry, columns on the right
 * that begin at the same place in every table, and one in between that takes what is left.
 */

import { cutText, type Line, lineWidth, rule, type Span, span } from './text.ts';

const GAP = 2;
/** Column in which every table begins; in front of it is room for a key. */
const INDENT = 2;

/** A column: its title, and how its entry of each row looks. */
export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => Span;
  /** Widest that it may become; longer entries are cut. */
  readonly max?: number;
}

/** A column of figures at the right edge. */
export interface Figure<Row> {
  readonly title: string;
  readonly width: number;
  readonly cell: (row: Row) => string;
}

export interface TableOptions<Row> {
  readonly columns: readonly Column<Row>[];
  readonly figures?: readonly Figure<Row>[];
  /** Takes the room that is left, if it is at least its title's. */
  readonly rest?: Column<Row>;
  /** The key in front of a row. */
  readonly mark?: (row: Row) => string;
}

/** A table laid out for one width. */
export interface Table<Row> {
  readonly head: Line;
  readonly line: (row: Row) => Line;
  /** Whether `rest` has found room. */
  readonly hasRest: boolean;
  /** Where the second column begins: a second line of a row begins there. */
  readonly secondColumn: number;
}

/** Lays `rows` out in `width` columns. */
export function layOut<Row>(
  rows: readonly Row[],
  width: number,
  options: TableOptions<Row>,
): Table<Row> {
  const { columns, figures = [], rest, mark } = options;
  const widths = columns.map(({ title, cell, max = 40 }) =>
    Math.min(max, Math.max(title.length, ...rows.map((row) => cell(row).text.length))),
  );
  const starts = widths.map((_, index) => {
    const before = widths.slice(0, index).reduce((sum, each) => sum + each + GAP, 0);
    return INDENT + before;
  });
  const leftEnd = INDENT + widths.reduce((sum, each) => sum + each + GAP, 0);
  const figuresWidth = figures.reduce((sum, figure) => sum + GAP + figure.width, 0);
  const isRoomy = width - leftEnd >= figuresWidth;
  const shownFigures = isRoomy ? figures : [];
  const rightStart = width - (isRoomy ? figuresWidth : 0);
  const restWidth = rightStart - leftEnd;
  const hasRest = rest !== undefined && restWidth >= Math.max(12, rest.title.length);

  const titles = columns.map(({ title }, index) => ({ at: starts[index] ?? 0, text: title }));
  if (hasRest) titles.push({ at: leftEnd, text: rest.title });
  let at = rightStart;
  for (const { title, width: each } of shownFigures) {
    at += GAP + each;
    titles.push({ at: at - title.length, text: title });
  }
  return {
    head: rule(titles, width),
    hasRest,
    secondColumn: starts[1] ?? INDENT,
    line: (row) => {
      const spans: Span[] = [span((mark?.(row) ?? '').padEnd(INDENT), 'bold')];
      columns.forEach(({ cell }, index) => {
        spans.push(...padded(cell(row), widths[index] ?? 0, GAP));
      });
      if (hasRest) spans.push(...padded(rest.cell(row), restWidth, 0));
      const missing = rightStart - lineWidth(spans);
      if (shownFigures.length > 0 && missing > 0) spans.push(span(' '.repeat(missing)));
      for (const { cell, width: each } of shownFigures) {
        spans.push(span(cutText(cell(row), each).padStart(GAP + each)));
      }
      return spans;
    },
  };
}

function padded({ text, style }: Span, width: number, gap: number): Span[] {
  const kept = cutText(text, width);
  return [{ text: kept, style }, span(' '.repeat(width - kept.length + gap))];
}
