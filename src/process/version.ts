/** The version of the program, as package.json names it. */

import { readFileSync } from 'node:fs';
import { errnoOf } from '../base/errors.ts';

/** From dist/src/process as from src/process: the nearest package.json above. */
function readVersion(): string {
  for (const up of ['../../', '../../../']) {
    try {
      const text = readFileSync(new URL(`${up}package.json`, import.meta.url), 'utf8');
      return (JSON.parse(text) as { version: string }).version;
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }
  return 'unknown';
}

export const VERSION = readVersion();
