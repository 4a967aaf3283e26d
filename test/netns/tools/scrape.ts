/** One scrape of the daemon's metrics over its Unix socket. */

import { getText } from '../../../src/lab/api.ts';

/** What a scrape showed. */
export interface Scrape {
  readonly text: string;
  /** `name{labels}` of every counter -> its value. */
  readonly counters: ReadonlyMap<string, bigint>;
}

/** Scrapes once. @throws Error when there is no answer, or not that of metrics */
export async function metricsOf(socketPath: string): Promise<Scrape> {
  const text = await getText(socketPath, '/metrics');
  const kinds = new Map<string, string>();
  const counters = new Map<string, bigint>();
  for (const line of text.split('\n')) {
    const kind = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (kind !== null) kinds.set(kind[1]!, kind[2]!);
    const sample = /^(([a-z_0-9]+)(?:\{.*\})?) (\d+)$/.exec(line);
    if (sample !== null && kinds.get(sample[2]!) === 'counter') {
      counters.set(sample[1]!, BigInt(sample[3]!));
    }
  }
  if (counters.size === 0) throw new Error(`no counters in ${text.length} characters`);
  return { text, counters };
}
