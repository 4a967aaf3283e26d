/** The programs in C that the bench compares with or measures by. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../../../src/lab/command.ts';

/** Compiled C lies beside the compiled TypeScript. */
const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const SOURCES = fileURLToPath(new URL('../../../../test/bench/side-by-side', import.meta.url));

/** Compiles `name`.c and returns the program's path. @throws CommandError */
export async function compiled(name: string, options: readonly string[] = []): Promise<string> {
  const program = join(FOLDER, name);
  mkdirSync(FOLDER, { recursive: true });
  const flags = ['-O2', '-D_GNU_SOURCE', '-Wall', '-Wextra', ...options];
  await run(['cc', ...flags, '-o', program, join(SOURCES, `${name}.c`)]);
  return program;
}
