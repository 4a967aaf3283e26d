/** What the tidy tests read: every file that git lists, with its lines. */

import { deepEqual } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** One file of the repository: `path` relative to its root, `text` as it stands. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
}

/** The root of the repository, seen from dist/test/tidy. */
export const root = fileURLToPath(new URL('../../..', import.meta.url));

/** All files under `directories` whose name ends in one of `endings`, sorted by path. */
export function sources(directories: readonly string[], endings: readonly string[]): SourceFile[] {
  const listed = execFileSync(
    'git',
    ['ls-files', '--cached', '--others', '--exclude-standard', '--', ...directories],
    { cwd: root, encoding: 'utf8' },
  );
  const paths = listed
    .trim()
    .split('\n')
    .filter((path) => endings.some((end) => path.endsWith(end)));
  return paths.sort().flatMap((path) => {
    const text = readIfPresent(path);
    return text === undefined ? [] : [{ path, text, lines: text.split('\n') }];
  });
}

/** Asserts that nothing was found. */
export function none(found: readonly unknown[], message?: string): void {
  deepEqual(found, [], message);
}

/** A file that git still lists but that the work tree has just lost is not there to judge. */
function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(`${root}/${path}`, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
