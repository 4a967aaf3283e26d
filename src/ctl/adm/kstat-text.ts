/** kstats as Solaris shows them: a table under a head line, or with `-p` one statistic a line. */

import type { JsonValue } from '../../base/text/json.ts';
import { isJsonObject } from '../../model/fields.ts';
import type { KstatPattern } from '../kstat-pattern.ts';
import type { Row } from './views.ts';

/** A kstat with what a pattern asks of it. */
export interface SelectedKstat {
  /** As the daemon shows it, with the wanted statistics alone. */
  readonly row: Row;
  /** The wanted statistics, and those that describe the kstat itself. */
  readonly lines: readonly (readonly [name: string, value: string])[];
}

/** Shown as statistics of every kstat (kstat(1M)); `stale` is ours. */
const OF_THE_KSTAT = ['class', 'crtime', 'snaptime', 'stale'] as const;

/** The kstats of which `pattern` wants anything. */
export function selectKstats(rows: readonly Row[], pattern: KstatPattern): SelectedKstat[] {
  return rows.flatMap((row) => {
    const { module, instance, name, data } = row;
    if (!pattern.matchesKstat(String(module), Number(instance), String(name))) return [];
    const statistics = isJsonObject(data) ? Object.entries(data) : [];
    const wanted = statistics.filter(([key]) => pattern.matchesStatistic(key));
    const own = OF_THE_KSTAT.filter((key) => pattern.matchesStatistic(key));
    if (wanted.length + own.length === 0) return [];
    const lines = [
      ...wanted.map(([key, value]) => [key, String(value)] as const),
      ...own.map((key) => [key, textOf(row[key])] as const),
    ];
    return [{ row: { ...row, data: Object.fromEntries(wanted) }, lines }];
  });
}

/** Truth as 0 and 1, as `link_up` is shown. */
function textOf(value: JsonValue | undefined): string {
  return typeof value === 'boolean' ? String(Number(value)) : String(value ?? '');
}

/** The table of one kstat, or one line for each statistic. */
export function kstatText({ row, lines }: SelectedKstat, isParsable: boolean): string {
  const { module, instance, name } = row;
  if (isParsable) {
    const prefix = `${module}:${instance}:${name}`;
    return lines.map(([key, value]) => `${prefix}:${key}\t${value}\n`).join('');
  }
  const head = `module: ${module}  instance: ${instance}  name: ${name}\n`;
  return `${head}${lines.map(([key, value]) => `    ${key.padEnd(30)}  ${value}\n`).join('')}\n`;
}
