/**
 * `ipmpadm`: words in, an exit status out. What is wrong with the words is said without a
 * connection; everything else is a request to the daemon, shown as text or JSON.
 *
 * Exit status (contract 4): 0 done, 1 refused or failed, 2 usage, 3 daemon not reachable; `status
 * --check` adds 4 degraded and 5 failed.
 */
import { OperatorError } from '../base/errors.ts';
import { type JsonValue, jsonRead, jsonWrite } from '../base/json.ts';
import { ControlClient, type Method, UnreachableError } from './client.ts';
import type { CommandName } from './commands.ts';
import { kstatPatternParse } from './kstat-pattern.ts';
import { kstatText, selectKstats } from './kstat-text.ts';
import { type ParsedOptions, parseArguments } from './parse.ts';
import { type Row, renderEvent, renderRows, renderStatus, type ViewName } from './render.ts';

export const EXIT_DONE = 0;
export const EXIT_REFUSED = 1;
export const EXIT_USAGE = 2;
export const EXIT_UNREACHABLE = 3;
const EXIT_DEGRADED = 4;
const EXIT_FAILED = 5;

/** Spaces per level with `-p`, as iproute2 writes them. */
const PRETTY_INDENT = 4;

/** What the command line needs of the process, and of rooms that ctl/ does not know. */
export interface CommandLine {
  readonly version: string;
  /** Where the socket is unless `--socket` says otherwise. */
  readonly defaultSocket: string;
  print(text: string): void;
  complain(text: string): void;
  /** All errors of a configuration file, printable; empty if it is good. */
  checkConfig(file: string): Promise<readonly string[]>;
  lab(words: readonly string[]): Promise<number>;
  /** From now on an interruption is announced by this signal instead of ending the process. */
  interruption(): AbortSignal;
}

/** One command on its way. */
interface Call {
  readonly line: CommandLine;
  readonly client: ControlClient;
  readonly options: ParsedOptions;
  readonly parameters: readonly string[];
  readonly flags: ReadonlySet<string>;
}

/**
 * Runs the command that `words` (those after the program's name) ask for; the result is the exit
 * status.
 */
export async function ipmpadmMain(words: readonly string[], line: CommandLine): Promise<number> {
  const parsed = parseArguments(words);
  switch (parsed.kind) {
    case 'help':
      line.print(parsed.text);
      return EXIT_DONE;
    case 'version':
      line.print(`ipmpadm ${line.version}\n`);
      return EXIT_DONE;
    case 'wrong':
      complain(line, parsed.json, 'EINVAL', parsed.message, parsed.hint, false);
      return EXIT_USAGE;
    default:
      break;
  }
  const { options, parameters, flags } = parsed;
  const client = new ControlClient(options.socket ?? line.defaultSocket);
  try {
    return await HANDLERS[parsed.command.name]({ line, client, options, parameters, flags });
  } catch (error) {
    const json = options.set.has('json');
    if (error instanceof UnreachableError) {
      complain(line, json, 'ECONNREFUSED', error.message, error.hint, false);
      return EXIT_UNREACHABLE;
    }
    if (!(error instanceof OperatorError)) throw error;
    complain(line, json, error.code, error.message, error.hint, true);
    return EXIT_REFUSED;
  }
}

function complain(
  line: CommandLine,
  json: boolean,
  code: string,
  message: string,
  hint: string | undefined,
  withCode: boolean,
): void {
  if (json) {
    line.complain(`${jsonWrite({ error: { code, message, hint: hint ?? null } })}\n`);
    return;
  }
  line.complain(`ipmpadm: ${message}${withCode ? ` (${code})` : ''}\n`);
  if (hint !== undefined) line.complain(`  ${hint}\n`);
}

const HANDLERS: Readonly<Record<CommandName, (call: Call) => Promise<number>>> = {
  status: showStatus,
  'group show': (call) => show(call, 'group', '/v1/groups'),
  'group delete': async ({ client, parameters }) => {
    await client.request('DELETE', `/v1/groups/${encodeURIComponent(parameters[0] ?? '')}`);
    return EXIT_DONE;
  },
  'group add': (call) => changeMembers(call, 'PUT'),
  'group remove': (call) => changeMembers(call, 'DELETE'),
  'interface show': (call) => show(call, 'interface', '/v1/interfaces'),
  'address show': (call) => show(call, 'address', '/v1/addresses'),
  'neighbor show': (call) => show(call, 'neighbor', '/v1/neighbors'),
  kstat: showKstats,
  monitor,
  'config check': checkConfig,
  'lab run': ({ line, parameters }) => line.lab(['run', ...parameters]),
  'lab up': ({ line, parameters }) => line.lab(['up', ...parameters]),
  'lab down': ({ line, parameters }) => line.lab(['down', ...parameters]),
};

/** One by one, in the order given; the first refusal ends it, what was done before stays. */
async function changeMembers({ client, parameters }: Call, method: Method): Promise<number> {
  const [group = '', ...ifnames] = parameters.map(encodeURIComponent);
  for (const ifname of ifnames) {
    await client.request(method, `/v1/groups/${group}/interfaces/${ifname}`);
  }
  return EXIT_DONE;
}

