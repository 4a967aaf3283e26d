/** A host with the real daemon in a lab, for the namespace tests. */

import { deepEqual, equal } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { getJson } from '../../../src/lab/api.ts';
import {
  type ConfigurationOptions,
  configurationFor,
  GROUP,
} from '../../../src/lab/configuration.ts';
import { isServed, LabDaemon, socketOf } from '../../../src/lab/daemon-process.ts';
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
import type { KstatRow } from '../../tools/conservation.ts';
import { lossesOf } from './programs.ts';

/** The three ways in which NICs may lie below the daemon (contract 3). */
export const WIRINGS: readonly Wiring[] = ['macvtap', 'bridge', 'tap'];

/** Every cut and repair of a test counts: no NIC is kept out for flapping. */
export const UNDAMPED = { group: { 'flap-damping': 'off' } };

/** What the configuration of a host contains beyond the lab's own. */
export type Change = Omit<ConfigurationOptions, 'socket'>;

/** What a test needs of its host beyond the defaults. */
export interface HostOptions extends Partial<TopologyOptions>, Change {
  /** Runs after the network is built and before the daemon starts. */
  readonly prepare?: (topology: Topology) => Promise<void>;
  /** Variables of the daemon's environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The daemon is not expected to have a working group when it starts. */
  readonly isRaw?: boolean;
}

/** A reload's answer: `ipmpadm -j reload`. */
interface Reloaded {
  readonly changes: readonly string[];
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** A device of a kernel. */
interface LinkRow {
  readonly ifindex: number;
  readonly ifname: string;
  readonly address: string;
}

/** An address as `ip -j addr` has it. */
type AddressInfo = { readonly local: string; readonly prefixlen: number; readonly scope: string };

/** One neighbour as the host's kernel has it. */
export interface KernelNeighbor {
  readonly dst: string;
  readonly lladdr?: string;
  readonly state: readonly string[];
}

/** A part of a host. @throws Error while the host is not raised */
function raised<T>(part: T | undefined): T {
  if (part === undefined) throw new Error('the host is not raised yet');
  return part;
}

/** A lab with its daemon, and short forms of what tests do with them. */
export class TestHost {
  #workspace: Workspace | undefined;
  #topology: Topology | undefined;
  #daemon: LabDaemon | undefined;
  readonly #options: HostOptions;
  #isUp = false;

  private constructor(options: HostOptions) {
    this.#options = options;
  }

