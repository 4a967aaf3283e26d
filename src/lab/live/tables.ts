/** Groups, NICs, addresses and events as sections of the live view. */

import type { AddressRow, InterfaceRow } from '../../model/rows.ts';
import { shortAge, shortBytes, shortNumber } from './figures.ts';
import type { Item, Section } from './sections.ts';
import type { Heard, LiveState, Rates } from './state.ts';
import { type Figure, layOut, type Table } from './table.ts';
import { cutText, type Line, type Span, type Style, span } from './text.ts';

/** From this width on an explanation is on the line of what it explains. */
const WIDE = 110;
/** Below this width packets are not shown, below the next one no figures at all. */
const PACKETS_FROM = 76;
const BYTES_FROM = 56;

const STYLES: Readonly<Record<string, Style>> = {
  ok: 'good',
  up: 'good',
  yes: 'good',
  degraded: 'warn',
  tentative: 'warn',
  offline: 'warn',
  failed: 'bad',
  absent: 'bad',
  down: 'bad',
  duplicate: 'bad',
};

/** A word of the state of something, in its colour. */
function stateSpan(word: string): Span {
  return span(word, STYLES[word] ?? 'plain');
}

function figuresOf<Row>(width: number, ratesOf: (row: Row) => Rates | undefined): Figure<Row>[] {
  const figure = (
    title: string,
    columns: number,
    key: keyof Rates,
    show: (value: number) => string,
  ): Figure<Row> => ({
    title,
    width: columns,
    cell: (row) => {
      const rates = ratesOf(row);
      return rates === undefined ? '-' : show(rates[key]);
    },
  });
  const inBytes = figure('in B/s', 7, 'inBytes', shortBytes);
  const outBytes = figure('out B/s', 7, 'outBytes', shortBytes);
  if (width < BYTES_FROM) return [];
  if (width < PACKETS_FROM) return [inBytes, outBytes];
  return [
    inBytes,
    figure('pkt/s', 5, 'inPackets', shortNumber),
    outBytes,
    figure('pkt/s', 5, 'outPackets', shortNumber),
  ];
}

/** A row with its explanation below it, unless the table has room for that beside it. */
function itemOf<Row>(table: Table<Row>, row: Row, detail: Line, isTroubled: boolean): Item {
  const beneath: Line = [span(' '.repeat(table.secondColumn)), ...detail];
  return { line: table.line(row), detail: table.hasRest ? null : beneath, isTroubled };
}

export function groupSection({ daemon, rates }: LiveState, width: number): Section {
  const rows = daemon?.groups ?? [];
  const table = layOut(rows, width, {
    columns: [
      { title: 'group', cell: ({ group }) => span(group, 'bold') },
      { title: 'state', cell: ({ state }) => stateSpan(state) },
      {
        title: 'active',
        cell: ({ active, interfaces }) => span(`${active.length} of ${interfaces.length}`),
      },
    ],
    ...(width >= WIDE
      ? { rest: { title: 'why', cell: (row) => span(row.cause_text, 'dim') } }
      : {}),
    figures: figuresOf(width, ({ group }) => rates.get(`ipmp:${group}`)),
  });
  const items = rows.map((row) => {
    return itemOf(table, row, [span(row.cause_text, 'dim')], row.state !== 'ok');
  });
  return { rank: 0, head: table.head, items };
}

