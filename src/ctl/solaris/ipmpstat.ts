/**
 * `ipmpstat`: one of five tables of the state of IPMP (docs/law.md rows 120 to 123).
 *
 * The members of a group are shown newest first, as the original does: in `-g` and OUTBOUND, and
 * so stand the rows of `-i` and `-t`, group by group. The API gives them in order of joining.
 *
 * A table is made of one snapshot (docs/law.md row 106). With `-L` it may need several replies,
 * between which the state may change: what one names and another no longer has is shown as `?`,
 * with a warning.
 */

import {
  ADDRESS_ROW,
  type AddressRow,
  GROUP_ROW,
  type GroupRow,
  INTERFACE_ROW,
  type InterfaceRow,
  SNAPSHOT_ROW,
  type SnapshotRow,
  TARGET_ROW,
  type TargetRow,
} from '../../model/rows.ts';
import type { ControlClient } from '../client.ts';
import {
  type Cell,
  type OutputField,
  type OutputRow,
  OutputTable,
  parsableText,
  selectFields,
} from './ofmt.ts';
import { FatalError, type Tool, type ToolProcess, toolMain, UsageError } from './tool.ts';

/** What `ipmpstat` needs of its process. */
export interface IpmpstatProcess extends ToolProcess {
  /** Lines of the terminal, undefined where there is none. */
  windowHeight(): number | undefined;
  /** Address -> host name, for those that have one. */
  hostNames(addresses: readonly string[]): Promise<ReadonlyMap<string, string>>;
}

interface Field extends OutputField {
  /** Its values are addresses, separated by spaces: shown as host names unless `-n`. */
  readonly isAddress: boolean;
}

/** The tables of the daemon. */
interface Tables {
  groups(): Promise<readonly GroupRow[]>;
  interfaces(): Promise<readonly InterfaceRow[]>;
  addresses(): Promise<readonly AddressRow[]>;
  targets(): Promise<readonly TargetRow[]>;
}

/** What a table is made from. */
interface Source extends Tables {
  warn(text: string): void;
}

interface Mode {
  readonly what: string;
  readonly fields: readonly Field[];
  readonly rows: (source: Source) => Promise<OutputRow[]>;
}

/** Columns as `NAME(width)`; `@` before those with addresses. */
function fieldsOf(text: string): Field[] {
  return [...text.matchAll(/(@?)(\w+)\((\d+)\)/g)].map(([, mark, name = '', width]) => ({
    name,
    width: Number(width),
    isAddress: mark === '@',
  }));
}

const MODES: Readonly<Record<string, Mode>> = {
  a: {
    what: 'data addresses',
    fields: fieldsOf('@ADDRESS(26) STATE(7) GROUP(12) INBOUND(12) OUTBOUND(23)'),
    rows: addressRows,
  },
  g: {
    what: 'groups',
    fields: fieldsOf('GROUP(12) GROUPNAME(12) STATE(10) FDT(10) INTERFACES(30)'),
    rows: groupRows,
  },
  i: {
    what: 'interfaces',
    fields: fieldsOf('INTERFACE(12) ACTIVE(8) GROUP(12) FLAGS(10) LINK(10) PROBE(10) STATE(10)'),
    rows: interfaceRows,
  },
  p: {
    what: 'probes as they end',
    fields: fieldsOf(
      'TIME(10) INTERFACE(12) PROBE(7) NETRTT(10) RTT(10) RTTAVG(10) @TARGET(20) RTTDEV(10)',
    ),
    rows: probeRows,
  },
  t: {
    what: 'probe targets',
    fields: fieldsOf('INTERFACE(12) MODE(10) @TESTADDR(20) @TARGETS(38)'),
    rows: targetRows,
  },
};

const USAGE = `usage: ipmpstat [-n] [-L] [-o FIELD[,...] [-P]] [--socket PATH] -a|-g|-i|-p|-t
  -n  addresses as numbers, not as host names
  -L  live: each table when it is asked for, not all of one moment
  -o  these fields, or all
  -P  for programs: fields joined by colons, no header
${Object.entries(MODES)
  .map(
    ([letter, { what, fields }]) =>
      `  -${letter}  ${what}: ${fields.map(({ name }) => name.toLowerCase()).join(',')}\n`,
  )
  .join('')}`;