  get workspace(): Workspace {
    return raised(this.#workspace);
  }

  get topology(): Topology {
    return raised(this.#topology);
  }

  get daemon(): LabDaemon {
    return raised(this.#daemon);
  }

  /** Builds the lab, starts the daemon, waits until the group works. */
  static async raise(options: HostOptions = {}): Promise<TestHost> {
    const host = new TestHost(options);
    await host.#raise();
    return host;
  }

  /**
   * The host of a suite or a file: it is there from before the first test until after the last.
   * `ready` follows its start. (A file's own `before` would not wait: node runs those all at once.)
   */
  static ofSuite(options: HostOptions = {}, ready?: () => Promise<unknown>): TestHost {
    const host = new TestHost(options);
    before(async () => {
      await host.#raise();
      await ready?.();
    });
    after(() => host.lower());
    return host;
  }

  async #raise(): Promise<void> {
    this.#workspace = new Workspace();
    try {
      const { prepare, environment, isRaw } = this.#options;
      const wired = { wiring: 'macvtap', ...this.#options } as const;
      this.#topology = await Topology.build(this.workspace, wired);
      await prepare?.(this.topology);
      this.#daemon = await LabDaemon.start(this.workspace, this.configuration(), environment);
      if (!isRaw) await this.daemon.waitUntilOk();
      this.#isUp = true;
    } catch (error) {
      if (this.#daemon !== undefined) process.stderr.write(`${this.#logTail()}\n`);
      await this.workspace.close();
      throw error;
    }
  }

  /** Stops the daemon, which must end well and leave nothing, and removes the lab. */
  async lower(): Promise<void> {
    if (!this.#isUp) return;
    this.#isUp = false;
    try {
      const exit = await this.daemon.stop();
      if (exit !== 0) process.stderr.write(`${this.#logTail()}\n`);
      equal(exit, 0, 'exit status of ipmpd');
      deepEqual(await this.#leftInHost(), []);
    } finally {
      await this.workspace.close();
    }
  }

  /** The text of the configuration that the host was raised with, but for `change`. */
  configuration(change: Change = {}): string {
    const options = { ...this.#options, ...change, socket: socketOf(this.workspace) };
    return configurationFor(this.topology, options);
  }

  /** The interfaces and groups of such a configuration, by name. */
  configured(change: Change = {}): Record<'interfaces' | 'groups', Record<string, object>> {
    return JSON.parse(this.configuration(change));
  }

  /** Writes another configuration, or a text, into the daemon's file. */
  write(change: Change | string = {}): void {
    const text = typeof change === 'string' ? change : this.configuration(change);
    writeFileSync(join(this.workspace.folder, 'ipmpd.yaml'), text);
  }

  /** Reloads what was written, which the daemon must accept. */
  async reload(): Promise<Reloaded> {
    return JSON.parse(await this.adm('-j', 'reload'));
  }

  /** Stops the daemon and starts it with another configuration. */
  async restart(change: Change = {}): Promise<void> {
    equal(await this.daemon.stop(), 0);
    this.#daemon = await LabDaemon.start(this.workspace, this.configuration(change));
  }

  /** Runs `ipmpadm`, which must succeed; returns what it printed. */
  async adm(...words: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.daemon.ipmpadm(words);
    equal(status, 0, `ipmpadm ${words.join(' ')}: ${stderr}${stdout}`);
    return stdout;
  }

  /** The same as JSON: rows. */
  async admRows(...words: readonly string[]): Promise<Record<string, unknown>[]> {
    return [JSON.parse(await this.adm('-j', ...words))].flat();
  }

  async kstats(): Promise<KstatRow[]> {
    return (await getJson(this.daemon.socket, '/v1/kstats')) as KstatRow[];
  }

  async status(): Promise<{ readonly state: string; readonly problems: string[] }> {
    const status = await getJson(this.daemon.socket, '/v1/status');
    return status as { state: string; problems: string[] };
  }

  /** The end of the daemon's log, for a failing test. */
  #logTail(): string {
    return this.daemon.log.trimEnd().split('\n').slice(-60).join('\n');
  }

  /** Where frames were lost, as the daemon and the kernels count it: for a failing test. */
  async losses(): Promise<string> {
    const { stdout } = await this.daemon.ipmpadm(['kstat', '-p', 'ipmpd:0:*:*']);
    const ours = stdout.split('\n').filter((line) => /drop|lost/.test(line) && !/\t0$/.test(line));
    const kernels = ['host', 'gw'].map((role) => lossesOf(this.workspace, role));
    return [...ours, ...(await Promise.all(kernels))].join('\n');
  }

  /** What a stopped daemon should have removed: its group, what it made, its nft tables. */
  async #leftInHost(): Promise<string[]> {
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

  /** Runs a command in a namespace, whatever its exit status; returns both its outputs. */
  async attempt(role: string, argv: readonly string[]): Promise<string> {
    return await this.run(role, ['sh', '-c', '"$@" 2>&1 || true', '-', ...argv]);
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

  /** A neighbour as a kernel has it: the host's on the group's device, a gateway's on its NIC. */
  async kernelNeighbor(address: string, role = 'host'): Promise<KernelNeighbor | undefined> {
    const args = ['neigh', 'show', 'dev', role === 'host' ? GROUP : 'eth0', 'to', address];
    const [row] = (await this.ipJson(role, args)) as KernelNeighbor[];
    return row;
  }

  /** The addresses of global scope on a device of the host, with prefix length, sorted. */
  async addressesOn(device: string): Promise<string[]> {
    const rows = await this.ipJson('host', ['addr', 'show', 'dev', device]);
    const [{ addr_info } = { addr_info: [] }] = rows as { addr_info: AddressInfo[] }[];
    const found = addr_info.filter(({ scope }) => scope === 'global');
    return found.map((one) => `${one.local}/${one.prefixlen}`).sort();
  }

  /** Pings and returns how many of `count` were answered, and how many twice. */
  async ping(role: string, target: string, options: PingOptions = {}): Promise<PingResult> {
    const text = await pingText(this.workspace, role, target, options);
    return pingResult(text, options.count ?? PING_COUNT);
  }

  /** Three pings, each answered once. */
  async expectPing(role: string, target: string): Promise<void> {
    const answered = { answered: PING_COUNT, duplicates: 0 };
    deepEqual(await this.ping(role, target), answered, `ping of ${target} from ${role}`);
  }

  /** Pings both ways in each family: the gateway, and each data address. */
  async expectTraffic(): Promise<void> {
    for (const { gateways, data } of this.topology.lans) {
      await this.expectPing('host', gateways[0]);
      for (const address of data) await this.expectPing('gw', address);
    }
  }

  /** Waits until a ping is answered. */
  async waitForPing(role: string, target: string, withinMs = 10_000): Promise<void> {
    await until(`ping of ${target} from ${role}`, withinMs, async () => {
      return (await this.ping(role, target, { count: 1 })).answered === 1;
    });
  }

  /** An echo stream, from the host or another role, that already flows to a known neighbour. */
  async echo(target: string, options: { role?: string; perSecond?: number } = {}) {
    await this.waitForPing(options.role ?? 'host', target);
    const stream = await EchoStream.start(this.workspace, target, options);
    await until(`echo from ${target}`, 10_000, async () => (await stream.peek()).received > 20);
    return stream;
  }

  /** Waits for a member's state. */
  async waitForState(ifname: string, state: string, withinMs = 10_000): Promise<void> {
    await until(`${ifname} is ${state}`, withinMs, async () => {
      return (await this.daemon.interface(ifname)).state === state;
    });
  }

  /** Cuts an uplink and waits until its member has failed. */
  async fail(uplink: string): Promise<void> {
    await this.topology.cut(uplink);
    const at = this.topology.uplinks.indexOf(uplink);
    await this.waitForState(this.topology.members[at] ?? '', 'failed');
  }

  /** Waits for a member's link. */
  async waitForLink(ifname: string, link: string): Promise<void> {
    await until(`${ifname} is ${link}`, 10_000, async () => {
      return (await this.daemon.interface(ifname)).link === link;
    });
  }

  /** Waits for the state of an address; `up` is one that both daemon and kernel serve. */
  async waitForAddress(address: string, state = 'up', withinMs = 10_000): Promise<void> {
    await until(`${address} is ${state}`, withinMs, async () => {
      const row = await this.daemon.address(address);
      return row.state === state && (state !== 'up' || isServed(row));
    });
  }

  /** Waits until the daemon has no such address. */
  async waitUntilGone(address: string): Promise<void> {
    await until(`${address} is gone`, 10_000, async () => {
      return (await this.daemon.addresses()).every((row) => !row.address.startsWith(`${address}/`));
    });
  }

  /** Waits until the daemon and the kernel have this MTU for the group. */
  async waitForMtu(mtu: number): Promise<void> {
    await until(`the group has MTU ${mtu}`, 10_000, async () => {
      const text = await this.run('host', ['ip', 'link', 'show', 'dev', GROUP]);
      return text.includes(` mtu ${mtu} `) && (await this.daemon.group()).mtu === mtu;
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

/** A test with a host of its own. */
export function hostTest(
  title: string,
  options: HostOptions,
  body: (host: TestHost, t: TestContext) => Promise<void>,
): void {
  test(title, async (t) => {
    const host = await TestHost.raise(options);
    try {
      await body(host, t);
    } finally {
      await host.lower();
    }
  });
}

/** A suite for each of the wirings, on a host that has it. */
export function describeOn(
  wirings: readonly Wiring[],
  title: string,
  options: HostOptions,
  body: (host: TestHost, wiring: Wiring) => void,
): void {
  for (const wiring of wirings) {
    describe(`${title}, ${wiring}`, () => body(TestHost.ofSuite({ ...options, wiring }), wiring));
  }
}
