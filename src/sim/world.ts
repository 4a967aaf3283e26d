/**
 * The deterministic world: a host with one group over several NICs, two switches, stations, and
 * the real system with the real forwarder, all in virtual time.
 *
 * One step: the clock jumps to the earlier of the next happening in the world and the moment for
 * which the system has asked; what is due happens; then frames, decisions and requests go back and
 * forth until nothing is left to do at this moment; then the checkers look at the whole world.
 *
 *      next = min(agenda.nextAtMs, system.pollAt)
 *      agenda.advance(next) ─> system.handleTime(next) ─> settle ─> checkers
 *
 * A run depends on its options alone: the same seed gives the same transcript.
 */

import { assert } from '../base/assert.ts';
import type { Operation, Task } from '../base/operation.ts';
import { Rng } from '../base/rng.ts';
import { beginServing } from '../base/serving.ts';
import { System, type SystemEvent } from '../system.ts';
import { type Ipv4, type Ipv6, ipv4Parse, ipv6Parse } from '../wire/addr.ts';
import { frameDescribe } from '../wire/describe/describe.ts';
import { Agenda } from './agenda.ts';
import { SimDevices } from './devices.ts';
import { SimDrivers } from './drivers.ts';
import { SimHost } from './host.ts';
import { InlineDatapath } from './inline-datapath.ts';
import { Network, type Side } from './lan/network.ts';
import type { SimNic } from './lan/nic.ts';
import { Transcript } from './transcript.ts';

/** Name of the group of every world. */
export const GROUP = 'ipmp0';

/** Of the group's device; locally administered, as all MACs of the world. */
export const GROUP_MAC = 0x020000001000;

/** New devices have been taken by then. */
const SETTLED_MS = 1;
/** Rounds of give and take at one moment; more means that two sides answer each other for ever. */
const ROUNDS_MAX = 10_000;
/** Virtual time that an operation may take in `operate`. */
const OPERATION_MAX_MS = 60_000;

/** A NIC of the world's group. */
export interface NicSpec {
  readonly name: string;
  readonly side: Side;
  readonly standby?: boolean;
  readonly testAddresses?: readonly string[];
}

type Settings = Parameters<System['setGroup']>[1];

/** Settings of every group of the world, where its options have none. */
export const GROUP_DEFAULTS = {
  failureDetectionTimeMs: 1000,
  failback: true,
  flapDamping: null,
  neighbors: 1024,
  spreading: 'flow',
  forwarding: true,
  mtu: 'auto',
} as const;

export interface WorldOptions {
  readonly seed: number;
  readonly nics: readonly NicSpec[];
  /** Data addresses with prefix length. */
  readonly addresses: readonly string[];
  readonly settings?: Settings;
  /** Writes every frame into the transcript, not only events. */
  readonly showsFrames?: boolean;
  /** Which ready operation goes on next. */
  readonly choose?: (readyCount: number) => number;
}

/** Looks at the world after every step; throws when something is wrong. */
export type Checker = (world: SimWorld) => void;

/** A world; `SimWorld.create` brings its group up. */
export class SimWorld {
  readonly agenda = new Agenda();
  readonly transcript = new Transcript(this.agenda);
  readonly network: Network;
  readonly datapath: InlineDatapath;
  readonly system: System;
  readonly host: SimHost;
  readonly devices: SimDevices;
  readonly drivers: SimDrivers;
  readonly checkers: Checker[] = [];
  /** Every event since the beginning. */
  readonly events: SystemEvent[] = [];
  readonly rng: Rng;
  readonly options: WorldOptions;
  #stepsAtMoment = 0;

