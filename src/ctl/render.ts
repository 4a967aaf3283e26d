/**
 * Rows as text, in the manner of iproute2: a head line for each row and indented lines beneath
 * it; with `-o` all on one line, the joints shown as `\`; with `-br` a table of columns. Pure:
 * rows in, text out.
 */
import { durationFormat } from '../base/duration.ts';
import { Decimal, type JsonValue } from '../base/json.ts';

/** A row as it came from the daemon. */
export type Row = { readonly [key: string]: JsonValue };

export interface RenderOptions {
  readonly details: boolean;
  readonly statistics: boolean;
  readonly oneline: boolean;
  readonly brief: boolean;
}

/** One row as text: its first line and those beneath. */
interface Block {
  readonly head: string;
  readonly lines: readonly string[];
}

/** How one kind of row is shown. */
interface View {
  readonly brief: (row: Row) => readonly string[];
  readonly full: (row: Row) => Block;
  /** Fields that `full` has shown; `-d` adds the others. */
  readonly shown: readonly string[];
}

export type ViewName = 'group' | 'interface' | 'address' | 'neighbor';

const VIEWS: Readonly<Record<ViewName, View>> = {
  group: {
    brief: (row) => [text(row.group), text(row.state), list(row.interfaces)],
    full: (row) => ({
      head:
        `${text(row.group)}: state ${text(row.state)} mtu ${text(row.mtu)} ` +
        `fdt ${durationFormat(Number(row.fdt_ms))}`,
      lines: [
        words(
          ['active', list(row.active)],
          ['inactive', list(row.inactive)],
          ['failed', list(row.failed)],
          ['offline', list(row.offline)],
          ['absent', list(row.absent)],
        ),
        typeof row.cause === 'string' ? `cause: ${row.cause}` : '',
      ],
    }),
    shown: [
      ...['group', 'state', 'mtu', 'fdt_ms', 'interfaces', 'active', 'inactive', 'failed'],
      ...['offline', 'absent', 'cause'],
    ],
  },
  interface: {
    brief: (row) => [text(row.ifname), text(row.state), text(row.link), text(row.group)],
    full: (row) => ({
      head:
        `${text(row.ifname)}: <${list(row.flags)}> mtu ${text(row.mtu)} ` +
        words(['group', text(row.group)], ['uplink', text(row.uplink)]),
      lines: [
        words(
          ['state', text(row.state)],
          ['link', text(row.link)],
          ['probe', text(row.probe)],
          ['lladdr', text(row.lladdr)],
        ) +
          (row.active === true ? ' active' : '') +
          (row.standby === true ? ' standby' : ''),
        `cause: ${text(row.cause)}`,
      ],
    }),
    shown: [
      ...['ifname', 'flags', 'mtu', 'group', 'uplink', 'state', 'link', 'probe', 'lladdr'],
      ...['active', 'standby', 'cause'],
    ],
  },
  address: {
    brief: (row) => [text(row.address), text(row.ifname), text(row.type), text(row.state)],
    full: (row) => ({
      head:
        `${text(row.address)} dev ${text(row.ifname)} ${text(row.type)} ${text(row.state)} ` +
        words(['inbound', text(row.inbound)], ['outbound', list(row.outbound)]),
      lines: [typeof row.note === 'string' ? row.note : ''],
    }),
    shown: ['address', 'ifname', 'type', 'state', 'inbound', 'outbound', 'note', 'group'],
  },
  neighbor: {
    brief: (row) => [text(row.dst), text(row.state), text(row.lladdr), text(row.group)],
    full: (row) => ({
      head: `${text(row.dst)} ${words(
        ['dev', text(row.group)],
        ['lladdr', text(row.lladdr)],
      )} ${text(row.state)}`.replace('  ', ' '),
      lines: [],
    }),
    shown: ['dst', 'group', 'lladdr', 'state'],
  },
};

/** The text of `rows`, each line ended; empty for no rows. */
export function renderRows(name: ViewName, rows: readonly Row[], options: RenderOptions): string {
  const view = VIEWS[name];
  if (options.brief) return renderTable(rows.map((row) => view.brief(row)));
  const texts = rows.map((row) => {
    const block = view.full(row);
    const extra = options.details ? details(row, view.shown) : '';
    const statistics = options.statistics ? statisticsLines(row) : [];
    const lines = [...block.lines, extra, ...statistics].filter((line) => line !== '');
    const joint = options.oneline ? '\\    ' : '\n    ';
    return `${[block.head.trimEnd(), ...lines].join(joint)}\n`;
  });
  return texts.join('');
}

/** Columns as wide as their widest entry; the last is not padded. */
export function renderTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return lines.map((line) => `${line}\n`).join('');
}

/** One line a group: what works, and what does not. */
export function renderStatus(status: Row): string {
  const groups = Array.isArray(status.groups) ? (status.groups as Row[]) : [];
  if (groups.length === 0) return `${text(status.state)}: no groups\n`;
  const lines = groups.map((group) => {
    const rest = words(
      ['active', list(group.active)],
      ['inactive', list(group.inactive)],
      ['failed', list(group.failed)],
      ['offline', list(group.offline)],
      ['absent', list(group.absent)],
    );
    return `${text(group.group)}: ${text(group.state)} ${rest}`.trimEnd();
  });
  return lines.map((line) => `${line}\n`).join('');
}

/** One event on one line; its time first if `withTime`. */
export function renderEvent(event: Row, withTime: boolean): string {
  const change = words(['from', text(event.from)], ['to', text(event.to)]);
  const parts = [
    withTime ? `[${text(event.time)}]` : '',
    text(event.group),
    text(event.ifname),
    text(event.event),
    typeof event.detail === 'string' ? event.detail : '',
    change,
    text(event.cause) === '' ? '' : `(${text(event.cause)})`,
  ];
  return parts.filter((part) => part !== '').join(' ');
}

/** The fields that have not been shown yet, as `key value` pairs; without those that are null. */
function details(row: Row, shown: readonly string[]): string {
  const rest = Object.entries(row).filter(([key]) => !shown.includes(key) && key !== 'statistics');
  return words(
    ...rest.map(([key, value]) => [key, Array.isArray(value) ? list(value) : text(value)] as const),
  );
}

/** RX and TX tables from the row's `statistics`, as `ip -s link` shows them. */
function statisticsLines(row: Row): string[] {
  const data = row.statistics as Row | undefined;
  if (data === undefined) return ['no statistics'];
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

/** `key value` pairs, without those that have no value. */
function words(...pairs: readonly (readonly [string, string])[]): string {
  return pairs
    .filter(([, value]) => value !== '')
    .map(([key, value]) => `${key} ${value}`)
    .join(' ');
}

function list(value: JsonValue | undefined): string {
  return Array.isArray(value) ? value.map((item) => text(item)).join(',') : '';
}

/**
 * A value as text; null and absent fields are empty. Control characters do not reach the
 * terminal.
 */
function text(value: JsonValue | undefined): string {
  if (value === null || value === undefined) return '';
  if (value instanceof Decimal) return value.text;
  const plain = typeof value === 'object' ? '' : String(value);
  return plain.replace(/\p{Cc}/gu, '?');
}
