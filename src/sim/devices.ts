/**
 * The devices of the host: NICs that come and go, and the group's own, each with what the daemon
 * does about it: it gives a device to the datapath and tells the system, in this order, and the
 * other way round when it takes one back.
 */

import { assert } from '../base/assert.ts';
import { OperatorError } from '../base/errors.ts';
import { external, type Operation } from '../base/operation.ts';
import type { Rng } from '../base/rng.ts';
import type { PortCounters } from '../datapath/counters.ts';
import type { System } from '../system.ts';
import type { Agenda } from './agenda.ts';
import type { SimHost } from './host.ts';
import type { InlineDatapath } from './inline-datapath.ts';
import type { Network, Side } from './lan/network.ts';
import type { SimNic } from './lan/nic.ts';

/** NICs have these MACs, by port. */
const NIC_MAC = 0x020000002000;

/** The carrier watch looks once in this time, as the native one does. */
const WATCH_MS = 1;
/** From a kernel event to the control plane: an event loop that is not busy. */
const NOTICE_MS = 0.2;
/** From the notice of a device to its being the datapath's: it is opened and prepared. */
const OPEN_MS = 0.5;

/** What the devices need of their world. */
export interface DeviceGround {
  readonly agenda: Agenda;
  readonly rng: Rng;
  readonly network: Network;
  readonly datapath: InlineDatapath;
  readonly host: SimHost;
  /** Name of the group that the host's device belongs to. */
  readonly group: string;
  system(): System;
}

/** All devices of the host. */
export class SimDevices {
  readonly nics = new Map<string, SimNic>();
  /** What a NIC's port had counted when the NIC got it. */
  readonly countersBefore = new Map<SimNic, PortCounters>();
  /** How long the host takes to do what is asked of it, at most. */
  answerMs = 0;
  /** What an answer of the host takes, instead of a part of `answerMs`. */
  delayMs: ((what: string) => number) | undefined;
  /** Whether the host refuses what it may refuse. */
  refuses = false;
  readonly #ground: DeviceGround;
  /** Port of each NIC that the datapath has. */
  readonly #portOfNic = new Map<SimNic, number>();
  /** Port of the group's device while the datapath has it. */
  #groupPort: number | undefined;

  constructor(ground: DeviceGround) {
    this.#ground = ground;
    ground.host.onAddresses = () => this.#tellAddressesSoon();
  }

  /**
   * Makes the device of a declared interface; it is taken a moment later. A device
   * of that name that is there already goes.
   */
  addNic(name: string, side: Side): SimNic {
    const { agenda, network, datapath } = this.#ground;
    const port = this.#system.nicOf(name);
    assert(port !== undefined, `the system knows no interface ${name}`);
    if (this.nics.has(name)) this.#dropNic(name);
    const nic = network.addNic(name, NIC_MAC + port, side);
    this.nics.set(name, nic);
    datapath.setCarrier(port, nic.isUp);
    agenda.after(NOTICE_MS + OPEN_MS, () => {
      const isWanted = this.nics.get(name) === nic && this.#system.nicOf(name) === port;
      if (isWanted) this.#takeNic(name, nic, port);
    });
    return nic;
  }

  /** Deletes the device of a NIC, as `ip link del` does. */
  removeNic(name: string): void {
    const { agenda } = this.#ground;
    this.#dropNic(name);
    agenda.after(NOTICE_MS, () => {
      const gone = { present: false, mac: 0, mtu: 0 };
      this.#system.handleDevice(name, gone, agenda.nowMs);
    });
  }