  private constructor(options: WorldOptions) {
    // All of a world is the main thread, but for code that is marked as another.
    beginServing();
    this.options = options;
    this.rng = new Rng(options.seed);
    this.network = new Network(this.agenda, this.rng.fork());
    this.datapath = new InlineDatapath(this.agenda);
    this.host = new SimHost(GROUP_MAC, this.agenda);
    const { agenda, datapath, host, network, rng } = this;
    const system = (): System => this.system;
    this.devices = new SimDevices({ agenda, datapath, host, network, rng, group: GROUP, system });
    this.drivers = new SimDrivers({
      agenda,
      rng: rng.fork(),
      hasDevice: (ifname) => this.nics.has(ifname),
      portCounters: (port) => datapath.portCounters(port),
    });
    const { choose } = options;
    this.system = new System({
      publication: this.datapath.publication,
      rng: this.rng.fork(),
      linkStatistics: (nic, ifname) => this.drivers.ask(nic, ifname),
      closeGroupDevice: (name) => this.devices.closeGroup(name),
      setGroupForwarding: (name, forwarding) => this.devices.setForwarding(name, forwarding),
      nowMs: this.agenda.nowMs,
      ...(choose === undefined ? {} : { choose }),
    });
    if (options.showsFrames === true) {
      this.network.taps.push((cable, from, frame) => {
        this.transcript.write(`${cable.name}.${from}`, frameDescribe(frame));
      });
    }
  }

  /** A world whose group is created and whose NICs are there; addresses are still being checked. */
  static create(options: WorldOptions): SimWorld {
    const world = new SimWorld(options);
    world.#build();
    return world;
  }

  /** Name of the group that has the host's device. */
  get groupName(): string {
    return GROUP;
  }

  /** The NICs that exist, by name. */
  get nics(): ReadonlyMap<string, SimNic> {
    return this.devices.nics;
  }

  /** Virtual monotonic milliseconds. */
  get nowMs(): number {
    return this.agenda.nowMs;
  }

  /** Goes on for `durationMs`. */
  runFor(durationMs: number): void {
    const endMs = this.nowMs + durationMs;
    while (this.#nextAtMs() <= endMs) this.step();
    this.#goTo(endMs);
  }

  /** Goes on until `condition` holds, for at most `limitMs`; answers whether it does. */
  runUntil(condition: () => boolean, limitMs: number): boolean {
    const endMs = this.nowMs + limitMs;
    while (!condition()) {
      if (this.#nextAtMs() > endMs) return false;
      this.step();
    }
    return true;
  }

  /** Jumps to the next moment at which something happens. */
  step(): void {
    const nextMs = this.#nextAtMs();
    assert(Number.isFinite(nextMs), 'nothing will ever happen any more');
    this.#stepsAtMoment = nextMs > this.nowMs ? 0 : this.#stepsAtMoment + 1;
    assert(this.#stepsAtMoment < ROUNDS_MAX, 'virtual time does not advance: work is always due');
    this.#goTo(Math.max(nextMs, this.nowMs));
  }

  /** Runs an operation of the system to its end; refusals come out as they are. */
  operate<T>(label: string, body: () => Operation<T>): T {
    return this.#finish(this.spawn(label, body));
  }

  /** Begins an operation of the system; the world must go on for it to end. */
  spawn<T>(label: string, body: () => Operation<T>): Task<T> {
    const task = this.system.scheduler.spawn(label, body);
    this.#settle();
    return task;
  }

  /** The NIC of that name. */
  nic(name: string): SimNic {
    const nic = this.nics.get(name);
    assert(nic !== undefined, `there is no NIC ${name}`);
    return nic;
  }

  /** Breaks the cable of a NIC: carrier is lost, and the watch reports it. */
  cut(name: string): void {
    this.transcript.write('world', `cut ${name}`);
    this.network.cables.get(name)?.cut();
  }

  /** Mends what was cut or silenced. */
  repair(name: string): void {
    this.transcript.write('world', `repair ${name}`);
    this.network.cables.get(name)?.heal();
    this.network.cables.get(name)?.repair();
  }

  /** Deletes the device of a NIC, as `ip link del` does. */
  removeDevice(name: string): void {
    this.transcript.write('world', `remove ${name}`);
    this.devices.removeNic(name);
  }

  /** Deletes the device of a NIC and makes another at the same switch. */
  replaceDevice(name: string): void {
    const side = this.network.sideOf(this.nic(name));
    this.removeDevice(name);
    this.addDevice(name, side);
  }

  /** Makes the device of a declared interface; it appears a moment later. */
  addDevice(name: string, side: Side): SimNic {
    this.transcript.write('world', `add ${name} at switch ${side}`);
    return this.devices.addNic(name, side);
  }

  /** Names an interface and makes its device. */
  plumbInterface(spec: NicSpec): Task<void> {
    const { name, side, standby, testAddresses } = spec;
    const fixed = { kind: 'tap' as const, uplink: null, bridge: null };
    const task = this.spawn(`plumb ${name}`, () =>
      this.system.createInterface({
        name,
        ...fixed,
        standby: standby ?? false,
        testAddresses: testAddresses ?? [],
      }),
    );
    if (task.state === 'done') this.addDevice(name, side);
    return task;
  }

  /** Forgets an interface, and then its device. */
  unplumbInterface(name: string): Task<void> {
    const task = this.spawn(`unplumb ${name}`, () => this.system.deleteInterface(name));
    task.onSettled(({ state }) => {
      if (state === 'done') this.devices.forgetNic(name);
    });
    return task;
  }

  /**
   * Makes a group; that of the host gets its device. Also after a refusal: a group to which
   * another task has given a member meanwhile stays.
   */
  plumbGroup(name: string, interfaces: readonly string[]): Task<void> {
    const spec = { name, interfaces, ...GROUP_DEFAULTS, ...this.options.settings };
    const task = this.spawn(`plumb ${name}`, () => this.system.createGroup(spec));
    task.onSettled(() => this.devices.attachGroup());
    return task;
  }

  /** The NIC to which `address` (dotted decimal) is bound in the system; null if none. */
  boundNic(address: string): string | null {
    const rows = this.system.describeAddresses();
    return rows.find((row) => row.address.startsWith(`${address}/`))?.inbound ?? null;
  }

  #build(): void {
    const { nics, addresses } = this.options;
    for (const spec of nics) this.#finish(this.plumbInterface(spec));
    this.runFor(SETTLED_MS);
    const names = nics.map(({ name }) => name);
    this.#finish(this.plumbGroup(GROUP, names));
    for (const address of addresses) this.host.addAddress(address);
    this.#settle();
  }

  #finish<T>(task: Task<T>): T {
    this.runUntil(() => task.state !== 'running', OPERATION_MAX_MS);
    if (task.state === 'failed') throw task.error;
    return task.value;
  }

  #goTo(nowMs: number): void {
    this.agenda.advance(nowMs);
    this.system.handleTime(nowMs);
    this.#settle();
  }