export function nicSection(state: LiveState, width: number): Section {
  const { daemon, rates, cables } = state;
  const rows = daemon?.interfaces ?? [];
  const cableOf = (row: InterfaceRow) => cables.find(({ ifname }) => ifname === row.ifname);
  const flags = (row: InterfaceRow): string => `<${row.flags.join(',')}>`;
  const hasGroups = new Set(rows.map(({ group }) => group)).size > 1;
  const table = layOut(rows, width, {
    mark: (row) => cableOf(row)?.key ?? '',
    columns: [
      { title: 'NIC', cell: ({ ifname }) => span(ifname, 'bold') },
      ...(hasGroups ? [{ title: 'group', cell: groupCell }] : []),
      {
        title: 'on',
        cell: (row) => {
          const cable = cableOf(row);
          const text = cable?.uplink ?? row.uplink ?? '-';
          return cable?.isCut ? span(`${text} cut`, 'bad') : span(text);
        },
      },
      { title: 'state', cell: ({ state: word }) => stateSpan(word) },
      { title: 'link', cell: ({ link }) => stateSpan(link) },
      { title: 'active', cell: ({ active }) => stateSpan(active ? 'yes' : 'no') },
    ],
    ...(width >= WIDE
      ? {
          rest: {
            title: 'flags, why',
            cell: (row) => span(`${flags(row)} ${row.cause_text}`, 'dim'),
          },
        }
      : {}),
    figures: figuresOf(width, ({ ifname }) => rates.get(`link:${ifname}`)),
  });
  const items = rows.map((row) => {
    const detail = [span(`${flags(row)} ${row.cause_text}`, 'dim')];
    return itemOf(table, row, detail, row.state !== 'ok');
  });
  return { rank: 1, head: table.head, items };
}

function groupCell({ group }: InterfaceRow): Span {
  return span(group ?? '-');
}

export function addressSection({ daemon }: LiveState, width: number): Section {
  const rows = (daemon?.addresses ?? []).filter(({ type }) => type === 'data');
  const table = layOut(rows, width, {
    columns: [
      { title: 'data address', cell: ({ address }) => span(address, 'bold'), max: 43 },
      { title: 'group', cell: ({ ifname }) => span(ifname) },
      { title: 'state', cell: ({ state }) => stateSpan(state) },
      {
        title: 'comes in by',
        cell: ({ inbound }) => (inbound === null ? span('none', 'bad') : span(inbound)),
      },
    ],
    rest: {
      title: 'goes out by',
      cell: ({ outbound }) =>
        outbound.length === 0 ? span('none', 'bad') : span(outbound.join(' ')),
    },
  });
  const items = rows.map((row) => ({
    line: table.line(row),
    detail: null,
    isTroubled: isTroubled(row),
  }));
  return { rank: 3, head: table.head, items };
}

function isTroubled({ state, inbound }: AddressRow): boolean {
  return state !== 'up' || inbound === null;
}

/** Columns of an event: how long ago, whose, what, from what to what, why. */
export function eventSection({ events, nowMs, daemon }: LiveState, width: number): Section {
  const isOneGroup = daemon?.groups.length === 1;
  const subject = ({ row: { group, ifname } }: Heard): string =>
    isOneGroup ? (ifname ?? group ?? '') : [group, ifname].filter(Boolean).join(' ');
  const table = layOut(events, width, {
    columns: [
      { title: 'ago', cell: ({ atMs }) => span(shortAge(nowMs - atMs).padStart(5), 'dim') },
      { title: 'event', cell: (heard) => span(subject(heard)) },
      { title: '', cell: ({ row }) => span(row.event) },
    ],
    rest: { title: '', cell: (heard) => span(cutText(changeOf(heard), width)) },
  });
  const items = events.map((heard) => {
    return { line: table.line(heard), detail: null, isTroubled: false };
  });
  return { rank: 2, head: table.head, items, isOpen: true };
}

/** Events in which null is a value: an address may move from and to no interface. */
const MOVES: readonly string[] = ['address-moved', 'nominated'];

/** `192.0.2.10 net0 -> net1 (link-down)` */
function changeOf({ row }: Heard): string {
  const isMove = MOVES.includes(row.event);
  const ends = [row.from, row.to].map((end) => end ?? (isMove ? 'none' : ''));
  const change = ends.filter((end) => end !== '').join(' -> ');
  const cause = row.cause === null ? '' : `(${row.cause})`;
  return [row.detail ?? '', change, cause].filter((part) => part !== '').join(' ');
}
