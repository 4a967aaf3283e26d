/** How each kind of row is shown, in what order, and by what it is known. */

import type { ErrorCode } from '../../base/errors.ts';
import { durationFormat } from '../../base/text/duration.ts';
import type { JsonValue } from '../../base/text/json.ts';
import { compareAddresses, compareNames, type SortKey } from './order.ts';
import { list, type Paint, text } from './paint.ts';

/** A row as it came from the daemon. */
export type Row = { readonly [key: string]: JsonValue };

/** How one kind of row is shown. */
export interface View {
  readonly brief: (row: Row, paint: Paint) => readonly string[];
  /** Its first line and the indented ones below; `-d` adds the fields that it has not read. */
  readonly full: (row: Row, paint: Paint) => readonly string[];
  readonly order: readonly SortKey[];
  /** What a row is called, and the code of the refusal if there is none. */
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
  const kinds = ['active', 'inactive', 'failed', 'offline', 'absent', 'joining'];
  return words(...kinds.map((kind) => [kind, list(row[kind], paint.name)] as const));
}

const GROUP: View = {
  brief: (row, paint) => [
    paint.name(row.group),
    paint.state(row.state),
    list(row.interfaces, paint.name),
  ],
  full: (row, paint) => [
    `${paint.name(row.group)}: <${list(row.flags)}> state ${paint.state(row.state)} ` +
      `mtu ${text(row.mtu)} fdt ${durationFormat(Number(row.fdt_ms))}`,
    memberWords(row, paint),
    `cause: ${text(row.cause_text)}`,
  ],
  order: [['group', compareNames]],
  noun: 'group',
  absence: 'ENOENT',
  key: 'group',
  kstatModule: 'ipmp',
};

const INTERFACE: View = {
  brief: (row, paint) => [
    paint.name(row.ifname),
    paint.state(row.state),
    paint.state(row.link),
    paint.name(row.group),
  ],
  full: (row, paint) => [
    `${paint.name(row.ifname)}: <${list(row.flags)}> mtu ${text(row.mtu)} ` +
      words(['group', paint.name(row.group)], ['uplink', paint.name(row.uplink)]),
    words(
      ['state', paint.state(row.state)],
      ['link', paint.state(row.link)],
      ['probe', paint.state(row.probe)],
      ['lladdr', paint.lladdr(row.lladdr)],
    ) +
      (row.active === true ? ' active' : '') +
      (row.standby === true ? ' standby' : '') +
      (row.unanswered === true ? ' unanswered' : ''),
    `cause: ${text(row.cause_text)}`,
  ],
  order: [['ifname', compareNames]],
  noun: 'interface',
  absence: 'ENXIO',
  key: 'ifname',
  kstatModule: 'link',
};

const ADDRESS: View = {
  brief: (row, paint) => [
    paint.address(row.address),
    paint.name(row.ifname),
    text(row.type),
    paint.state(row.state),
  ],
  full: (row, paint) => [
    `${paint.address(row.address)} dev ${paint.name(row.ifname)} ` +
      `${text(row.type)} ${paint.state(row.state)} ` +
      words(
        ['flags', list(row.flags)],
        ['inbound', paint.name(row.inbound)],
        ['outbound', list(row.outbound, paint.name)],
      ),
    text(row.cause_text),
  ],
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
    paint.address(row.dst),
    paint.state(row.state),
    paint.lladdr(row.lladdr),
    paint.name(row.group),
  ],
  full: (row, paint) => [
    [
      paint.address(row.dst),
      words(['dev', paint.name(row.group)], ['lladdr', paint.lladdr(row.lladdr)]),
      paint.state(row.state),
    ]
      .filter((part) => part !== '')
      .join(' '),
  ],
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
    paint.address(row.address),
    paint.name(row.group),
    paint.name(row.inbound),
  ],
  full: (row, paint) => [
    `${paint.address(row.address)} dev ${paint.name(row.group)} ` +
      words(['inbound', paint.name(row.inbound)]),
  ],
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
    paint.address(row.target),
    paint.name(row.ifname),
    paint.state(row.state),
    roundTrip(row),
  ],
  full: (row, paint) => [
    `${paint.address(row.target)} dev ${paint.name(row.ifname)} ` +
      `${paint.state(row.state)} ${words(['rtt', roundTrip(row)])}`,
  ],
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
