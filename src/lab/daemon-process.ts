/** The real daemon and its control command inside a lab. */

import type { ChildProcess } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../base/errors.ts';
import { rowsRead } from '../model/fields.ts';
import type { AddressRow, GroupRow, InterfaceRow, NeighborRow } from '../model/rows.ts';
import { ROWS } from '../model/rows.ts';
import { getJson } from './api.ts';
import { type CommandResult, execute } from './command.ts';
import { GROUP } from './configuration.ts';
import { until } from './until.ts';
import type { Workspace } from './workspace.ts';

/** Ours: from the start of the process to an answering socket; a second is usual. */
const START_MS = 20_000;
const MAX_LOG = 4 << 20;

const program = (name: string): string => fileURLToPath(new URL(`../${name}.js`, import.meta.url));

/** The control socket of a lab's daemon. */
export function socketOf(workspace: Workspace): string {
  return join(workspace.folder, 'ipmpd.sock');
}

/** Variables that the daemon gets beside those of the lab. */
type Environment = Readonly<Record<string, string>>;

/** One run of `ipmpd` in the host of a lab. */
export class LabDaemon {
  readonly workspace: Workspace;
  readonly socket: string;
  readonly process: ChildProcess;
  /** Settles with the exit status, or the name of the signal that ended it. */
  readonly ended: Promise<number | string>;
  #log = '';

  private constructor(workspace: Workspace, configFile: string, environment: Environment) {
    this.workspace = workspace;
    this.socket = socketOf(workspace);
    // A mistake that the witness finds ends a daemon of the lab: it must be seen.
    const all = { IPMPD_WITNESS: 'fatal', ...environment };
    const variables = Object.entries(all).map(([name, value]) => `${name}=${value}`);
    const argv = ['env', ...variables, process.execPath, program('ipmpd'), '--config', configFile];
    this.process = workspace.start([...argv, '--socket', this.socket], {
      role: 'host',
      orderly: true,
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#log = (this.#log + text).slice(-MAX_LOG);
      });
    }
    this.ended = new Promise((resolve) => {
      this.process.once('close', (status, signal) => resolve(status ?? signal ?? 'unknown'));
    });
  }

  /** Starts the daemon with the configuration `text` and waits until its socket answers. */
  static async start(
    workspace: Workspace,
    text: string,
    environment: Environment = {},
    withinMs = START_MS,
  ): Promise<LabDaemon> {
    const configFile = join(workspace.folder, 'ipmpd.yaml');
    writeFileSync(configFile, text);
    const daemon = new LabDaemon(workspace, configFile, environment);
    let exit: number | string | undefined;
    void daemon.ended.then((status) => {
      exit = status;
    });
    await until('the daemon answers on its socket', withinMs, async () => {
      if (exit !== undefined) return 'ended';
      // A look at the file costs next to nothing, a request that finds none takes the processor.
      if (!existsSync(daemon.socket)) return undefined;
      await daemon.groups();
      return 'answers';
    });
    if (exit !== undefined) throw new Error(`ipmpd ended with ${exit}:\n${daemon.log}`);
    return daemon;
  }

  /** What it has logged so far (the last megabytes). */
  get log(): string {
    return this.#log;
  }

  /** Orderly stop; returns the exit status. */
  async stop(): Promise<number | string> {
    await this.workspace.stop(this.process);
    return await this.ended;
  }

  async groups(): Promise<readonly GroupRow[]> {
    return rowsRead(ROWS.group, await getJson(this.socket, '/v1/groups'));
  }

  /** The lab's one group. @throws Error when it is not there */
  async group(): Promise<GroupRow> {
    const found = (await this.groups()).find((row) => row.group === GROUP);
    if (found === undefined) throw new Error(`there is no group ${GROUP}`);
    return found;
  }

  async interfaces(): Promise<readonly InterfaceRow[]> {
    return rowsRead(ROWS.interface, await getJson(this.socket, '/v1/interfaces'));
  }

  /** One interface by name. @throws Error when it is not there */
  async interface(ifname: string): Promise<InterfaceRow> {
    const found = (await this.interfaces()).find((row) => row.ifname === ifname);
    if (found === undefined) throw new Error(`there is no interface ${ifname}`);
    return found;
  }

  async addresses(): Promise<readonly AddressRow[]> {
    return rowsRead(ROWS.address, await getJson(this.socket, '/v1/addresses'));
  }

  /** The row of one data address (without prefix length). @throws Error when it is not there */
  async address(address: string): Promise<AddressRow> {
    const found = (await this.addresses()).find((row) => row.address.startsWith(`${address}/`));
    if (found === undefined) throw new Error(`there is no address ${address}`);
    return found;
  }

  async neighbors(): Promise<readonly NeighborRow[]> {
    return rowsRead(ROWS.neighbor, await getJson(this.socket, '/v1/neighbors'));
  }

  /** Waits until all members are active and every data address is served. */
  async waitUntilOk(withinMs = 10_000): Promise<void> {
    let last = '';
    try {
      await until('the group works', withinMs, async () => {
        const { state, interfaces, active } = await this.group();
        const rows = await this.addresses();
        last = `${state}, active ${active}; ${rows.map(addressLine).join(', ')}`;
        return state === 'ok' && active.length === interfaces.length && rows.every(isServed);
      });
    } catch (error) {
      throw new Error(`${messageOf(error)}: ${last}`);
    }
  }

  /** Runs `ipmpadm` with `args` to its end. */
  async ipmpadm(args: readonly string[]): Promise<CommandResult> {
    return await execute([process.execPath, program('ipmpadm'), '--socket', this.socket, ...args]);
  }

  /** Starts `ipmpadm … monitor`; `onLine` gets each line that it prints. */
  monitor(onLine: (line: string) => void, options: readonly string[] = ['-t']): ChildProcess {
    const argv = [process.execPath, program('ipmpadm'), '--socket', this.socket];
    const child = this.workspace.start([...argv, ...options, 'monitor']);
    let rest = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
    });
    return child;
  }
}

/** The daemon receives for it, and the host's kernel is done with its own detection (RFC 4862). */
export function isServed({ state, inbound, flags }: AddressRow): boolean {
  return state === 'up' && inbound !== null && !flags.includes('tentative');
}

function addressLine({ address, state, inbound, flags }: AddressRow): string {
  return `${address} ${state} on ${inbound} ${flags.join(',')}`;
}