async function showStatus({ line, client, options, flags }: Call): Promise<number> {
  const status = rowOf(await client.request('GET', '/v1/status'));
  if (options.set.has('json')) printJson(line, options, status);
  else line.print(renderStatus(status));
  if (!flags.has('--check') || status.state === 'ok') return EXIT_DONE;
  return status.state === 'degraded' ? EXIT_DEGRADED : EXIT_FAILED;
}

/** The field that names a row, and the module of its kstat if it has one. */
const IDENTITY: Readonly<Record<ViewName, { key: string; kstatModule?: string }>> = {
  group: { key: 'group', kstatModule: 'ipmp' },
  interface: { key: 'ifname', kstatModule: 'link' },
  address: { key: 'ifname' },
  neighbor: { key: 'group' },
};

async function show(call: Call, view: ViewName, path: string): Promise<number> {
  const { line, client, options, parameters } = call;
  const { key, kstatModule } = IDENTITY[view];
  const wanted = parameters.at(-1);
  const isFilter = parameters[0] === 'dev';
  let rows = rowsOf(await client.request('GET', path));
  if (wanted !== undefined) {
    rows = rows.filter((row) => row[key] === wanted || (isFilter && row.group === wanted));
    if (rows.length === 0 && !isFilter) {
      throw new OperatorError('ENOENT', `there is no ${view} ${wanted}`);
    }
  }
  if (options.set.has('statistics') && kstatModule !== undefined) {
    rows = await withStatistics(client, rows, key, kstatModule);
  }
  if (options.set.has('json')) printJson(line, options, rows);
  else {
    const text = renderRows(view, rows, {
      details: options.set.has('details'),
      statistics: options.set.has('statistics') && kstatModule !== undefined,
      oneline: options.set.has('oneline'),
      brief: options.set.has('brief'),
    });
    line.print(text);
  }
  return EXIT_DONE;
}

async function withStatistics(
  client: ControlClient,
  rows: readonly Row[],
  key: string,
  module: string,
): Promise<Row[]> {
  const kstats = rowsOf(await client.request('GET', kstatsPath(module)));
  const byName = new Map(kstats.map((kstat) => [kstat.name, kstat.data]));
  return rows.map((row) => {
    const statistics = byName.get(row[key] ?? null);
    return statistics === undefined ? row : { ...row, statistics };
  });
}

async function showKstats({ line, client, options, parameters, flags }: Call): Promise<number> {
  const pattern = kstatPatternParse(parameters[0] ?? '');
  if (pattern === undefined) {
    const message = `"${parameters[0]}" is not module:instance:name:statistic`;
    complain(line, options.set.has('json'), 'EINVAL', message, 'each part may be a glob', false);
    return EXIT_USAGE;
  }
  const rows = rowsOf(await client.request('GET', kstatsPath(parameters[0] ?? '')));
  const found = selectKstats(rows, pattern);
  if (options.set.has('json'))
    printJson(
      line,
      options,
      found.map(({ row }) => row),
    );
  else line.print(found.map((kstat) => kstatText(kstat, flags.has('-p'))).join(''));
  return found.length > 0 ? EXIT_DONE : EXIT_REFUSED;
}

/** Only what is asked for is read: a NIC that does not answer delays nobody else. */
function kstatsPath(pattern: string): string {
  return `/v1/kstats?pattern=${encodeURIComponent(pattern)}`;
}

async function monitor({ line, client, options }: Call): Promise<number> {
  const interrupted = line.interruption();
  let isOverrun = false;
  await client.events(({ name, data }) => {
    if (name === 'overrun') isOverrun = true;
    if (options.set.has('json')) line.print(`${data}\n`);
    else line.print(`${renderEvent(rowOf(jsonRead(data)), options.set.has('timestamp'))}\n`);
  }, interrupted);
  if (interrupted.aborted) return EXIT_DONE;
  if (isOverrun) throw new OperatorError('ENOBUFS', 'events were lost: they were read too slowly');
  throw new UnreachableError('ipmpd has closed the connection', 'did it stop?');
}

async function checkConfig({ line, options, parameters }: Call): Promise<number> {
  const file = parameters[0] ?? '';
  const errors = await line.checkConfig(file);
  if (options.set.has('json')) printJson(line, options, { file, errors });
  else if (errors.length === 0) line.print(`${file}: good\n`);
  else line.complain(errors.map((error) => `${error}\n`).join(''));
  return errors.length === 0 ? EXIT_DONE : EXIT_REFUSED;
}

function printJson(line: CommandLine, options: ParsedOptions, value: unknown): void {
  line.print(`${jsonWrite(value, options.set.has('pretty') ? PRETTY_INDENT : 0)}\n`);
}

function rowsOf(value: JsonValue | undefined): Row[] {
  if (!Array.isArray(value)) throw new OperatorError('EIO', 'the daemon replied with no list');
  return value.map(rowOf);
}

function rowOf(value: JsonValue | undefined): Row {
  const isRow = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isRow) throw new OperatorError('EIO', 'the daemon replied with no row');
  return value as Row;
}
