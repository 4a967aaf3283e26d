/**
 * Everything that a lab makes on the machine, and its end: namespaces, child processes, one folder.
 *
 * A thing is written down here before it is made, so that `close()` finds it at whatever moment a
 * signal comes; commands under way are waited for, and none begins after `close()` was called.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environment, run } from './command.ts';
import { deleteNamespaces, newLabName, signal } from './owner.ts';

/** Ours: a daemon that puts everything back needs less; then it is killed. */
const ORDERLY_STOP_MS = 5000;

/** The lab was closed (by Ctrl-C, as a rule) while it was being built or used. */
export class LabClosed extends Error {
  constructor() {
    super('the lab was closed');
    this.name = 'LabClosed';
  }
}

/** How a child of the lab is started. */
export interface ChildOptions {
  /** Namespace role to run in; absent: the namespace of the lab's own process. */
  readonly role?: string;
  /** SIGTERM and a while to put things back, before SIGKILL. */
  readonly orderly?: boolean;
  /** A channel for messages, for programs of the lab itself. */
  readonly ipc?: boolean;
}

interface Child {
  readonly process: ChildProcess;
  readonly orderly: boolean;
  readonly ended: Promise<void>;
}

/** One lab's resources. Make it, use it, `close()` it in a `finally`. */
export class Workspace {
  readonly name = newLabName();
  /** A folder of this lab's own, mode 0700. */
  readonly folder = join(tmpdir(), this.name);
  readonly #roles = new Set<string>();
  readonly #children = new Set<Child>();
  readonly #underWay = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor() {
    mkdirSync(this.folder, { mode: 0o700 });
  }

  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  /** Full name of the namespace that plays `role`. */
  namespaceOf(role: string): string {
    return `${this.name}-${role}`;
  }

  /** Makes a namespace for `role`, with its loopback up and IPv6 off or on. */
  async addNamespace(role: string, options: { ipv6: boolean }): Promise<void> {
    this.#roles.add(role);
    const name = this.namespaceOf(role);
    await this.run(['ip', 'netns', 'add', name]);
    const settings: [path: string, value: number][] = [
      ['ipv6/conf/all/disable_ipv6', options.ipv6 ? 0 : 1],
      ['ipv6/conf/default/disable_ipv6', options.ipv6 ? 0 : 1],
      // A bridge is a switch here, whatever modules the machine has.
      ['bridge/bridge-nf-call-iptables', 0],
    ];
    const lines = settings.map(([path, value]) => {
      const file = `/proc/sys/net/${path}`;
      return `if [ -e ${file} ]; then echo ${value} > ${file}; fi`;
    });
    await this.runIn(role, ['sh', '-ec', [...lines, 'ip link set lo up'].join('\n')]);
  }

  /** Runs a command to its end. @throws CommandError, LabClosed */
  async run(argv: readonly string[], input = ''): Promise<string> {
    this.#refuseWhenClosed();
    return await this.#track(run(argv, input));
  }

  /** Runs a command inside the namespace of `role`. @throws CommandError, LabClosed */
  async runIn(role: string, argv: readonly string[], input = ''): Promise<string> {
    return await this.run(['ip', 'netns', 'exec', this.namespaceOf(role), ...argv], input);
  }

  /** Runs iproute2 commands (without the leading `ip`) inside the namespace of `role`. */
  async ip(role: string, commands: readonly string[]): Promise<void> {
    await this.run(['ip', '-n', this.namespaceOf(role), '-batch', '-'], `${commands.join('\n')}\n`);
  }

  /**
   * Starts a program that lives with the lab: it dies with this process, whatever ends it.
   * Standard input, output and error are pipes. @throws LabClosed
   */
  start(argv: readonly string[], options: ChildOptions = {}): ChildProcess {
    this.#refuseWhenClosed();
    const inside =
      options.role === undefined ? [] : ['ip', 'netns', 'exec', this.namespaceOf(options.role)];
    const last = options.orderly ? 'TERM' : 'KILL';
    const [program = '', ...args] = [...inside, 'setpriv', '--pdeathsig', last, ...argv];
    const child = spawn(program, args, {
      env: environment(),
      stdio: ['pipe', 'pipe', 'pipe', ...(options.ipc ? (['ipc'] as const) : [])],
      detached: true,
    });
    const ended = new Promise<void>((resolve) => {
      child.once('error', () => resolve());
      child.once('exit', () => resolve());
    });
    const entry = { process: child, orderly: options.orderly ?? false, ended };
    this.#children.add(entry);
    void ended.then(() => this.#children.delete(entry));
    return child;
  }

  /** Ends one child: SIGTERM and some patience if it was started as orderly, else SIGKILL. */
  async stop(child: ChildProcess): Promise<void> {
    for (const entry of this.#children) if (entry.process === child) await end(entry);
  }

  /** Removes everything; may be called at any moment, and more than once. Never throws. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    await Promise.all([...this.#children].map(end));
    await deleteNamespaces([...this.#roles].map((role) => this.namespaceOf(role)));
    rmSync(this.folder, { recursive: true, force: true });
  }

  #refuseWhenClosed(): void {
    if (this.isClosed) throw new LabClosed();
  }

  async #track<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work);
    try {
      return await work;
    } finally {
      this.#underWay.delete(work);
    }
  }
}

async function end({ process: child, orderly, ended }: Child): Promise<void> {
  if (child.pid === undefined) return;
  if (orderly) {
    signal(child.pid, 'SIGTERM');
    const patience = setTimeout(() => signal(child.pid ?? 0, 'SIGKILL'), ORDERLY_STOP_MS);
    await ended;
    clearTimeout(patience);
    return;
  }
  signal(child.pid, 'SIGKILL');
  await ended;
}
