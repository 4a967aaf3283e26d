/**
 * Programs whose Debian packages would start a service when installed: they are taken out of the
 * package into build/tools/, and nothing is installed. Without them some tests are skipped, and the
 * bench leaves a candidate out.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { aptGet, aptGetAnswer, isProgram, whyNoPackages } from './packages.mjs';
import { readStamps, root, writeStamp } from './stamps.mjs';

/**
 * The program, its Debian package, and what of that goes to build/tools/: one file, or a whole
 * folder together with what its programs load and what is not installed here.
 */
const FOR_TEST = [
  {
    program: 'promtool',
    debianPackage: 'prometheus',
    file: 'usr/bin/promtool',
    without: 'its tests skip',
  },
  {
    program: 'radvd',
    debianPackage: 'radvd',
    file: 'usr/sbin/radvd',
    without: 'its tests skip',
  },
  {
    program: 'rdisc6',
    debianPackage: 'ndisc6',
    file: 'bin/rdisc6',
    without: 'its tests skip',
  },
  {
    program: 'ndisc6',
    debianPackage: 'ndisc6',
    file: 'usr/bin/ndisc6',
    without: 'its tests skip',
  },
];
const FOR_BENCH = [
  {
    program: 'ovs-vswitchd',
    debianPackage: 'openvswitch-switch',
    folder: 'openvswitch',
    loads: /^(openvswitch-common|lib.*)$/,
    without: 'Open vSwitch is left out',
  },
];
const FOR_CONFORMANCE = [
  {
    program: 'atk6-implementation6',
    debianPackage: 'thc-ipv6',
    file: 'usr/bin/atk6-implementation6',
    without: 'nothing is compared',
  },
];
const NEEDS = { test: FOR_TEST, bench: FOR_BENCH, conformance: FOR_CONFORMANCE };

const TOOLS = join(root, 'build/tools');
/** Where a package is taken apart; what a killed run has left there is removed by the next. */
const WORK = join(root, 'build/tools.next');

/** Brings what is missing for `purpose` as root on Debian unless that is refused; reports what it does by `say`. */
export function extractTools(purpose, say) {
  for (const tool of NEEDS[purpose] ?? []) {
    const { program, debianPackage, without } = tool;
    const stamp = `${debianPackage} ${tool.file ?? tool.folder} ${process.arch}`;
    const isThere = existsSync(placeOf(tool)) && readStamps()[program] === stamp;
    if (isThere || isProgram(program)) continue;
    const why = whyNoPackages() ?? (isProgram('dpkg-deb') ? undefined : 'there is no dpkg-deb');
    if (why !== undefined) {
      const how = `set-up brings it as root on Debian, but ${why}`;
      say(`${program} is missing (of Debian package ${debianPackage}; ${how}): ${without}`);
      continue;
    }
    say(`taking ${program} out of Debian package ${debianPackage}, which is not installed`);
    const trouble = extract(tool);
    if (trouble === undefined) writeStamp(program, stamp);
    else say(`${program} could not be brought, ${without}: ${trouble}`);
  }
}

/** Where a tool goes in the end. */
function placeOf({ file, folder }) {
  return join(TOOLS, folder ?? basename(file));
}

/** Puts a tool into build/tools/. The result is undefined, or what went wrong. */
function extract(tool) {
  rmSync(WORK, { recursive: true, force: true });
  mkdirSync(join(WORK, 'root'), { recursive: true });
  try {
    const trouble = download(tool);
    if (trouble !== undefined) return trouble;
    for (const archive of readdirSync(WORK).filter((name) => name.endsWith('.deb'))) {
      const done = spawnSync('dpkg-deb', ['-x', archive, 'root'], { cwd: WORK, encoding: 'utf8' });
      if (done.status !== 0) return `dpkg-deb failed: ${done.stderr ?? done.error?.message}`;
    }
    const wanted = join(WORK, 'root', tool.file ?? '');
    if (!existsSync(wanted)) return `there is no ${tool.file} in ${tool.debianPackage}`;
    mkdirSync(TOOLS, { recursive: true });
    rmSync(placeOf(tool), { recursive: true, force: true });
    renameSync(wanted, placeOf(tool));
    return undefined;
  } finally {
    rmSync(WORK, { recursive: true, force: true });
  }
}

/** The lists of packages may be absent or old; they are fetched only then. */
function download(tool) {
  if (tryDownload(tool) === undefined) return undefined;
  return aptGet(['update'], WORK) ?? tryDownload(tool);
}

function tryDownload({ debianPackage, loads }) {
  const packages = [debianPackage];
  if (loads !== undefined) {
    // What would be installed with it is what is missing here.
    const args = ['install', '--simulate', '--no-install-recommends', debianPackage];
    const { trouble, said } = aptGetAnswer(args, WORK);
    if (trouble !== undefined) return trouble;
    const names = [...said.matchAll(/^Inst (\S+)/gm)].map((match) => match[1]);
    packages.push(...names.filter((name) => loads.test(name)));
  }
  // As root: the folder is ours alone, and apt's own user could not write there.
  return aptGet(['download', '-o', 'APT::Sandbox::User=root', ...packages], WORK);
}
