/**
 * The host above a group: its kernel, as far as the group can see it. A station that holds the data
 * addresses and sits on the group's device.
 */

import { assert } from '../base/assert.ts';
import { ipv4Format, ipv4Parse, type Mac, prefixParse } from '../wire/addr.ts';
import type { Agenda } from './agenda.ts';
import { Station } from './lan/station.ts';
import { MemoryPort } from './memory-port.ts';

/** Between the forwarder's write and the kernel's receipt, and the other way, in milliseconds. */
const KERNEL_MS = 0.02;

/** An address as the host lists it. */
export interface ListedAddress {
  readonly address: string;
  readonly prefixLength: number;
  readonly family: 4 | 6;
}

/** The kernel of the host, with the group's device. */
export class SimHost {
  readonly mac: Mac;
  readonly mtu = 1500;
  readonly device = new MemoryPort();
  readonly station: Station;
  /** Whether the kernel forwards; nothing here depends on it. */
  forwards = true;
  /** Called when the list of addresses has changed. */
  onAddresses: (() => void) | undefined;
  readonly #agenda: Agenda;
  #unserved: ListedAddress[] = [];
  #hasDevice = false;

  constructor(mac: Mac, agenda: Agenda) {
    this.mac = mac;
    this.#agenda = agenda;
    this.station = new Station({
      name: 'host',
      mac,
      agenda,
      addresses: [],
      send: (frame) => {
        const copy = frame.slice();
        agenda.after(KERNEL_MS, () => {
          if (this.#hasDevice) this.device.deliver(copy);
        });
      },
    });
    this.device.onTransmit = (frame) => {
      this.#agenda.after(KERNEL_MS, () => this.station.handleFrame(frame));
    };
  }

  /** False while the group's device does not exist: what the host sends goes nowhere. */
  get hasDevice(): boolean {
    return this.#hasDevice;
  }

  /** The group's device appears, or goes; the kernel's neighbour entries go with it. */
  setDevice(isThere: boolean): void {
    this.#hasDevice = isThere;
    if (!isThere) this.station.arp.clear();
  }

  /** Adds an address such as `192.0.2.10/24`, as `ip addr add` does. */
  addAddress(text: string): void {
    const prefix = prefixParse(text);
    assert(prefix !== undefined, `${text} is no address with prefix length`);
    const { prefixLength } = prefix;
    const address = ipv4Parse(prefix.address);
    if (address === undefined) this.#unserved.push(prefix);
    else this.station.addresses.push({ address, prefixLength });
    this.onAddresses?.();
  }

  /** Removes an address, as `ip addr del` does; nothing happens if it is not there. */
  deleteAddress(text: string): void {
    const prefix = prefixParse(text);
    assert(prefix !== undefined, `${text} is no address with prefix length`);
    const gone = ipv4Parse(prefix.address);
    const { station } = this;
    station.addresses = station.addresses.filter(({ address }) => address !== gone);
    this.#unserved = this.#unserved.filter(({ address }) => address !== prefix.address);
    this.onAddresses?.();
  }

  /** All addresses of the group's device, as the host lists them. */
  listAddresses(): ListedAddress[] {
    const served = this.station.addresses.map(({ address, prefixLength }) => ({
      address: ipv4Format(address),
      prefixLength,
      family: 4 as const,
    }));
    return [...served, ...this.#unserved];
  }
}
