/** A host with the real daemon in a lab, for the namespace tests. */

import { deepEqual, equal } from 'node:assert/strict';
import {
  type ConfigurationOptions,
  configurationFor,
  GROUP,
} from '../../../src/lab/configuration.ts';
import { LabDaemon, socketOf } from '../../../src/lab/daemon-process.ts';
import { EchoStream } from '../../../src/lab/measure/measure.ts';
import {
  PING_COUNT,
  type PingOptions,
  type PingResult,
  pingResult,
  pingText,
} from '../../../src/lab/measure/ping.ts';
import { Topology, type TopologyOptions, type Wiring } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { Workspace } from '../../../src/lab/workspace.ts';
import type { InterfaceRow } from '../../../src/model/rows.ts';

/** The three ways in which NICs may lie below the daemon (contract 3). */
export const WIRINGS: readonly Wiring[] = ['macvtap', 'bridge', 'tap'];

/** Threads of the daemon with a priority; others come and go, and have none of their own. */
export const DATAPATH_THREAD = /^ipmpd-(worker\d+|carrier|verify)$/;

/** What a test asks of its host beyond the defaults. */
export interface HostOptions
  extends Partial<TopologyOptions>,
    Omit<ConfigurationOptions, 'socket'> {
  /** Done after the network is built and before the daemon starts. */
  readonly prepare?: (topology: Topology) => Promise<void>;
  /** Variables of the daemon's environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Do not wait for a working group: the test wants to see how it begins. */
  readonly isRaw?: boolean;
}

/** What one side of a device says of itself. */
interface LinkRow {
  readonly ifindex: number;
  readonly ifname: string;
  readonly address: string;
}

/** One neighbour as the host's kernel has it. */
export interface KernelNeighbor {
  readonly dst: string;
  readonly lladdr?: string;
  readonly state: readonly string[];
}

/** A lab with its daemon, and short ways to ask what tests ask. */
export class TestHost {
  readonly workspace: Workspace;
  readonly topology: Topology;
  daemon: LabDaemon;

  private constructor(workspace: Workspace, topology: Topology, daemon: LabDaemon) {
    this.workspace = workspace;
    this.topology = topology;
    this.daemon = daemon;
  }

  /** Builds the lab, starts the daemon, waits until the group works. */
  static async raise(options: HostOptions = {}): Promise<TestHost> {
    const workspace = new Workspace();
    try {
      const topology = await Topology.build(workspace, { wiring: 'macvtap', ...options });
      await options.prepare?.(topology);
      const text = configurationFor(topology, { socket: socketOf(workspace), ...options });
      const daemon = await LabDaemon.start(workspace, text, options.environment);
      const host = new TestHost(workspace, topology, daemon);
      if (!options.isRaw) await host.#waitOrTell();
      return host;
    } catch (error) {
      await workspace.close();
      throw error;
    }
  }

