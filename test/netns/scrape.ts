/** One scrape of the daemon's metrics over its Unix socket. */

import { request } from 'node:http';

/** Ours: a scrape waits 200 ms for a driver; a crowded machine takes longer. */
const ANSWER_MS = 5000;

/** What a scrape showed. */
export interface Scrape {
  readonly text: string;
  /** `name{labels}` of every counter -> its value. */
  readonly counters: ReadonlyMap<string, bigint>;
}

/** Scrapes once. @throws Error when there is no answer, or not that of metrics */
export async function metricsOf(socketPath: string): Promise<Scrape> {
  const text = await get(socketPath, '/metrics');
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

function get(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, path, timeout: ANSWER_MS }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`GET ${path}: ${response.statusCode} ${text}`));
      });
    });
    asking.on('timeout', () => asking.destroy(new Error(`GET ${path}: no answer`)));
    asking.on('error', reject);
    asking.end();
  });
}
