/** The version of the program, as package.json names it. */

import { readFileSync } from 'node:fs';
import { errnoOf } from '../base/errors.ts';
import { isRecord } from '../base/keys.ts';

/** From dist/src/process as from src/process: the nearest package.json above. */
function readVersion(): string {
  for (const up of ['../../', '../../../']) {
    try {
      const text = readFileSync(new URL(`${up}package.json`, import.meta.url), 'utf8');
      const manifest: unknown = JSON.parse(text);
      return isRecord(manifest) ? String(manifest.version) : 'unknown';
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }
  return 'unknown';
}

export const VERSION = readVersion();
