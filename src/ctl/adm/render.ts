/**
 * Rows as text, in the manner of iproute2: a head line for each row and indented lines below
 * it; with `-o` all on one line, the joints shown as `\`; with `-br` a table of columns. Pure:
 * rows in, text out.
 */

import { Decimal, type JsonValue, jsonWrite } from '../../base/text/json.ts';
import { isJsonObject } from '../../model/fields.ts';
import { list, type Paint, text, visibleLength } from './paint.ts';
import { memberWords, type Row, type View, words } from './views.ts';

export interface RenderOptions {
  readonly details: boolean;
  readonly statistics: boolean;
  readonly oneline: boolean;
  readonly brief: boolean;
  readonly paint: Paint;
}

/** The text of `rows`, each line ended; empty for no rows. */
export function renderRows(view: View, rows: readonly Row[], options: RenderOptions): string {
  const { paint } = options;
  if (options.brief) return renderTable(rows.map((row) => view.brief(row, paint)));
  const texts = rows.map((row) => {
    const shown = new Set<string | symbol>(['statistics']);
    const [head = '', ...below] = view.full(noting(row, shown), paint);
    const extra = options.details ? details(row, shown) : '';
    const statistics = options.statistics ? statisticsLines(row) : [];
    const lines = [...below, extra, ...statistics].filter((line) => line !== '');
    const joint = options.oneline ? '\\    ' : '\n    ';
    return `${[head.trimEnd(), ...lines].join(joint)}\n`;
  });
  return texts.join('');
}

/** `row`; the fields that are read of it are added to `read`. */
function noting(row: Row, read: Set<string | symbol>): Row {
  return new Proxy(row, {
    get: (target, key) => {
      read.add(key);
      return Reflect.get(target, key);
    },
  });
}

/** Columns as wide as their widest entry; the last is not padded. */
export function renderTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, visibleLength(cell));
    });
  }
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - visibleLength(cell)))
      .join('  ')
      .trimEnd(),
  );
  return lines.map((line) => `${line}\n`).join('');
}

/** One line a group: what works, and what does not; then what of the configuration is not so. */
export function renderStatus(status: Row, groups: readonly Row[], paint: Paint): string {
  const lines = groups.map((group) => {
    const state = paint.state(group.state);
    return `${paint.name(group.group)}: ${state} ${memberWords(group, paint)}`.trimEnd();
  });
  if (groups.length === 0) lines.push(`${paint.state(status.state)}: no groups`);
  const problems = Array.isArray(status.problems) ? status.problems : [];
  lines.push(...problems.map((problem) => `problem: ${text(problem)}`));
  return lines.map((line) => `${line}\n`).join('');
}

/** One event on one line; its time first if `withTime`. */
export function renderEvent(event: Row, withTime: boolean, paint: Paint): string {
  const change = words(['from', paint.state(event.from)], ['to', paint.state(event.to)]);
  const parts = [
    withTime ? `[${text(event.time)}]` : '',
    paint.name(event.group),
    paint.name(event.ifname),
    text(event.event),
    text(event.detail),
    change,
    text(event.cause) === '' ? '' : `(${text(event.cause)})`,
  ];
  return parts.filter((part) => part !== '').join(' ');
}

/** Widest column of keys and of values that is kept to: one long list bends no other line. */
const CONFIG_COLUMN_MAX = 48;

/** `key = value   # origin`, in columns. */
export function renderConfig(rows: readonly Row[]): string {
  const cells = rows.map(
    (row) => [text(row.key), settingText(row.value), text(row.origin)] as const,
  );
  const width = (column: 0 | 1): number => {
    const lengths = cells.map((cell) => cell[column].length);
    return Math.max(0, ...lengths.filter((length) => length <= CONFIG_COLUMN_MAX));
  };
  const [keys, values] = [width(0), width(1)];
  return cells
    .map(([key, value, origin]) => `${key.padEnd(keys)} = ${value.padEnd(values)}  # ${origin}\n`)
    .join('');
}

/** As the file would have it: a text bare, a list in brackets, a mapping in braces. */
function settingText(value: JsonValue | undefined): string {
  if (typeof value === 'string') return text(value);
  if (Array.isArray(value)) return `[${value.map(settingText).join(', ')}]`;
  if (typeof value !== 'object' || value === null || value instanceof Decimal) {
    return jsonWrite(value);
  }
  const pairs = Object.entries(value).map(([key, item]) => `${text(key)}: ${settingText(item)}`);
  return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`;
}

/** The fields that have not been shown yet, as `key value` pairs; without those that are null. */
function details(row: Row, shown: ReadonlySet<string | symbol>): string {
  const rest = Object.entries(row).filter(([key]) => !shown.has(key));
  return words(
    ...rest.map(([key, value]) => [key, Array.isArray(value) ? list(value) : text(value)] as const),
  );
}

/** RX and TX tables from the row's `statistics`, as `ip -s link` shows them. */
function statisticsLines(row: Row): string[] {
  const data = row.statistics;
  if (!isJsonObject(data)) return ['no statistics'];
  const pick = (title: string, names: readonly string[], keys: readonly string[]): string[] => {
    const table = renderTable([
      [title, ...names],
      ['', ...keys.map((key) => text(data[key] ?? null))],
    ]);
    return table.trimEnd().split('\n');
  };
  const names = ['bytes', 'packets', 'errors', 'multicast', 'broadcast'];
  return [
    ...pick('RX:', names, ['rbytes64', 'ipackets64', 'ierrors', 'multircv', 'brdcstrcv']),
    ...pick('TX:', names, ['obytes64', 'opackets64', 'oerrors', 'multixmt', 'brdcstxmt']),
  ];
}
