/**
 * Who holds a TAP. The kernel names the interface in /proc/PID/fdinfo/FD of each descriptor
 * attached to it; looked at only to make a refusal helpful.
 */

import { readdir, readlink } from 'node:fs/promises';
import { native } from '../datapath/native.ts';

/** A process as an operator recognises it. */
export interface Holder {
  readonly pid: number;
  readonly command: string;
}

/** The process of our network namespace that has `name` open; undefined if none is seen. */
export async function tapHolder(name: string): Promise<Holder | undefined> {
  const namespace = await link('/proc/self/ns/net');
  for (const pid of (await list('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    if ((await link(`/proc/${pid}/ns/net`)) !== namespace) continue;
    if (!(await holdsTap(pid, name))) continue;
    return { pid: Number(pid), command: (await text(`/proc/${pid}`, 'comm')).trim() };
  }
  return undefined;
}

async function holdsTap(pid: string, name: string): Promise<boolean> {
  for (const fd of await list(`/proc/${pid}/fd`)) {
    if ((await link(`/proc/${pid}/fd/${fd}`)) !== '/dev/net/tun') continue;
    if ((await text(`/proc/${pid}/fdinfo`, fd)).includes(`iff:\t${name}\n`)) return true;
  }
  return false;
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