/** Runs `ipmpstat` with `words`, those after its name; the result is the exit status. */
export function ipmpstatMain(words: readonly string[], process: IpmpstatProcess): Promise<number> {
  const warn = (text: string): void => process.complain(`ipmpstat: warning: ${text}\n`);
  const tool: Tool = {
    name: 'ipmpstat',
    usage: USAGE,
    letters: 'nLPo:agipt',
    run: async ({ options, operands }, client) => {
      const given = new Map(options);
      const letters = options.map(([letter]) => letter).filter((letter) => letter in MODES);
      const mode = MODES[letters[0] ?? ''];
      if (letters.length > 1) throw new UsageError('only one output format may be specified');
      if (mode === undefined || operands.length > 0) throw new UsageError('');
      const isParsable = given.has('P');
      const { fields, unknown } = selectFields(mode.fields, given.get('o'), isParsable);
      if (unknown.length > 0) warn(`ignoring unknown output field(s) ${unknown.join(', ')}`);
      const read = given.has('L') ? liveTables(client) : snapshotTables(client);
      const rows = await mode.rows({ ...read, warn });
      const shown = given.has('n') ? rows : await withHostNames(rows, fields, process);
      const table = new OutputTable(fields, () => process.windowHeight());
      for (const row of shown) {
        process.print(isParsable ? parsableText(fields, row) : table.text(row));
      }
    },
  };
  return toolMain(tool, words, process);
}

/** Each table as it is when it is asked for. */
function liveTables(client: ControlClient): Tables {
  return {
    groups: () => client.rows(GROUP_ROW, '/v1/groups'),
    interfaces: () => client.rows(INTERFACE_ROW, '/v1/interfaces'),
    addresses: () => client.rows(ADDRESS_ROW, '/v1/addresses'),
    targets: () => client.rows(TARGET_ROW, '/v1/targets'),
  };
}

/** All tables as they were at one moment. */
function snapshotTables(client: ControlClient): Tables {
  let taken: Promise<SnapshotRow> | undefined;
  const take = (): Promise<SnapshotRow> => {
    taken ??= client.row(SNAPSHOT_ROW, '/v1/snapshot');
    return taken;
  };
  return {
    groups: async () => (await take()).groups,
    interfaces: async () => (await take()).interfaces,
    addresses: async () => (await take()).addresses,
    targets: async () => (await take()).targets,
  };
}

/** Asks only for the addresses that will be shown. */
async function withHostNames(
  rows: readonly OutputRow[],
  fields: readonly Field[],
  process: IpmpstatProcess,
): Promise<OutputRow[]> {
  const shown = fields.filter((field) => field.isAddress).map((field) => field.name);
  const wordsOf = (cell: Cell | undefined): string[] => (cell ? cell.split(' ') : []);
  const addresses = rows.flatMap((row) => shown.flatMap((name) => wordsOf(row[name])));
  const names =
    addresses.length === 0 ? new Map() : await process.hostNames([...new Set(addresses)]);
  const named = (cell: Cell | undefined): Cell =>
    cell
      ? wordsOf(cell)
          .map((address) => names.get(address) ?? address)
          .join(' ')
      : (cell ?? null);
  return rows.map((row) => ({
    ...row,
    ...Object.fromEntries(shown.map((name) => [name, named(row[name])])),
  }));
}

/** An address that two rows of a group have is one row; the one that is up is preferred. */
async function addressRows(source: Source): Promise<OutputRow[]> {
  const rows = new Map<string, AddressRow>();
  for (const row of await source.addresses()) {
    if (row.type !== 'data') continue;
    const key = `${row.ifname} ${addressOf(row)}`;
    if (rows.get(key)?.state !== 'up') rows.set(key, row);
  }
  return [...rows.values()].map((row) => ({
    ADDRESS: addressOf(row),
    STATE: row.state === 'up' ? 'up' : 'down',
    GROUP: row.ifname,
    INBOUND: row.inbound ?? '',
    OUTBOUND: row.state === 'up' && row.inbound !== null ? newestFirst(row.outbound) : '',
  }));
}

async function groupRows(source: Source): Promise<OutputRow[]> {
  const groups = await source.groups();
  const interfaces = byName(await source.interfaces());
  return groups.map((group) => {
    const { active, inactive } = group;
    const others = group.interfaces.filter(
      (name) => !active.includes(name) && !inactive.includes(name),
    );
    const parts = [
      newestFirst(active),
      inactive.length === 0 ? '' : `(${newestFirst(inactive)})`,
      others.length === 0 ? '' : `[${newestFirst(others)}]`,
    ];
    return {
      GROUP: group.ifname,
      GROUPNAME: group.group,
      STATE: group.state,
      FDT: detectionTimeOf(group, interfaces, source),
      INTERFACES: parts.filter((part) => part !== '').join(' '),
    };
  });
}

