/** The commands that show: rows of each kind, status, kstats, the configuration, events. */
import { OperatorError } from '../../base/errors.ts';
import { type ControlClient, replyRead, UnreachableError } from '../client.ts';
import { kstatPatternParse } from '../kstat-pattern.ts';
import {
  type Call,
  complain,
  EXIT_DEGRADED,
  EXIT_DONE,
  EXIT_FAILED,
  EXIT_REFUSED,
  EXIT_USAGE,
  given,
  isJson,
  printJson,
  rowOf,
  rowsOf,
} from './command-line.ts';
import { kstatText, selectKstats } from './kstat-text.ts';
import { compareNames, sortRows } from './order.ts';
import { renderConfig, renderEvent, renderRows, renderStatus } from './render.ts';
import { requestsOf } from './request.ts';
import { type Row, VIEWS, type View } from './views.ts';

/** Rows of the command's view: all, the one of that name, or those that belong to a device. */
export async function showRows(call: Call): Promise<number> {
  const { line, client, options, command, paint } = call;
  const view = VIEWS[command.view ?? 'group'];
  let rows = sortRows(chosenRows(call, view, rowsOf(await ask(call))), view.order);
  const isCounted = options.set.has('statistics') && view.kstatModule !== undefined;
  if (isCounted) rows = await withStatistics(client, rows, view.key, view.kstatModule ?? '');
  if (isJson(call)) printJson(call, rows);
  else {
    const text = renderRows(view, rows, {
      details: options.set.has('details'),
      statistics: isCounted,
      oneline: options.set.has('oneline'),
      brief: options.set.has('brief'),
      paint,
    });
    line.print(text);
  }
  return EXIT_DONE;
}

/** The reply to the command's one request. */
async function ask({ client, command, values }: Call): ReturnType<ControlClient['request']> {
  const [request] = requestsOf(command, values);
  return await client.request(request?.method ?? 'GET', request?.path ?? '');
}

function chosenRows(call: Call, view: View, all: readonly Row[]): Row[] {
  const wanted = given(call, 'wanted');
  const device = given(call, 'dev');
  const rows = all.filter((row) => view.isMeant === undefined || view.isMeant(row));
  if (device !== undefined) {
    return rows.filter((row) => row[view.key] === device || row.group === device);
  }
  if (wanted === undefined) return rows;
  const found = rows.filter((row) => row[view.key] === wanted);
  if (found.length > 0) return found;
  throw new OperatorError(view.absence, `there is no ${view.noun} ${wanted}`);
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
    // The kstat of a group bears the name of its device, whatever the group is called.
    const statistics = byName.get(row.ifname ?? row[key] ?? null);
    return statistics === undefined ? row : { ...row, statistics };
  });
}

export async function showStatus(call: Call): Promise<number> {
  const status = rowOf(await ask(call));
  const groups = sortRows(rowsOf(status.groups), VIEWS.group.order);
  if (isJson(call)) printJson(call, { ...status, groups });
  else call.line.print(renderStatus(status, groups, call.paint));
  if (!call.values.has('check') || status.state === 'ok') return EXIT_DONE;
  return status.state === 'degraded' ? EXIT_DEGRADED : EXIT_FAILED;
}

export async function showKstats(call: Call): Promise<number> {
  const { line, client, values } = call;
  const text = given(call, 'pattern') ?? '';
  const pattern = kstatPatternParse(text);
  if (pattern === undefined) {
    const message = `"${text}" is not module:instance:name:statistic`;
    const hint = 'each part may be a glob';
    complain(line, isJson(call), { code: 'EINVAL', message, hint, withCode: false });
    return EXIT_USAGE;
  }
  const rows = sortRows(rowsOf(await client.request('GET', kstatsPath(text))), [
    ['module', compareNames],
    ['instance', compareNames],
    ['name', compareNames],
  ]);
  const found = selectKstats(rows, pattern);
  if (isJson(call)) {
    printJson(
      call,
      found.map(({ row }) => row),
    );
  } else line.print(found.map((kstat) => kstatText(kstat, values.has('parsable'))).join(''));
  return found.length > 0 ? EXIT_DONE : EXIT_REFUSED;
}

/** Only what is asked for is read: a NIC that does not answer delays no other question. */
function kstatsPath(pattern: string): string {
  return `/v1/kstats?pattern=${encodeURIComponent(pattern)}`;
}

/** In the order of the daemon: that of the configuration. */
export async function showConfig(call: Call): Promise<number> {
  const rows = rowsOf(await ask(call));
  if (isJson(call)) printJson(call, rows);
  else call.line.print(renderConfig(rows));
  return EXIT_DONE;
}

const FILTERS = ['group', 'ifname', 'event'] as const;

/**
 * Events as they happen, one line each, until interrupted. ENOBUFS: they were read too slowly.
 * UnreachableError: the daemon has ended the stream.
 */
export async function monitor(call: Call): Promise<number> {
  const { line, client, options, paint } = call;
  const interrupted = line.interruption();
  let isOverrun = false;
  const onEvent = (name: string, data: string): void => {
    if (name === 'overrun') isOverrun = true;
    if (isJson(call)) line.print(`${data}\n`);
    else
      line.print(`${renderEvent(rowOf(replyRead(data)), options.set.has('timestamp'), paint)}\n`);
  };
  await client.events(({ name, data }) => onEvent(name, data), interrupted, pathOf(call));
  if (interrupted.aborted) return EXIT_DONE;
  if (isOverrun) throw new OperatorError('ENOBUFS', 'events were lost: they were read too slowly');
  throw new UnreachableError('ipmpd has closed the connection', 'did it stop?');
}

function pathOf(call: Call): string {
  const pairs = FILTERS.flatMap((key) => {
    const value = given(call, key);
    return value === undefined ? [] : [`${key}=${encodeURIComponent(value)}`];
  });
  return pairs.length === 0 ? '/v1/events' : `/v1/events?${pairs.join('&')}`;
}
