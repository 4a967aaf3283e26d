/** Prometheus' own checker for tests: the system's, or what set-up has taken out of its package. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { extracted, ROOT, whyNot } from './extracted.ts';

/** Why a test is skipped when `PROMTOOL` is undefined. */
export const NO_PROMTOOL = whyNot('promtool', 'prometheus');

/** The path of promtool, undefined if there is none. */
export const PROMTOOL = extracted('promtool');

/** How promtool ended, and all that it printed. */
export interface Verdict {
  readonly status: number | null;
  readonly said: string;
}

/** Runs promtool with `args`, from the root of the repository. */
export function promtool(args: readonly string[], input = ''): Verdict {
  const options = { cwd: ROOT, input, encoding: 'utf8' } as const;
  const { status, stdout, stderr } = spawnSync(PROMTOOL ?? 'promtool', args, options);
  return { status, said: `${stdout}${stderr}` };
}

/** Runs promtool with `args` and, after them, a file that holds `text`. */
export function promtoolOf(args: readonly string[], text: string): Verdict {
  const folder = mkdtempSync(join(tmpdir(), 'ipmpd-promtool-'));
  try {
    const file = join(folder, 'given.yml');
    writeFileSync(file, text);
    return promtool([...args, file]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