/** Empty while no member is probed: then nothing takes that time. */
function detectionTimeOf(
  group: GroupRow,
  interfaces: ReadonlyMap<string, InterfaceRow>,
  source: Source,
): Cell {
  const absent = group.interfaces.filter((name) => !interfaces.has(name));
  for (const name of absent) source.warn(`cannot get info for interface ${name}`);
  const isProbed = group.interfaces.some((name) => isProbeEnabled(interfaces.get(name)));
  if (isProbed) return `${(Number(group.fdt_ms) / 1000).toFixed(2)}s`;
  return absent.length > 0 ? null : '';
}

function isProbeEnabled(row: InterfaceRow | undefined): boolean {
  return row !== undefined && row.probe !== 'disabled';
}

/** The seven positions of FLAGS: the letter, and whether it is shown. */
const FLAGS: readonly (readonly [string, (row: InterfaceRow) => boolean])[] = [
  ['i', (row) => row.flags.includes('INACTIVE')],
  ['s', (row) => row.standby],
  ['m', (row) => row.nominated],
  ['b', (row) => row.nominated],
  // One interface is nominated for both families.
  ['M', (row) => row.nominated],
  // An address of its own is up as long as the daemon serves the interface.
  ['d', (row) => row.state === 'offline' || row.state === 'absent'],
  ['h', (row) => row.state === 'offline' && row.cause === 'duplicate-mac'],
];

async function interfaceRows(source: Source): Promise<OutputRow[]> {
  const groups = await source.groups();
  const devices = new Map(groups.map((group) => [group.group, group.ifname]));
  return ordered(await source.interfaces(), groups).map((row) => {
    const device = row.group === null ? '' : devices.get(row.group);
    if (device === undefined) source.warn(`cannot get info for group ${row.group}`);
    return {
      INTERFACE: row.ifname,
      ACTIVE: row.active ? 'yes' : 'no',
      GROUP: device ?? null,
      FLAGS: FLAGS.map(([letter, isSet]) => (isSet(row) ? letter : '-')).join(''),
      LINK: row.link,
      PROBE: row.probe,
      STATE: row.state,
    };
  });
}

async function targetRows(source: Source): Promise<OutputRow[]> {
  const interfaces = ordered(await source.interfaces(), await source.groups());
  const addresses = (await source.addresses()).filter((row) => row.type === 'test');
  const targets = interfaces.some(isProbeEnabled) ? await source.targets() : [];
  return interfaces.flatMap((row) => {
    const families = [false, true].map((isIpv6) => {
      const isFamily = (address: string): boolean => address.includes(':') === isIpv6;
      const own = addresses.find(
        (one) => one.ifname === row.ifname && one.state === 'up' && isFamily(one.address),
      );
      if (!isProbeEnabled(row) || own === undefined) {
        return { INTERFACE: row.ifname, MODE: 'disabled', TESTADDR: '', TARGETS: '' };
      }
      const its = targets.filter((one) => one.ifname === row.ifname && isFamily(one.target));
      return {
        INTERFACE: row.ifname,
        MODE: its[0]?.mode ?? null,
        TESTADDR: addressOf(own),
        TARGETS: its
          .filter((one) => one.state === 'active')
          .map((one) => one.target)
          .join(' '),
      };
    });
    const enabled = families.filter((family) => family.MODE !== 'disabled');
    return enabled.length > 0 ? enabled : families.slice(0, 1);
  });
}

/** The daemon sends no probes. */
async function probeRows(source: Source): Promise<never> {
  await source.interfaces();
  throw new FatalError('probe-based failure detection is disabled');
}

/** Interfaces group by group, the newest member first; those outside groups last. */
function ordered(interfaces: readonly InterfaceRow[], groups: readonly GroupRow[]): InterfaceRow[] {
  const members = groups.flatMap((group) => [...group.interfaces].reverse());
  const place = new Map(members.map((name, index) => [name, index]));
  const placeOf = (row: InterfaceRow): number => place.get(row.ifname) ?? members.length;
  return [...interfaces].sort((left, right) => placeOf(left) - placeOf(right));
}

function byName(interfaces: readonly InterfaceRow[]): ReadonlyMap<string, InterfaceRow> {
  return new Map(interfaces.map((row) => [row.ifname, row]));
}

function newestFirst(names: readonly string[]): string {
  return [...names].reverse().join(' ');
}

/** Without its prefix length. */
function addressOf(row: AddressRow): string {
  return row.address.split('/')[0] ?? row.address;
}
