/**
 * The devices of the host: NICs that come and go, and the group's own, each with what the daemon
 * does about it: it gives a device to the datapath and tells the system, in this order, and the
 * other way round when it takes one back.
 */

import { assert } from '../base/assert.ts';
import { external, type Operation } from '../base/operation.ts';
import type { Rng } from '../base/rng.ts';
import type { PortCounters } from '../datapath/counters.ts';
import type { System } from '../system.ts';
import type { Agenda } from './agenda.ts';
import type { SimHost } from './host.ts';
import type { InlineDatapath } from './inline-datapath.ts';
import type { Network, Side } from './network.ts';
import type { SimNic } from './nic.ts';

/** NICs have these MACs, by port. */
const NIC_MAC = 0x020000002000;

/** The carrier watch looks once in this time, as the native one does. */
const WATCH_MS = 1;
/** From a kernel event to the control plane: an event loop that is not busy. */
const NOTICE_MS = 0.2;

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
  /** How long the host takes to remove a group's device, at most. */
  closeMs = 0;
  readonly #ground: DeviceGround;
  /** Port of the group's device while the datapath has it. */
  #groupPort: number | undefined;

  constructor(ground: DeviceGround) {
    this.#ground = ground;
    ground.host.onAddresses = () => this.#tellAddressesSoon();
  }

  /** Makes the device of an interface that the system knows; it is taken a moment later. */
  addNic(name: string, side: Side): SimNic {
    const { agenda, network, datapath } = this.#ground;
    const port = this.#system.nicOf(name);
    assert(port !== undefined, `the system knows no interface ${name}`);
    const nic = network.addNic(name, NIC_MAC + port, side);
    this.nics.set(name, nic);
    datapath.setCarrier(port, nic.isUp);
    agenda.after(NOTICE_MS, () => {
      if (this.nics.get(name) === nic) this.#takeNic(name, nic, port);
    });
    return nic;
  }

  /** Takes the device of a NIC away, as `ip link del` does. */
  removeNic(name: string): void {
    const { agenda, datapath } = this.#ground;
    const port = this.#system.nicOf(name);
    this.#dropNic(name);
    if (port !== undefined) datapath.detach(port);
    agenda.after(NOTICE_MS, () => {
      const gone = { present: false, mac: 0, mtu: 0 };
      this.#system.handleDevice(name, gone, agenda.nowMs);
    });
  }

  /** The interface is forgotten; its device, if there is one, is given back. `port`: it was. */
  forgetNic(name: string, port: number): void {
    this.#ground.datapath.detach(port);
    if (this.nics.has(name)) this.#dropNic(name);
  }

  /** Takes the group's device, if the group is there and has none. */
  attachGroup(): void {
    const { agenda, datapath, group, host } = this.#ground;
    const port = this.#system.groupPortOf(group);
    if (port === undefined || this.#groupPort !== undefined) return;
    datapath.attach(port, host.device);
    host.hasDevice = true;
    this.#groupPort = port;
    const info = { present: true, mac: host.mac, mtu: host.mtu };
    this.#system.handleGroupDevice(group, info, agenda.nowMs);
    this.#tellAddressesSoon();
  }

  /** Gives the group's device back, as SystemOptions.closeGroupDevice. */
  *closeGroup(name: string): Operation<void> {
    const { agenda, datapath, group, host, rng } = this.#ground;
    yield* external<void>(`close the device of ${name}`, (settle) => {
      agenda.after(rng.uniform(0, this.closeMs), () => settle.resolve(undefined));
      return undefined;
    });
    if (name !== group || this.#groupPort === undefined) return;
    datapath.detach(this.#groupPort);
    host.hasDevice = false;
    this.#groupPort = undefined;
  }

  /** The host does what the system wants of a group's device. */
  setGroupMtu(name: string, mtu: number): void {
    const { agenda, host } = this.#ground;
    agenda.after(NOTICE_MS, () => {
      const device = { present: true, mac: host.mac, mtu };
      this.#system.handleGroupDevice(name, device, agenda.nowMs);
    });
  }

  get #system(): System {
    return this.#ground.system();
  }

  #takeNic(name: string, nic: SimNic, port: number): void {
    const { agenda, datapath } = this.#ground;
    this.countersBefore.set(nic, datapath.portCounters(port));
    datapath.attach(port, nic.device);
    const { mac, isUp, carrierChanges } = nic;
    const link = isUp ? ('up' as const) : ('down' as const);
    this.#system.handleDevice(name, { present: true, mac, mtu: 1500, link }, agenda.nowMs);
    this.#system.handleLink(name, { link, changes: carrierChanges }, agenda.nowMs);
    nic.onCarrier = () => this.#watchCarrier(name, nic, port);
  }

  #dropNic(name: string): void {
    const nic = this.nics.get(name);
    assert(nic !== undefined, `there is no NIC ${name}`);
    nic.onCarrier = undefined;
    nic.remove();
    this.nics.delete(name);
    this.countersBefore.delete(nic);
    this.#ground.network.cables.delete(name);
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
