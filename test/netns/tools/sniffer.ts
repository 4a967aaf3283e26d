/** tcpdump in a namespace: an independent view of what is on a wire. */

import type { ChildProcess } from 'node:child_process';
import { until } from '../../../src/lab/until.ts';
import type { Workspace } from '../../../src/lab/workspace.ts';
import type { TestHost } from './harness.ts';
import { forEachLine } from './programs.ts';

/** A running capture; `lines` grows, one line a frame, with link-layer header and time first. */
export class Sniffer {
  readonly lines: string[] = [];
  readonly #workspace: Workspace;
  readonly #process: ChildProcess;
  #messages = '';

  private constructor(workspace: Workspace, argv: readonly string[], role: string) {
    this.#workspace = workspace;
    this.#process = workspace.start(argv, { role });
    forEachLine(this.#process.stdout, (line) => this.lines.push(line));
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#messages += text;
    });
  }

  /** Starts a capture and waits until it receives. `args` go before the filter (`-Q`, `in`). */
  static async start(
    workspace: Workspace,
    {
      role,
      device,
      filter,
      args = [],
    }: {
      role: string;
      device: string;
      filter: string;
      args?: readonly string[];
    },
  ): Promise<Sniffer> {
    const fixed = ['tcpdump', '-i', device, '-nn', '-e', '-tt', '-l', '--immediate-mode'];
    const sniffer = new Sniffer(workspace, [...fixed, ...args, filter], role);
    await until('tcpdump listens', 5000, () => sniffer.#messages.includes('listening on'));
    return sniffer;
  }

  /** Lines that match. */
  matching(pattern: RegExp): string[] {
    return this.lines.filter((line) => pattern.test(line));
  }

  /** Waits for `count` lines that match, and returns them. */
  async waitFor(pattern: RegExp, withinMs: number, count = 1): Promise<string[]> {
    return await until(`${count} frames like ${pattern}`, withinMs, () => {
      const found = this.matching(pattern);
      return found.length >= count ? found : undefined;
    });
  }

  async stop(): Promise<void> {
    await this.#workspace.stop(this.#process);
  }
}

/** Captures frames: at the gateway's NIC, or at `port`. */
export async function sniff(
  host: TestHost,
  filter: string,
  port: { role?: string; device?: string; args?: readonly string[] } = {},
): Promise<Sniffer> {
  return await Sniffer.start(host.workspace, { role: 'gw', device: 'eth0', filter, ...port });
}

/** Captures frames at the switch port of each uplink, in their order. */
export async function sniffUplinks(
  host: TestHost,
  filter: string,
  args: readonly string[] = ['-Q', 'in'],
): Promise<Sniffer[]> {
  const ports = host.topology.uplinks.map((uplink) => host.topology.portOf(uplink));
  return await Promise.all(ports.map((port) => sniff(host, filter, { ...port, args })));
}
