/**
 * Which process holds a TAP or a macvtap. Of a TAP the kernel names the interface in
 * /proc/PID/fdinfo/FD of each descriptor attached to it; that is looked at only to make a refusal
 * helpful. Of a macvtap only the number of the opened node shows it, and the kernel refuses no
 * second process: we refuse what the look finds, as far as our rights let us see.
 */

import { readdir, readlink } from 'node:fs/promises';
import { native } from '../../native/addon.ts';

/** A process as an operator recognises it. */
export interface Holder {
  readonly pid: number;
  readonly command: string;
}

/** The process of our network namespace that has `name` open; undefined if none is seen. */
export async function tapHolder(name: string): Promise<Holder | undefined> {
  const namespace = await link('/proc/self/ns/net');
  return await holderWith(
    async (pid) => (await link(`/proc/${pid}/ns/net`)) === namespace,
    async (pid, fd, path) => {
      if (path !== '/dev/net/tun') return false;
      return (await text(`/proc/${pid}/fdinfo`, fd)).includes(`iff:\t${name}\n`);
    },
  );
}

/** The process of any namespace that has the macvtap `name` open; undefined if none is seen. */
export async function macvtapHolder(name: string): Promise<Holder | undefined> {
  const folder = `/sys/class/net/${name}`;
  const node = (await list(folder)).find((entry) => NODE.test(entry));
  const numbers = node === undefined ? '' : (await text(`${folder}/${node}`, 'dev')).trim();
  if (numbers === '') return undefined;
  return await holderWith(
    async () => true,
    async (pid, fd, path) =>
      NODE_PATH.test(path) && (await numbersOf(`/proc/${pid}/fd/${fd}`)) === numbers,
  );
}

/**
 * `tapN` in sysfs, and the path of an opened node: that of the kernel, or a private one, deleted by
 * now. Other files are not looked at: they may lie on a server that does not answer.
 */
const NODE = /^tap\d+$/;
const NODE_PATH = /^\/dev\/tap\d+$|^\/(?:dev|run|tmp)\/[^/]+\/tap(?: \(deleted\))?$/;

async function holderWith(
  mayHold: (pid: string) => Promise<boolean>,
  holds: (pid: string, fd: string, path: string) => Promise<boolean>,
): Promise<Holder | undefined> {
  for (const pid of (await list('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    if (!(await mayHold(pid))) continue;
    for (const fd of await list(`/proc/${pid}/fd`)) {
      if (!(await holds(pid, fd, await link(`/proc/${pid}/fd/${fd}`)))) continue;
      return { pid: Number(pid), command: (await text(`/proc/${pid}`, 'comm')).trim() };
    }
  }
  return undefined;
}

/** 'MAJOR:MINOR' of an opened device node. */
async function numbersOf(path: string): Promise<string> {
  const none = { isCharacter: false, major: 0, minor: 0 };
  const { major, minor } = await unseen(native.later.deviceNode(path), none);
  return `${major}:${minor}`;
}

/** A process may end, or forbid the look, at any step; then it is not seen. */
async function unseen<T>(look: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await look;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return otherwise;
    throw error;
  }
}

const list = (path: string): Promise<string[]> => unseen(readdir(path), []);
const link = (path: string): Promise<string> => unseen(readlink(path), '');
/** The kernel asks the driver for what fdinfo shows. */
const text = (folder: string, name: string): Promise<string> =>
  unseen(native.later.filesRead(folder, name), '');
