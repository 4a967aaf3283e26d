/** A gate at which a daemon's calls that take the kernel's configuration lock are held. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One gate (native/gate.c); `environment` makes a daemon pass through it. */
export class KernelGate {
  readonly #folder = mkdtempSync(join(tmpdir(), 'ipmpd-gate-'));
  readonly #path = join(this.#folder, 'gate');
  readonly environment: Readonly<Record<string, string>> = { IPMPD_KERNEL_GATE: this.#path };
  #holder: ChildProcess | undefined;

  constructor() {
    writeFileSync(this.#path, '');
  }

  /** Closes the gate; resolves when every further call is held. */
  async hold(): Promise<void> {
    const script = 'echo held; exec cat';
    const holder = spawn('flock', ['--exclusive', this.#path, 'sh', '-c', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#holder = holder;
    await once(holder.stdout, 'data');
  }

  /** Opens it: held calls go on. */
  async release(): Promise<void> {
    const holder = this.#holder;
    if (holder === undefined) return;
    this.#holder = undefined;
    const ended = once(holder, 'close');
    holder.stdin?.end();
    await ended;
  }

  async close(): Promise<void> {
    await this.release();
    rmSync(this.#folder, { recursive: true });
  }
}