  #nextAtMs(): number {
    return Math.min(this.agenda.nextAtMs(), this.system.pollAt());
  }

  /** Gives and takes until nothing is left to do at this moment, then has the world checked. */
  #settle(): void {
    for (let rounds = 0; ; rounds++) {
      assert(rounds < ROUNDS_MAX, 'the world does not settle');
      this.system.scheduler.run();
      let moved = this.datapath.breathe();
      for (const { port, frame, atMs } of this.datapath.takePunts()) {
        this.system.handleFrame(port, frame, atMs);
        moved++;
      }
      moved += this.#takeDecisions();
      if (moved === 0) break;
    }
    for (const checker of this.checkers) checker(this);
  }

  #takeDecisions(): number {
    let taken = 0;
    for (;;) {
      const transmission = this.system.pollTransmit();
      if (transmission === undefined) break;
      this.datapath.inject(transmission.port, transmission.frame);
      taken++;
    }
    for (;;) {
      const request = this.system.pollHostRequest();
      if (request === undefined) break;
      if (request.kind === 'group-mtu') this.devices.setGroupMtu(request.group, request.mtu);
      taken++;
    }
    for (;;) {
      const event = this.system.pollEvent();
      if (event === undefined) break;
      this.events.push(event);
      this.transcript.write('event', describeEvent(event));
      taken++;
    }
    return taken;
  }
}

/** An event in one line, as `monitor` shows it. */
export function describeEvent(event: SystemEvent): string {
  const { ifname, group, from, to, cause, detail } = event;
  const who = ifname ?? group ?? '-';
  const change = from === null && to === null ? '' : ` ${from ?? '-'} -> ${to ?? '-'}`;
  return `${event.event} ${who}${change}${detail === null ? '' : ` (${detail})`}: ${cause}`;
}

/** An address of the world in dotted decimal, as a number. */
export function address(text: string): Ipv4 {
  const parsed = ipv4Parse(text);
  assert(parsed !== undefined, `${text} is no IPv4 address`);
  return parsed;
}

/** An IPv6 address of the world, as a value. */
export function address6(text: string): Ipv6 {
  const parsed = ipv6Parse(text);
  assert(parsed !== undefined, `${text} is no IPv6 address`);
  return parsed;
}
