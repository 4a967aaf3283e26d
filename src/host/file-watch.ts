/**
 * Has every synchronous call of Node's file system reported to the witness (base/serving.ts). For
 * tests: the daemons of the lab do so, where a report is fatal. In production nothing is replaced.
 *
 * Node's own loading of a program's files is passed over: a module that is loaded when it is needed
 * first is read from the page cache, where the rest of the program lies. So are the files in which
 * the kernel shows this process to itself, which no driver and no disk has a part in: prom-client
 * reads them for its metrics of the process.
 */

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { assertMayWait } from '../base/serving.ts';

/** What prom-client reads; not fdinfo, for which the kernel asks drivers. */
const OWN_FIGURES = ['/proc/self/status', '/proc/self/limits', '/proc/self/fd'];

/** In the stack of a call that loads a module. */
const LOADER = /node:internal\/modules/;

/** Replaces the calls, also where they have been imported by name. */
export function watchFiles(): void {
  const calls = fs as unknown as Record<string, unknown>;
  for (const [name, call] of Object.entries(calls)) {
    if (!name.endsWith('Sync') || typeof call !== 'function') continue;
    calls[name] = Object.assign((...args: unknown[]): unknown => {
      const isOwn = OWN_FIGURES.includes(String(args[0]));
      if (!isOwn && !LOADER.test(new Error('stack').stack ?? '')) {
        assertMayWait(`fs.${name} ${args[0]}`);
      }
      return Reflect.apply(call, fs, args);
    }, call);
  }
  syncBuiltinESMExports();
}
