/**
 * Names with the owner of a lab: `ipmp-<pid>-<start time>-<n>`. A process id alone is used again
 * by the kernel; with the start time it names one process for ever, so that what a killed run has
 * left can be told from what a living one uses.
 */

import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../base/errors.ts';
import { execute } from './command.ts';

const NAME = /^ipmp-(\d+)-(\d+)-(\d+)(?:-(\w+))?$/;

/** Ours: how long a process of a dead lab may take to die by SIGKILL. */
const KILL_WAIT_MS = 2000;
const KILL_POLL_MS = 20;

/** Start time of a process in clock ticks since boot; undefined when there is none. */
export function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state = '', ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? undefined : rest[18];
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}

let labs = 0;

/** A new name for a lab of this process. */
export function newLabName(): string {
  labs += 1;
  return `ipmp-${process.pid}-${startTimeOf(process.pid) ?? 0}-${labs}`;
}

/** The process that a name stands for; undefined for names that are not a lab's. */
export function ownerOf(name: string): { pid: number; isAlive: boolean } | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  const pid = Number(match[1]);
  return { pid, isAlive: startTimeOf(pid) === match[2] };
}

/** Names of all network namespaces of `ip netns`. */
export async function namespaceNames(): Promise<string[]> {
  const { stdout } = await execute(['ip', 'netns', 'list']);
  return stdout
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => name !== '');
}

/** Ends every process inside a namespace of a lab, and waits until it is gone. */
export async function endProcessesOf(namespace: string): Promise<void> {
  const giveUpAt = Date.now() + KILL_WAIT_MS;
  for (;;) {
    const { stdout } = await execute(['ip', 'netns', 'pids', namespace]);
    const pids = stdout.split(/\s+/).filter((pid) => /^\d+$/.test(pid));
    if (pids.length === 0 || Date.now() > giveUpAt) return;
    for (const pid of pids) signal(Number(pid), 'SIGKILL');
    await sleep(KILL_POLL_MS);
  }
}

/** Sends a signal; a process that is gone already is no error. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}

/** Deletes namespaces with everything in them; those that do not exist are passed over. */
export async function deleteNamespaces(names: readonly string[]): Promise<void> {
  const present = new Set(await namespaceNames());
  const ours = names.filter((name) => present.has(name));
  await Promise.all(ours.map(endProcessesOf));
  for (const name of ours) await execute(['ip', 'netns', 'delete', name]);
}

/** Names of what labs of dead processes have left: namespaces and folders. */
export async function leftovers(): Promise<{ namespaces: string[]; folders: string[] }> {
  const isLeft = (name: string): boolean => ownerOf(name)?.isAlive === false;
  return {
    namespaces: (await namespaceNames()).filter(isLeft),
    folders: readdirSync(tmpdir()).filter(isLeft),
  };
}

/** Removes what labs of dead processes have left. Returns the names of what was removed. */
export async function removeLeftovers(): Promise<string[]> {
  const { namespaces, folders } = await leftovers();
  await deleteNamespaces(namespaces);
  for (const folder of folders) rmSync(join(tmpdir(), folder), { recursive: true, force: true });
  return [...namespaces, ...folders];
}
