/**
 * Has every synchronous call of Node's file system reported to the witness (base/serving.ts). For
 * tests: the daemons of the lab do so, where a report is fatal. In production nothing is replaced.
 *
 * The loading of a module is such a call: what the daemon may need is loaded before it serves. Only
 * the files are passed over in which the kernel shows this process to itself, which no driver and
 * no disk has a part in: prom-client reads them for its metrics of the process.
 */

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { assertMayWait } from '../base/serving.ts';

/** What prom-client reads; not fdinfo, for which the kernel asks drivers. */
const OWN_FIGURES = ['/proc/self/status', '/proc/self/limits', '/proc/self/fd'];

/** Replaces the calls, also where they have been imported by name. */
export function watchFiles(): void {
  for (const [name, call] of Object.entries(fs)) {
    if (!name.endsWith('Sync') || typeof call !== 'function') continue;
    const watched = (...args: unknown[]): unknown => {
      if (!OWN_FIGURES.includes(String(args[0]))) assertMayWait(`fs.${name} ${args[0]}`);
      return Reflect.apply(call, fs, args);
    };
    Reflect.set(fs, name, Object.assign(watched, call));
  }
  syncBuiltinESMExports();
}
