/**
 * The daemon's log: JSON lines on stdout for the journal, readable text on a terminal. Lines are
 * written in order and never waited for (line-writer.ts); a killed process loses what waits.
 */

import { type DestinationStream, type Logger, pino } from 'pino';
import { LineWriter } from './line-writer.ts';

export type Log = Logger;

/** The part of a log that rooms use which write a line now and then. */
export interface HostLog {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
}

const STDOUT = 1;

/** A log that shows `level` and what is more severe. */
export async function createLog(level: string): Promise<Log> {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  const writer = new LineWriter(STDOUT);
  const log = pino(options, process.stdout.isTTY ? await readable(writer) : writer);
  writer.onRecovered = (lines) => {
    log.warn({ event: 'log-lost', lines }, `${lines} lines of the log found no room`);
  };
  return log;
}

/** The formatter of the lines is loaded for a terminal only: it takes part of each start. */
async function readable(writer: LineWriter): Promise<DestinationStream> {
  const { default: pretty } = await import('pino-pretty');
  const toText = pretty.prettyFactory({
    ignore: 'pid,hostname',
    translateTime: 'HH:MM:ss.l',
    colorize: pretty.isColorSupported,
  });
  return { write: (line) => writer.write(toText(line)) };
}
