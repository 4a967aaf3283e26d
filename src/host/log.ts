/** The daemon's log: JSON lines on stdout for the journal, readable text on a terminal. */

import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

export type Log = Logger;

/** A log that shows `level` and what is more severe. Lines are written at once, in order. */
export function createLog(level: string): Log {
  const stream = process.stdout.isTTY
    ? pretty({ sync: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' })
    : pino.destination({ fd: 1, sync: true });
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream);
}
