/**
 * How long a daemon takes from exec to the first packet that came through its group, and where
 * that time goes.
 *
 * Both ends send a datagram every millisecond, from before the start. The peer knows the MAC of
 * the first NIC, as it does when a daemon starts anew; the daemon has no entry. The first datagram
 * that arrives at either end is the figure; the other direction is printed too. A peer that knows
 * nothing has its answer when the address has been probed for, half a second later (RFC 5227).
 *
 * The clock starts before the process is made: entering the namespace counts.
 */

import { configurationFor } from '../../../src/lab/configuration.ts';
import { LabDaemon, socketOf } from '../../../src/lab/daemon-process.ts';
import { MeasuringChild } from '../../../src/lab/measure/child.ts';
import { addTo, type Rounds } from '../figures.ts';
import { quietShare } from '../machine.ts';
import { say } from '../report.ts';
import { type Closable, Field, HOST, HOST_PREFIXES, PEER } from '../side-by-side/field.ts';

const PROGRAM = new URL('./first-packet.js', import.meta.url);
const NICS = 2;
const FIRST = ['first packet in', 'first packet out'] as const;

/** One start: milliseconds since exec, by what was done by then, in order. */
export type Start = ReadonlyMap<string, number>;

/** Starts the daemon `times` times in a field that `open` gets, to be closed by the caller. */
export async function measureStarts(open: Closable[], times: number): Promise<Start[]> {
  if (times === 0) return [];
  const field = new Field('macvtap', NICS);
  open.push(field);
  await field.build();
  const mac = await field.workspace.runIn('host', ['cat', '/sys/class/net/eth0/address']);
  const known = `lladdr ${mac.trim()} dev lan nud permanent`;
  await field.workspace.ip('peer', [`neigh replace ${HOST} ${known}`]);
  const starts: Start[] = [];
  while (starts.length < times) {
    say(`start ${starts.length + 1} of ${times}`);
    await quietShare();
    starts.push(await measureStart(field));
  }
  await field.workspace.close();
  return starts;
}

/** When the first packet came through, in either direction, since exec. */
export function firstPacketMs(start: Start): number {
  return Math.min(...FIRST.map((way) => start.get(way) ?? Number.POSITIVE_INFINITY));
}

/** The times of all starts, by what was done. */
export function startCosts(starts: readonly Start[]): Rounds {
  const values = new Map<string, number[]>();
  for (const [name, atMs] of starts.flatMap((start) => [...start])) addTo(values, name, atMs);
  return values;
}

async function measureStart(field: Field): Promise<Start> {
  const { workspace } = field;
  const ends = [
    new MeasuringChild(workspace, 'host', PROGRAM, [PEER]),
    new MeasuringChild(workspace, 'peer', PROGRAM, [HOST]),
  ] as const;
  await Promise.all(ends.map((end) => end.receive('ready')));
  const text = configurationFor(field, { socket: socketOf(workspace), addresses: HOST_PREFIXES });
  const execMs = nowMs();
  const execWallMs = Date.now();
  const daemon = await LabDaemon.start(workspace, text);
  const [inMs = 0, outMs = 0] = (await Promise.all(ends.map((end) => end.receive('first')))).map(
    ({ atMs }) => Number(atMs) - execMs,
  );
  await daemon.waitUntilOk();
  const marks = marksOf(daemon.log, execWallMs);
  await daemon.stop();
  for (const end of ends) await end.stop();
  return new Map([...marks, [FIRST[0], inMs], [FIRST[1], outMs]]);
}

/**
 * The daemon's log of its own start: milliseconds since `execWallMs` (wall clock), by
 * what was done by then. It counts from where its runtime began. Empty without such a line.
 */
export function marksOf(log: string, execWallMs: number): [string, number][] {
  const line = log.split('\n').find((one) => one.includes('"event":"ready"'));
  if (line === undefined) return [];
  const { time, startMs } = JSON.parse(line) as { time: string; startMs: Record<string, number> };
  const marks = Object.entries(startMs);
  const sinceRuntimeMs = marks.at(-1)?.[1] ?? 0;
  const runtimeMs = Date.parse(time) - sinceRuntimeMs - execWallMs;
  return [
    ['runtime begins', runtimeMs],
    ...marks.map(([done, atMs]): [string, number] => [done, runtimeMs + atMs]),
  ];
}

function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
