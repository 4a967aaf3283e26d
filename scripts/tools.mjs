/**
 * Programs whose Debian packages would start a service when installed: they are taken out of the
 * package into build/tools/, and nothing is installed. Without them some tests are skipped.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { aptGet, isProgram } from './packages.mjs';
import { readStamps, root, writeStamp } from './stamps.mjs';

/** Debian package, and the file of it that is wanted; by purpose. */
const FOR_TEST = [{ debianPackage: 'prometheus', file: 'usr/bin/promtool' }];
const NEEDS = { test: FOR_TEST };

const TOOLS = join(root, 'build/tools');
/** Where a package is taken apart; what a killed run has left there is removed by the next. */
const WORK = join(root, 'build/tools.next');

/** Brings what is missing for `purpose` if we are root on Debian; says what it does by `say`. */
export function extractTools(purpose, say) {
  for (const { debianPackage, file } of NEEDS[purpose] ?? []) {
    const program = basename(file);
    const stamp = `${debianPackage} ${file} ${process.arch}`;
    const isThere = existsSync(join(TOOLS, program)) && readStamps()[program] === stamp;
    if (isThere || isProgram(program)) continue;
    if (process.getuid() !== 0 || !isProgram('apt-get') || !isProgram('dpkg-deb')) {
      const how = 'set-up brings it as root on Debian';
      say(`${program} is missing (of Debian package ${debianPackage}; ${how}): its tests skip`);
      continue;
    }
    say(`taking ${program} out of Debian package ${debianPackage}, which is not installed`);
    const trouble = extract(debianPackage, file);
    if (trouble === undefined) writeStamp(program, stamp);
    else say(`${program} could not be brought, its tests skip: ${trouble}`);
  }
}

/** Puts `file` of a package into build/tools/. The result is undefined, or what went wrong. */
function extract(debianPackage, file) {
  rmSync(WORK, { recursive: true, force: true });
  mkdirSync(WORK, { recursive: true });
  try {
    const trouble = download(debianPackage);
    if (trouble !== undefined) return trouble;
    const [archive = ''] = readdirSync(WORK).filter((name) => name.endsWith('.deb'));
    const done = spawnSync('dpkg-deb', ['-x', archive, '.'], { cwd: WORK, encoding: 'utf8' });
    if (done.status !== 0) return `dpkg-deb failed: ${done.stderr ?? done.error?.message}`;
    if (!existsSync(join(WORK, file))) return `there is no ${file} in ${archive}`;
    mkdirSync(TOOLS, { recursive: true });
    renameSync(join(WORK, file), join(TOOLS, basename(file)));
    return undefined;
  } finally {
    rmSync(WORK, { recursive: true, force: true });
  }
}

/** The lists of packages may be absent or old; they are fetched only then. */
function download(debianPackage) {
  // As root: the folder is ours alone, and apt's own user could not write there.
  const args = ['download', '-o', 'APT::Sandbox::User=root', debianPackage];
  if (aptGet(args, WORK) === undefined) return undefined;
  return aptGet(['update'], WORK) ?? aptGet(args, WORK);
}
