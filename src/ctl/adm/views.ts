/** How each kind of row is shown, in what order, and by what it is known. */

import type { ErrorCode } from '../../base/errors.ts';
import { durationFormat } from '../../base/text/duration.ts';
import { Decimal, type JsonValue } from '../../base/text/json.ts';
import { compareAddresses, compareNames, type SortKey } from './order.ts';
import type { Paint } from './paint.ts';

/** A row as it came from the daemon. */
export type Row = { readonly [key: string]: JsonValue };

/** One row as text: its first line and those beneath. */
export interface Block {
  readonly head: string;
  readonly lines: readonly string[];
}

/** How one kind of row is shown. */
export interface View {
  readonly brief: (row: Row, paint: Paint) => readonly string[];
  /** `-d` adds the fields that it has not read. */
  readonly full: (row: Row, paint: Paint) => Block;
  readonly order: readonly SortKey[];
  /** What a row is called, and the code that says that there is none. */
  readonly noun: string;
  readonly absence: ErrorCode;
  /** The field that names a row, or what it belongs to. */
  readonly key: string;
  /** The module of the row's kstat, if it has one. */
  readonly kstatModule?: string;
  /** Which of the daemon's rows are meant; all if there is none. */
  readonly isMeant?: (row: Row) => boolean;
}

export type ViewName =
  | 'group'
  | 'interface'
  | 'address'
  | 'test-address'
  | 'neighbor'
  | 'multicast'
  | 'target';

/** Members by what they do: for groups and their status. */
export function memberWords(row: Row, paint: Paint): string {
  const kinds = ['active', 'inactive', 'failed', 'offline', 'absent'];
  return words(...kinds.map((kind) => [kind, list(row[kind], paint.name)] as const));
}

const GROUP: View = {
  brief: (row, paint) => [
    paint.name(text(row.group)),
    paint.state(text(row.state)),
    list(row.interfaces, paint.name),
  ],
  full: (row, paint) => ({
    head:
      `${paint.name(text(row.group))}: state ${paint.state(text(row.state))} ` +
      `mtu ${text(row.mtu)} fdt ${durationFormat(Number(row.fdt_ms))}`,
    lines: [memberWords(row, paint), `cause: ${text(row.cause_text)}`],
  }),
  order: [['group', compareNames]],
  noun: 'group',
  absence: 'ENOENT',
  key: 'group',
  kstatModule: 'ipmp',
};

const INTERFACE: View = {
  brief: (row, paint) => [
    paint.name(text(row.ifname)),
    paint.state(text(row.state)),
    paint.state(text(row.link)),
    paint.name(text(row.group)),
  ],
  full: (row, paint) => ({
    head:
      `${paint.name(text(row.ifname))}: <${list(row.flags)}> mtu ${text(row.mtu)} ` +
      words(['group', paint.name(text(row.group))], ['uplink', paint.name(text(row.uplink))]),
    lines: [
      words(
        ['state', paint.state(text(row.state))],
        ['link', paint.state(text(row.link))],
        ['probe', paint.state(text(row.probe))],
        ['lladdr', paint.lladdr(text(row.lladdr))],
      ) +
        (row.active === true ? ' active' : '') +
        (row.standby === true ? ' standby' : '') +
        (row.unanswered === true ? ' unanswered' : ''),
      `cause: ${text(row.cause_text)}`,
    ],
  }),
  order: [['ifname', compareNames]],
  noun: 'interface',
  absence: 'ENXIO',
  key: 'ifname',
  kstatModule: 'link',
};

const ADDRESS: View = {
  brief: (row, paint) => [
    paint.address(text(row.address)),
    paint.name(text(row.ifname)),
    text(row.type),
    paint.state(text(row.state)),
  ],
  full: (row, paint) => ({
    head:
      `${paint.address(text(row.address))} dev ${paint.name(text(row.ifname))} ` +
      `${text(row.type)} ${paint.state(text(row.state))} ` +
      words(
        ['inbound', paint.name(text(row.inbound))],
        ['outbound', list(row.outbound, paint.name)],
      ),
    lines: [text(row.cause_text)],
  }),
  order: [
    ['ifname', compareNames],
    ['address', compareAddresses],
  ],
  noun: 'address',
  absence: 'EADDRNOTAVAIL',
  key: 'ifname',
};

const NEIGHBOR: View = {
  brief: (row, paint) => [
    paint.address(text(row.dst)),
    paint.state(text(row.state)),
    paint.lladdr(text(row.lladdr)),
    paint.name(text(row.group)),
  ],
  full: (row, paint) => ({
    head: [
      paint.address(text(row.dst)),
      words(['dev', paint.name(text(row.group))], ['lladdr', paint.lladdr(text(row.lladdr))]),
      paint.state(text(row.state)),
    ]
      .filter((part) => part !== '')
      .join(' '),
    lines: [],
  }),
  order: [
    ['group', compareNames],
    ['dst', compareAddresses],
  ],
  noun: 'neighbour',
  absence: 'ENOENT',
  key: 'group',
};

const MULTICAST: View = {
  brief: (row, paint) => [
    paint.address(text(row.address)),
    paint.name(text(row.group)),
    paint.name(text(row.inbound)),
  ],
  full: (row, paint) => ({
    head:
      `${paint.address(text(row.address))} dev ${paint.name(text(row.group))} ` +
      words(['inbound', paint.name(text(row.inbound))]),
    lines: [],
  }),
  order: [
    ['group', compareNames],
    ['address', compareAddresses],
  ],
  noun: 'membership',
  absence: 'ENOENT',
  key: 'group',
};

const TARGET: View = {
  brief: (row, paint) => [
    paint.address(text(row.target)),
    paint.name(text(row.ifname)),
    paint.state(text(row.state)),
    roundTrip(row),
  ],
  full: (row, paint) => ({
    head:
      `${paint.address(text(row.target))} dev ${paint.name(text(row.ifname))} ` +
      `${paint.state(text(row.state))} ${words(['rtt', roundTrip(row)])}`,
    lines: [],
  }),
  order: [
    ['ifname', compareNames],
    ['target', compareAddresses],
  ],
  noun: 'target',
  absence: 'ENOENT',
  key: 'ifname',
};

/** Milliseconds, as ping shows them. */
function roundTrip(row: Row): string {
  const microseconds = row.rtt_us;
  if (microseconds === null || microseconds === undefined) return '';
  return `${(Number(microseconds) / 1000).toFixed(3)}ms`;
}

export const VIEWS: Readonly<Record<ViewName, View>> = {
  group: GROUP,
  interface: INTERFACE,
  address: ADDRESS,
  'test-address': { ...ADDRESS, isMeant: (row) => row.type === 'test' },
  neighbor: NEIGHBOR,
  multicast: MULTICAST,
  target: TARGET,
};

/** `key value` pairs, without those that have no value. */
export function words(...pairs: readonly (readonly [string, string])[]): string {
  return pairs
    .filter(([, value]) => value !== '')
    .map(([key, value]) => `${key} ${value}`)
    .join(' ');
}

export function list(
  value: JsonValue | undefined,
  paint: (text: string) => string = (plain) => plain,
): string {
  return Array.isArray(value) ? value.map((item) => paint(text(item))).join(',') : '';
}

/**
 * A value as text; null and absent fields are empty. Control characters do not reach the
 * terminal.
 */
export function text(value: JsonValue | undefined): string {
  if (value === null || value === undefined) return '';
  if (value instanceof Decimal) return value.text;
  const plain = typeof value === 'object' ? '' : String(value);
  return plain.replace(/\p{Cc}/gu, '?');
}
