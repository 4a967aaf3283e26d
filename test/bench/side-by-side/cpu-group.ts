/**
 * Groups of processes that share the processors by weight, as the service manager makes them: the
 * cpu controller of cgroups, version 1 or 2. In a group below the root the kernel's own grouping by
 * session (sched_autogroup) does not apply, so nice values count between all of its threads.
 */

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const CGROUPS = '/sys/fs/cgroup';
/** What the kernel gives a group of version 1 that systemd would give the weight 100. */
const SHARES = 1024;
const WEIGHT = 100;

interface Controller {
  readonly folder: string;
  readonly file: string;
  /** What the file has for a weight of 1. */
  readonly unit: number;
}

/** The controller of this machine; undefined if there is none that we may use. */
function findController(): Controller | undefined {
  const folder = join(CGROUPS, 'cpu');
  const file = 'cpu.shares';
  if (existsSync(join(folder, file))) return { folder, file, unit: SHARES / WEIGHT };
  const control = join(CGROUPS, 'cgroup.subtree_control');
  const isThere = existsSync(control) && /\bcpu\b/.test(readFileSync(control, 'utf8'));
  return isThere ? { folder: CGROUPS, file: 'cpu.weight', unit: 1 } : undefined;
}

/** One group; empty it before it is removed. */
export class CpuGroup {
  readonly #path: string;
  readonly #controller: Controller;

  /** @throws Error where the machine has no such groups */
  constructor(name: string) {
    const controller = findController();
    if (controller === undefined) throw new Error('no cpu controller of cgroups is to be used');
    this.#controller = controller;
    this.#path = join(controller.folder, `ipmpd-bench-${process.pid}-${name}`);
    mkdirSync(this.#path);
  }

  /** Sets its share beside other groups; 100 is what a service has. */
  setWeight(weight: number): void {
    const { file, unit } = this.#controller;
    writeFileSync(join(this.#path, file), String(Math.round(weight * unit)));
  }

  /** Moves a process here, with all of its threads. */
  take(pid: number): void {
    writeFileSync(join(this.#path, 'cgroup.procs'), String(pid));
  }

  remove(): void {
    rmdirSync(this.#path);
  }
}
