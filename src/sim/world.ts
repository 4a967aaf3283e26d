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
import { OperatorError } from '../base/errors.ts';
import { external, type Operation, type Task } from '../base/operation.ts';
import { Rng } from '../base/rng.ts';
import type { LinkCounters } from '../stats/schema.ts';
import { System, type SystemEvent } from '../system.ts';
import { type Ipv4, ipv4Parse } from '../wire/addr.ts';
import { frameDescribe } from '../wire/describe.ts';
import { Agenda } from './agenda.ts';
import { SimHost } from './host.ts';
import { InlineDatapath } from './inline-datapath.ts';
import { Network, type Side } from './network.ts';
import type { SimNic } from './nic.ts';
import { Transcript } from './transcript.ts';

/** Name of the group of every world. */
export const GROUP = 'ipmp0';

/** Locally administered addresses of the world: the last byte tells who. */
export const GROUP_MAC = 0x020000001000;
const NIC_MAC = 0x020000002000;

/** The carrier watch looks once in this time, as the native one does. */
const WATCH_MS = 1;
/** From a kernel event to the control plane: an event loop that is not busy. */
const NOTICE_MS = 0.2;
/** What a driver takes to tell its counters. */
const DRIVER_MS = 0.3;
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
  readonly nics = new Map<string, SimNic>();
  readonly checkers: Checker[] = [];
  /** Every event since the beginning. */
  readonly events: SystemEvent[] = [];
  /** NICs whose driver does not answer when asked for its counters. */
  readonly silentDrivers = new Set<string>();
  readonly rng: Rng;
  readonly options: WorldOptions;
  #stepsAtMoment = 0;

  private constructor(options: WorldOptions) {
    this.options = options;
    this.rng = new Rng(options.seed);
    this.network = new Network(this.agenda, this.rng.fork());
    this.datapath = new InlineDatapath(this.agenda);
    this.host = new SimHost(GROUP_MAC, this.agenda);
    const { choose } = options;
    this.system = new System({
      publication: this.datapath.publication,
      rng: this.rng.fork(),
      linkStatistics: (nic, ifname) => this.#askDriver(nic, ifname),
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
    assert(this.#stepsAtMoment < ROUNDS_MAX, 'time stands still: somebody is always due');
    this.#goTo(Math.max(nextMs, this.nowMs));
  }

  /** Runs an operation of the system to its end; refusals come out as they are. */
  operate<T>(label: string, body: () => Operation<T>): T {
    const task = this.spawn(label, body);
    this.runUntil(() => task.state !== 'running', OPERATION_MAX_MS);
    if (task.state === 'failed') throw task.error;
    return task.value;
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

  /** Breaks the cable of a NIC: carrier is lost, and the watch sees it. */
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

  /** Takes the device of a NIC away, as `ip link del` does. */
  removeDevice(name: string): void {
    this.transcript.write('world', `remove ${name}`);
    const nic = this.nic(name);
    const port = this.system.nicOf(name);
    nic.onCarrier = undefined;
    nic.remove();
    this.nics.delete(name);
    this.network.cables.delete(name);
    if (port !== undefined) this.datapath.detach(port);
    this.agenda.after(NOTICE_MS, () => {
      const gone = { present: false, mac: 0, mtu: 0 };
      this.system.handleDevice(name, gone, this.nowMs);
    });
  }

  /** Makes the device of an interface that the system knows; it appears a moment later. */
  addDevice(name: string, side: Side): SimNic {
    const port = this.system.nicOf(name);
    assert(port !== undefined, `the system knows no interface ${name}`);
    const nic = this.network.addNic(name, NIC_MAC + port, side);
    this.nics.set(name, nic);
    this.datapath.setCarrier(port, nic.isUp);
    this.agenda.after(NOTICE_MS, () => {
      if (this.nics.get(name) !== nic) return;
      this.datapath.attach(port, nic.device);
      const { mac, isUp, carrierChanges } = nic;
      const link = isUp ? ('up' as const) : ('down' as const);
      this.system.handleDevice(name, { present: true, mac, mtu: 1500, link }, this.nowMs);
      this.system.handleLink(name, { link, changes: carrierChanges }, this.nowMs);
      nic.onCarrier = () => this.#watchCarrier(name, nic, port);
    });
    return nic;
  }

  /** The NIC to which `address` (dotted decimal) is bound, as the system says; null if none. */
  boundNic(address: string): string | null {
    const rows = this.system.describeAddresses();
    return rows.find((row) => row.address.startsWith(`${address}/`))?.inbound ?? null;
  }

  #build(): void {
    const { nics, addresses, settings } = this.options;
    for (const { name, standby, testAddresses } of nics) {
      const spec = { name, kind: 'tap' as const, uplink: null, bridge: null };
      const more = { standby: standby ?? false, testAddresses: testAddresses ?? [] };
      this.operate(`create ${name}`, () => this.system.createInterface({ ...spec, ...more }));
    }
    for (const { name, side } of nics) this.addDevice(name, side);
    this.runFor(NOTICE_MS);
    this.operate(`create ${GROUP}`, () =>
      this.system.createGroup({
        name: GROUP,
        interfaces: nics.map(({ name }) => name),
        failureDetectionTimeMs: 1000,
        failback: true,
        flapDamping: null,
        neighbors: 1024,
        spreading: 'flow',
        forwarding: true,
        mtu: 'auto',
        ...settings,
      }),
    );
    const port = this.system.groupPortOf(GROUP);
    assert(port !== undefined, `${GROUP} has a port`);
    this.datapath.attach(port, this.host.device);
    const { mac, mtu } = this.host;
    this.system.handleGroupDevice(GROUP, { present: true, mac, mtu }, this.nowMs);
    this.host.onAddresses = () => this.#listAddressesSoon();
    for (const address of addresses) this.host.addAddress(address);
    this.#settle();
  }

  #listAddressesSoon(): void {
    this.agenda.after(NOTICE_MS, () => {
      this.system.handleHostAddresses(GROUP, this.host.listAddresses(), this.nowMs);
    });
  }

  #watchCarrier(name: string, nic: SimNic, port: number): void {
    const delayMs = this.rng.uniform(0, WATCH_MS);
    this.agenda.after(delayMs, () => this.datapath.setCarrier(port, nic.isUp));
    this.agenda.after(delayMs + NOTICE_MS, () => {
      if (this.nics.get(name) !== nic) return;
      const link = nic.isUp ? ('up' as const) : ('down' as const);
      this.system.handleLink(name, { link, changes: nic.carrierChanges }, this.nowMs);
    });
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
      assert(rounds < ROUNDS_MAX, 'the world never comes to rest');
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
      const { mac } = this.host;
      const device = { present: true, mac, mtu: request.mtu };
      this.agenda.after(NOTICE_MS, () => {
        this.system.handleGroupDevice(GROUP, device, this.nowMs);
      });
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

  #askDriver(nic: number, ifname: string): Operation<LinkCounters> {
    return external<LinkCounters>(`driver of ${ifname}`, (settle) => {
      const answer = this.agenda.after(DRIVER_MS, () => {
        if (this.silentDrivers.has(ifname)) return;
        if (this.nics.has(ifname)) settle.resolve(this.#driverCounters(nic));
        else settle.reject(new OperatorError('ENODEV', `${ifname} is gone`));
      });
      return () => this.agenda.cancel(answer);
    });
  }

  #driverCounters(nic: number): LinkCounters {
    const counters = this.datapath.portCounters(nic);
    return {
      rbytes: counters.receiveBytes,
      obytes: counters.transmitBytes,
      ipackets: counters.receivePackets,
      opackets: counters.transmitPackets,
      ierrors: 0n,
      oerrors: counters.transmitErrors,
      multircv: counters.receiveMulticast,
      multixmt: counters.transmitMulticast,
      brdcstrcv: counters.receiveBroadcast,
      brdcstxmt: counters.transmitBroadcast,
    };
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
