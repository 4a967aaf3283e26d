/**
 * Who holds a TAP. The kernel names the interface in /proc/PID/fdinfo/FD of each descriptor
 * attached to it; looked at only to make a refusal helpful.
 */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process as an operator recognises it. */
export interface Holder {
  readonly pid: number;
  readonly command: string;
}

/** The process of our network namespace that has `name` open; undefined if none is seen. */
export function tapHolder(name: string): Holder | undefined {
  const namespace = link('/proc/self/ns/net');
  for (const pid of list('/proc').filter((entry) => /^\d+$/.test(entry))) {
    if (link(`/proc/${pid}/ns/net`) !== namespace) continue;
    if (!holdsTap(pid, name)) continue;
    return { pid: Number(pid), command: text(`/proc/${pid}/comm`).trim() };
  }
  return undefined;
}

function holdsTap(pid: string, name: string): boolean {
  return list(`/proc/${pid}/fd`).some(
    (fd) =>
      link(`/proc/${pid}/fd/${fd}`) === '/dev/net/tun' &&
      text(`/proc/${pid}/fdinfo/${fd}`).includes(`iff:\t${name}\n`),
  );
}

/** A process may end, or forbid the look, at any step; then it is not seen. */
function unseen<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch (error) {
    if (error instanceof Error && 'code' in error) return otherwise;
    throw error;
  }
}

const list = (path: string): string[] => unseen(() => readdirSync(path), []);
const link = (path: string): string => unseen(() => readlinkSync(path), '');
const text = (path: string): string => unseen(() => readFileSync(path, 'latin1'), '');
