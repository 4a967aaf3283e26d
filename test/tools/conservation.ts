/** The law of conservation over the daemon's kstats (src/daemon/kstats.ts), for tests. */

import { SENT_CAUSES } from '../../src/daemon/kstats.ts';

/** A kstat, from the chain or as the API shows it. */
export interface KstatRow {
  readonly module: string;
  readonly name: string;
  readonly data: Readonly<Record<string, bigint | number | string>>;
}

/** One statistic of `ipmpd:0:<name>`. @throws Error if there is none */
export function statisticOf(rows: readonly KstatRow[], name: string, statistic: string): bigint {
  const row = rows.find((one) => one.module === 'ipmpd' && one.name === name);
  const value = row?.data[statistic];
  if (value === undefined) throw new Error(`there is no ipmpd:0:${name}:${statistic}`);
  return BigInt(value);
}

/** Names of `ipmpd:0:…` that count frames: at rest while no frame is on its way. */
const OF_FRAMES = ['datapath', 'control', 'drops'];

/** The counts of frames alone, in a form that can be compared. */
export function frameCounts(rows: readonly KstatRow[]): KstatRow['data'][] {
  const own = rows.filter(({ module, name }) => module === 'ipmpd' && OF_FRAMES.includes(name));
  return own.map(({ data }) => data);
}

/** Every equation that does not hold, as `name: left != right`. */
export function lawBreaches(rows: readonly KstatRow[]): string[] {
  const sum = (name: string, statistics: readonly string[]): bigint =>
    statistics.reduce((total, statistic) => total + statisticOf(rows, name, statistic), 0n);
  const datapath = (...statistics: string[]): bigint => sum('datapath', statistics);
  const control = (...statistics: string[]): bigint => sum('control', statistics);
  const drops = rows.find((row) => row.module === 'ipmpd' && row.name === 'drops')?.data ?? {};
  const ends = datapath('dropped', 'injected_dropped') + control('dropped', 'lost');
  const laws: readonly [string, bigint, bigint][] = [
    [
      'read',
      datapath('received_wire', 'received_host'),
      datapath('forwarded', 'punted', 'dropped'),
    ],
    ['injected', datapath('injected'), datapath('injected_transmitted', 'injected_dropped')],
    [
      'written',
      datapath('transmitted_wire', 'transmitted_host'),
      datapath('forwarded', 'injected_transmitted'),
    ],
    ['taken', control('taken'), control('answered', 'consumed', 'dropped')],
    ['sent', control('sent'), control(...SENT_CAUSES)],
    ['upward', datapath('punted'), control('taken')],
    ['downward', control('sent'), datapath('injected') + control('lost')],
    ['reasons', sum('drops', Object.keys(drops)), ends],
  ];
  return laws.flatMap(([name, left, right]) => {
    return left === right ? [] : [`${name}: ${left} != ${right}`];
  });
}
