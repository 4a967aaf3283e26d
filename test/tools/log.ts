/** A log that keeps its lines. */

import { pino } from 'pino';

/** Lines of `level` and what is more severe; `taken` returns one field of each new line. */
export function testLog(level = 'info') {
  const rows: Record<string, unknown>[] = [];
  const log = pino({ level }, { write: (line: string) => void rows.push(JSON.parse(line)) });
  const taken = (field = 'msg') => rows.splice(0).map((row) => row[field]);
  return { log, rows, taken };
}