  /**
   * The interface is forgotten; its device, if there is one, is given back. Nothing to do if there
   * is an interface of that name again: then the device is its.
   */
  forgetNic(name: string): void {
    if (this.#system.nicOf(name) === undefined && this.nics.has(name)) this.#dropNic(name);
  }

  /** Takes the group's device, if the group is there and has none. */
  attachGroup(): void {
    const { agenda, datapath, group, host } = this.#ground;
    const port = this.#system.groupPortOf(group);
    if (port === undefined || this.#groupPort !== undefined) return;
    datapath.attach(port, host.device);
    host.setDevice(true);
    this.#groupPort = port;
    const info = { present: true, mac: host.mac, mtu: host.mtu, up: true };
    this.#system.handleGroupDevice(group, info, agenda.nowMs);
    this.#tellAddressesSoon();
  }

  /** Gives the group's device back, as SystemOptions.closeGroupDevice. */
  *closeGroup(name: string): Operation<void> {
    const { datapath, group, host } = this.#ground;
    yield* this.#answer(`close the device of ${name}`);
    if (name !== group || this.#groupPort === undefined) return;
    datapath.detach(this.#groupPort);
    host.setDevice(false);
    this.#groupPort = undefined;
  }

  /** Has the host's kernel forward or not, as SystemOptions.setGroupForwarding. */
  *setForwarding(name: string, forwarding: boolean): Operation<void> {
    const what = `forwarding of ${name}: ${forwarding}`;
    yield* this.#answer(what);
    if (this.refuses) throw new OperatorError('EIO', `${what} is refused`);
    if (name === this.#ground.group) this.#ground.host.forwards = forwarding;
  }

  /** Does to a group's device what the system asks of the host. */
  setGroupMtu(name: string, mtu: number): void {
    const { agenda, host } = this.#ground;
    agenda.after(NOTICE_MS, () => {
      const device = { present: true, mac: host.mac, mtu, up: true };
      this.#system.handleGroupDevice(name, device, agenda.nowMs);
    });
  }

  get #system(): System {
    return this.#ground.system();
  }

  /** Waits as long as the host takes. */
  *#answer(what: string): Operation<void> {
    const { agenda, rng } = this.#ground;
    const delayMs = this.delayMs?.(what) ?? (this.answerMs && rng.uniform(0, this.answerMs));
    if (delayMs === 0) return;
    yield* external<void>(what, (settle) => {
      agenda.after(delayMs, () => settle.resolve(undefined));
      return undefined;
    });
  }

  #takeNic(name: string, nic: SimNic, port: number): void {
    const { agenda, datapath } = this.#ground;
    this.countersBefore.set(nic, datapath.portCounters(port));
    datapath.attach(port, nic.device);
    this.#portOfNic.set(nic, port);
    const { mac, isUp, carrierChanges } = nic;
    const link = isUp ? ('up' as const) : ('down' as const);
    this.#system.handleDevice(name, { present: true, mac, mtu: 1500, link }, agenda.nowMs);
    this.#system.handleLink(name, { link, changes: carrierChanges }, agenda.nowMs);
    nic.onCarrier = () => this.#watchCarrier(name, nic, port);
  }

  #dropNic(name: string): void {
    const nic = this.nics.get(name);
    assert(nic !== undefined, `there is no NIC ${name}`);
    const port = this.#portOfNic.get(nic);
    if (port !== undefined) this.#ground.datapath.detach(port);
    this.#portOfNic.delete(nic);
    nic.onCarrier = undefined;
    this.#ground.network.removeNic(nic);
    this.nics.delete(name);
    this.countersBefore.delete(nic);
  }

  #tellAddressesSoon(): void {
    const { agenda, group, host } = this.#ground;
    agenda.after(NOTICE_MS, () => {
      this.#system.handleHostAddresses(group, host.listAddresses(), agenda.nowMs);
    });
  }

  #watchCarrier(name: string, nic: SimNic, port: number): void {
    const { agenda, datapath, rng } = this.#ground;
    const delayMs = rng.uniform(0, WATCH_MS);
    const isThere = (): boolean => this.nics.get(name) === nic;
    agenda.after(delayMs, () => {
      if (isThere()) datapath.setCarrier(port, nic.isUp);
    });
    agenda.after(delayMs + NOTICE_MS, () => {
      if (!isThere()) return;
      const link = nic.isUp ? ('up' as const) : ('down' as const);
      this.#system.handleLink(name, { link, changes: nic.carrierChanges }, agenda.nowMs);
    });
  }
}
