/** Programs that set-up takes out of Debian packages (scripts/tools.mjs), or that are there. */

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** The path of a program, undefined if there is none. */
export function extracted(program: string): string | undefined {
  const folders = [join(ROOT, 'build/tools'), ...(process.env.PATH ?? '').split(delimiter)];
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}

/** Why a test is skipped that needs such a program. */
export function whyNot(program: string, debianPackage: string): string {
  return `${program} is absent (npm test as root takes it from Debian package ${debianPackage})`;
}
