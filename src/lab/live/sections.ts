/** How the rows of a screen are shared out among the sections of the live view. */

import { type Line, span } from './text.ts';

/** An entry of a section: one line, and one that explains it. */
export interface Item {
  readonly line: Line;
  readonly detail: Line | null;
  /** Not as it should be: shown first when not all can be shown. */
  readonly isTroubled: boolean;
}

/** A titled list. */
export interface Section {
  /** Where there is little room, sections of low rank stay longest. */
  readonly rank: number;
  readonly head: Line;
  readonly items: readonly Item[];
  /** As many rows as are left: the list has no natural end. */
  readonly isOpen?: boolean;
}

type Details = 'all' | 'troubled' | 'none';

/** Ours: an open list keeps at least so many rows before explanations give way to it. */
const OPEN_ROWS = 4;

/** Lines for `rows` rows at most. */
export function allot(sections: readonly Section[], rows: number): Line[] {
  for (const details of ['all', 'troubled', 'none'] as const) {
    const fixed = sections.map((section) => naturalRows(section, details));
    const left = rows - fixed.reduce((sum, each) => sum + each, 0);
    if (left >= 0) return whole(sections, details, left);
  }
  return squeezed(sections, rows);
}

/** Head and items; an open list is content with a few. */
function naturalRows({ items, isOpen }: Section, details: Details): number {
  if (isOpen) return 1 + Math.min(OPEN_ROWS, items.length);
  return 1 + items.reduce((sum, item) => sum + (hasDetail(item, details) ? 2 : 1), 0);
}

function hasDetail({ detail, isTroubled }: Item, details: Details): boolean {
  return detail !== null && (details === 'all' || (details === 'troubled' && isTroubled));
}

function whole(sections: readonly Section[], details: Details, left: number): Line[] {
  return sections.flatMap(({ head, items, isOpen }) => {
    if (isOpen) return [head, ...shown(items, Math.min(OPEN_ROWS, items.length) + left)];
    const lines = items.flatMap((item) =>
      hasDetail(item, details) ? [item.line, item.detail ?? []] : [item.line],
    );
    return [head, ...lines];
  });
}

/**
 * By rank, the sections that find room for their head and two rows (the first one whatever there
 * is); then a row for each in turn.
 */
function squeezed(sections: readonly Section[], rows: number): Line[] {
  const granted = new Map<Section, number>();
  let left = rows;
  for (const section of [...sections].sort((one, other) => one.rank - other.rank)) {
    const wanted = Math.min(2, section.items.length);
    const given = granted.size === 0 ? Math.min(wanted, left - 1) : wanted;
    if (given < 0 || 1 + given > left) break;
    granted.set(section, given);
    left -= 1 + given;
  }
  for (let hasGiven = true; left > 0 && hasGiven; ) {
    hasGiven = false;
    for (const [section, given] of granted) {
      if (left === 0 || given >= section.items.length) continue;
      granted.set(section, given + 1);
      left -= 1;
      hasGiven = true;
    }
  }
  return sections.flatMap((section) => {
    const count = granted.get(section);
    if (count === undefined) return [];
    const { head, items, isOpen } = section;
    const isCut = items.length > count;
    return [head, ...shown(isCut && !isOpen ? troubledFirst(items) : items, count)];
  });
}

function troubledFirst(items: readonly Item[]): Item[] {
  return [...items].sort((left, right) => Number(right.isTroubled) - Number(left.isTroubled));
}

/** At most `count` lines; the last one counts what is not shown. */
function shown(items: readonly Item[], count: number): Line[] {
  if (items.length <= count) return items.map(({ line }) => line);
  const fitting = items.slice(0, Math.max(0, count - 1)).map(({ line }) => line);
  const more = items.length - fitting.length;
  return count < 1 ? [] : [...fitting, [span(`  ... ${more} more`, 'dim')]];
}
