/** The daemon's log: JSON lines on stdout for the journal, readable text on a terminal. */

import { type DestinationStream, type Logger, pino } from 'pino';

export type Log = Logger;

/** A log that shows `level` and what is more severe. Lines are written at once, in order. */
export async function createLog(level: string): Promise<Log> {
  const stream = process.stdout.isTTY
    ? await openTerminal()
    : pino.destination({ fd: 1, sync: true });
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream);
}

/** What makes text of the lines is loaded for a terminal only: it takes part of each start. */
async function openTerminal(): Promise<DestinationStream> {
  const { default: pretty } = await import('pino-pretty');
  return pretty({ sync: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' });
}
