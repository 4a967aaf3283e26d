/**
 * The daemon's log: JSON lines on stdout for the journal, readable text on a terminal.
 *
 * Lines are written in order, by a thread of Node's own: a reader that is slow (a pipe that is
 * full, a journal that compresses) must not keep the daemon from its work. What waits is bounded,
 * and written before an orderly end; a killed process loses it. A fatal line is the exception: it
 * is written at once, before lines that are under way, and waits for its reader.
 */

import { type DestinationStream, type Logger, pino } from 'pino';

export type Log = Logger;

/** Bytes that wait for the reader (ours): what SIGUSR1 tells of the largest host has room. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;

/** A log that shows `level` and what is more severe. */
export async function createLog(level: string): Promise<Log> {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (process.stdout.isTTY) return pino(options, await openTerminal());
  const stream = pino.destination({ fd: 1, sync: false, maxLength: WAITING_BYTES_MAX });
  const log = pino(options, stream);
  let lost = 0;
  // A line that finds no room, or a reader that takes no line any more.
  for (const event of ['drop', 'error']) {
    stream.on(event, () => {
      lost++;
    });
  }
  stream.on('drain', () => {
    if (lost === 0) return;
    const lines = lost;
    lost = 0;
    log.warn({ event: 'log-lost', lines }, `${lines} lines of the log found no room`);
  });
  return log;
}

/** What makes text of the lines is loaded for a terminal only: it takes part of each start. */
async function openTerminal(): Promise<DestinationStream> {
  const { default: pretty } = await import('pino-pretty');
  return pretty({ sync: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' });
}
