/** Programs that a run needs beside Node, the Debian package of each, and how to get it. */

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
  ps: 'procps',
  spin: 'spin',
  'systemd-analyze': 'systemd',
  tcpdump: 'tcpdump',
  tcpreplay: 'tcpreplay',
  traceroute: 'traceroute',
};

const NEEDS = { build: {}, start: FOR_START, test: FOR_TEST, bench: FOR_TEST, soak: {} };

/** Where programs lie; the administrator's folders are not in everybody's PATH. */
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

/** Missing programs of a purpose (a key of NEEDS), with their packages. */
export function missingPrograms(purpose) {
  return Object.entries(NEEDS[purpose])
    .filter(([program]) => !isProgram(program))
    .map(([program, debianPackage]) => ({ program, debianPackage }));
}

/**
 * Installs what is missing for `purpose` when we are root on Debian; says what it does by `say`.
 * Returns what is missing still (nothing, as a rule).
 */
export function installMissing(purpose, say) {
  const missing = missingPrograms(purpose);
  if (missing.length === 0) return [];
  const wanted = [...new Set(missing.map((entry) => entry.debianPackage))];
  if (process.getuid() !== 0 || !isProgram('apt-get')) return missing;
  say(`installing Debian packages: ${wanted.join(' ')}`);
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', ...wanted]]) {
    const trouble = aptGet(args);
    if (trouble !== undefined) say(trouble);
  }
  return missingPrograms(purpose);
}

/** Runs apt-get in `cwd`; the result is undefined, or what went wrong. */
export function aptGet(args, cwd) {
  return aptGetAnswer(args, cwd).trouble;
}

/** Runs apt-get in `cwd`: what it said, and what went wrong (undefined: nothing). */
export function aptGetAnswer(args, cwd) {
  const done = spawnSync('apt-get', ['-q', ...args], {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
  });
  if (done.status === 0) return { said: done.stdout, trouble: undefined };
  const said = (done.stderr || done.stdout || done.error?.message || '').trim().slice(-2000);
  return { said, trouble: `apt-get ${args[0]} failed:\n${said}` };
}