  async #waitOrTell(): Promise<void> {
    try {
      await this.daemon.waitUntilOk();
    } catch (error) {
      process.stderr.write(`${this.logTail()}\n`);
      throw error;
    }
  }

  /** Stops the daemon, which must end well and leave nothing, and removes the lab. */
  async lower(): Promise<void> {
    try {
      const exit = await this.daemon.stop();
      if (exit !== 0) process.stderr.write(`${this.logTail()}\n`);
      equal(exit, 0, 'exit status of ipmpd');
      deepEqual(await this.leftInHost(), []);
    } finally {
      await this.workspace.close();
    }
  }

  /** The end of the daemon's log, for a failing test. */
  logTail(lines = 60): string {
    return this.daemon.log.trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** Where frames were lost, as the daemon and the kernels count it: for a failing test. */
  async losses(): Promise<string> {
    const { stdout } = await this.daemon.ipmpadm(['kstat', '-p', 'ipmpd:0:*:*']);
    const ours = stdout.split('\n').filter((line) => /drop|lost/.test(line) && !/\t0$/.test(line));
    const kernels = ['host', 'gw'].map(async (role) => {
      const counters = await this.run(role, [
        'sh',
        '-c',
        'nstat -asz | grep -E "Reasm|Drop|Discard|IcmpOutEchos|IcmpInEchoReps"',
      ]);
      const links = await this.run(role, ['ip', '-s', 'link']);
      return `${role}:\n${counters.replaceAll(/.* 0 +0\.0\n/g, '')}${links}`;
    });
    return [...ours, ...(await Promise.all(kernels))].join('\n');
  }

  /** What a stopped daemon should have removed: its group, what it made, its nft tables. */
  async leftInHost(): Promise<string[]> {
    const made = this.topology.options.wiring === 'tap' ? [] : this.topology.members;
    const devices = (await this.links('host')).map((row) => row.ifname);
    const tables = await this.run('host', ['nft', 'list', 'tables']);
    return [
      ...devices.filter((name) => name === GROUP || made.includes(name)),
      ...tables.split('\n').filter((line) => line.includes('ipmpd')),
    ];
  }

  /** Runs a command in a namespace and returns its standard output. @throws CommandError */
  async run(role: string, argv: readonly string[], input = ''): Promise<string> {
    return await this.workspace.runIn(role, argv, input);
  }

  /** Runs `ip -json` in a namespace. */
  async ipJson(role: string, args: readonly string[]): Promise<unknown> {
    const text = await this.run(role, ['ip', '-json', ...args]);
    return JSON.parse(text === '' ? '[]' : text);
  }

  async links(role: string): Promise<LinkRow[]> {
    return (await this.ipJson(role, ['link', 'show'])) as LinkRow[];
  }

  /** The MAC of a kernel device. */
  async macOf(role: string, device: string): Promise<string> {
    const row = (await this.links(role)).find((link) => link.ifname === device);
    if (row === undefined) throw new Error(`there is no ${device} in ${role}`);
    return row.address;
  }

  /** The MAC that a member shows on the wire. */
  async memberMac(ifname: string): Promise<string> {
    const { lladdr } = await this.daemon.interface(ifname);
    if (lladdr === null) throw new Error(`${ifname} has no MAC`);
    return lladdr;
  }

  /** What the host's kernel has for a neighbour on the group's device. */
  async kernelNeighbor(address: string): Promise<KernelNeighbor | undefined> {
    const args = ['neigh', 'show', 'dev', GROUP];
    const rows = (await this.ipJson('host', args)) as KernelNeighbor[];
    return rows.find((row) => row.dst === address);
  }

  /** Pings and returns how many of `count` were answered, and how many twice. */
  async ping(role: string, target: string, options: PingOptions = {}): Promise<PingResult> {
    const text = await pingText(this.workspace, role, target, options);
    return pingResult(text, options.count ?? PING_COUNT);
  }

  /** An echo stream from the host that already flows. */
  async echo(target: string): Promise<EchoStream> {
    const stream = await EchoStream.start(this.workspace, target);
    await until(`echo from ${target}`, 10_000, async () => (await stream.peek()).received > 20);
    return stream;
  }

  /** Waits for a member's state. */
  async waitForState(ifname: string, state: string, withinMs = 10_000): Promise<void> {
    await until(`${ifname} is ${state}`, withinMs, async () => {
      return (await this.daemon.interface(ifname)).state === state;
    });
  }

  /** The member that a data address is bound to. @throws Error while it is unbound */
  async boundTo(address: string): Promise<{ ifname: string; uplink: string }> {
    const { inbound } = await this.daemon.address(address);
    const index = this.topology.members.indexOf(inbound ?? '');
    if (inbound === null || index < 0) throw new Error(`${address} is bound to ${inbound}`);
    return { ifname: inbound, uplink: this.topology.uplinks[index] ?? '' };
  }

  /** Position of the member that broadcasts are taken from. @throws Error while there is none */
  async nominated(): Promise<number> {
    const rows = (await this.daemon.interfaces()) as (InterfaceRow & { nominated: boolean })[];
    const found = rows.find((row) => row.nominated);
    if (found === undefined) throw new Error('no member is nominated');
    return this.topology.members.indexOf(found.ifname);
  }
}
