/**
 * Programs that a run needs beside Node, the Debian package of each, and how to get it. As root on
 * Debian what is missing is installed, and printed before, with the reason; IPMPD_NO_INSTALL=1 in the
 * environment refuses. What cannot be had is named, and stops only what runs it.
 */

import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';

/** Program -> Debian package, for the demonstration. */
const FOR_START = {
  ip: 'iproute2',
  nft: 'nftables',
  ping: 'iputils-ping',
  unshare: 'util-linux',
  setpriv: 'util-linux',
  mount: 'mount',
};

/** Program -> Debian package, for the namespace tests. */
const FOR_TEST = {
  ...FOR_START,
  arping: 'arping',
  curl: 'curl',
  dhclient: 'isc-dhcp-client',
  dnsmasq: 'dnsmasq-base',
  ethtool: 'ethtool',
  git: 'git',
  iperf3: 'iperf3',
  pgrep: 'procps',
  python3: 'python3',
  spin: 'spin',
  sysctl: 'procps',
  'systemd-analyze': 'systemd',
  tcpdump: 'tcpdump',
  tcpreplay: 'tcpreplay',
  traceroute: 'traceroute',
};

/** Program -> Debian package, for the benchmarks. */
const FOR_BENCH = { ...FOR_START, ethtool: 'ethtool', iperf3: 'iperf3', tcpdump: 'tcpdump' };

const NEEDS = { build: {}, start: FOR_START, test: FOR_TEST, bench: FOR_BENCH, soak: {} };

/** Purpose -> what it is to the user. */
const TITLES = { start: 'the demonstration', test: 'the tests', bench: 'the benchmarks' };

/** In the environment: set to anything, the packages of the distribution are left alone. */
const REFUSAL = 'IPMPD_NO_INSTALL';

/** Ours: a server that does not answer for so long will not. apt waits two minutes, several times. */
const PATIENCE = ['http', 'https'].map((way) => `-oAcquire::${way}::Timeout=20`);

/** Folders of programs; the administrator's are not in every PATH. */
const FOLDERS = [
  ...new Set([...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/bin', '/bin']),
];

/** Whether a program can be run. */
export function isProgram(name) {
  return FOLDERS.some((folder) => {
    try {
      accessSync(`${folder}/${name}`, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Programs of the demonstration: without one of them no lab can be built. */
export const LAB_PROGRAMS = Object.keys(FOR_START);

/** Programs of the tests alone: without one of them the files that run it are skipped. */
export const TEST_PROGRAMS = Object.keys(FOR_TEST).filter((name) => !(name in FOR_START));

/** The same of the benchmarks. */
export const BENCH_PROGRAMS = Object.keys(FOR_BENCH).filter((name) => !(name in FOR_START));

/** Missing programs of a purpose (a key of NEEDS), with their packages. */
function missingPrograms(purpose, isThere) {
  return Object.entries(NEEDS[purpose])
    .filter(([program]) => !isThere(program))
    .map(([program, debianPackage]) => ({ program, debianPackage }));
}

/** Why nothing is taken from the distribution; undefined: apt-get may be asked. */
export function whyNoPackages() {
  if ((process.env[REFUSAL] ?? '') !== '') return `${REFUSAL} is set`;
  if (process.getuid() !== 0) return 'that needs root';
  return isProgram('apt-get') ? undefined : 'there is no apt-get';
}

/**
 * Installs what is missing for `purpose` when we are root on Debian; reports what it does by `say`.
 * Returns what is missing still (nothing, as a rule).
 */
export function installMissing(purpose, say, isThere = isProgram) {
  const missing = missingPrograms(purpose, isThere);
  if (missing.length === 0) return [];
  const why = whyNoPackages();
  if (why !== undefined) {
    say(`nothing is installed: ${why}`);
    return missing;
  }
  const names = missing.map(({ program }) => program).join(', ');
  const wanted = [...new Set(missing.map((entry) => entry.debianPackage))];
  say(`${TITLES[purpose]} cannot do without: ${names}`);
  say(`installing Debian packages: ${wanted.join(' ')} (${REFUSAL}=1 refuses)`);
  const stale = aptGet(['update']);
  if (stale !== undefined) say(stale);
  if (tryInstall(wanted) === undefined) return missingPrograms(purpose, isThere);
  // Each by itself: apt-get installs none if it cannot have one.
  for (const debianPackage of wanted) {
    const trouble = tryInstall([debianPackage]);
    if (trouble !== undefined) say(trouble);
  }
  return missingPrograms(purpose, isThere);
}

function tryInstall(wanted) {
  return aptGet(['install', '-y', '--no-install-recommends', ...wanted]);
}

/** Runs apt-get in `cwd`; the result is undefined, or what went wrong. */
export function aptGet(args, cwd) {
  return aptGetAnswer(args, cwd).trouble;
}

/** Runs apt-get in `cwd`: its output, and what went wrong (undefined: nothing). */
export function aptGetAnswer(args, cwd) {
  const done = spawnSync('apt-get', ['-q', ...PATIENCE, ...args], {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
  });
  if (done.status === 0) return { said: done.stdout, trouble: undefined };
  const said = (done.stderr || done.stdout || done.error?.message || '').trim().slice(-2000);
  return { said, trouble: `apt-get ${args[0]} failed:\n${said}` };
}
