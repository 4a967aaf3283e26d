/**
 * The host above a group: its kernel, as far as the group can see it. A station of each family
 * that holds the data addresses and sits on the group's device.
 *
 * Of IPv6 the kernel does more by itself: it checks each new address, asks for routers once it has
 * a link-local one, makes addresses of their prefixes, and reports its multicast groups. All of
 * that comes out of the device; how an address fares is in the flags of the list.
 */

import { assert } from '../base/assert.ts';
import {
  IFA_F_DADFAILED,
  IFA_F_NODAD,
  IFA_F_PERMANENT,
  IFA_F_TENTATIVE,
} from '../model/address-flags.ts';
import {
  type IpAddress,
  ipFormat,
  ipIsLinkLocal,
  ipParse,
  type Mac,
  prefixParse,
} from '../wire/addr.ts';
import type { Agenda } from './agenda.ts';
import type { Address6, Address6State } from './lan/addresses6.ts';
import { Station } from './lan/station.ts';
import { Station6 } from './lan/station6.ts';
import { MemoryPort } from './memory-port.ts';

/** Between the forwarder's write and the kernel's receipt, and the other way, in milliseconds. */
const KERNEL_MS = 0.02;

/** An address as the host lists it. */
export interface ListedAddress {
  readonly address: string;
  readonly prefixLength: number;
  readonly family: 4 | 6;
  /** IFA_F_* bits. */
  readonly flags: number;
  /** RT_SCOPE_*. */
  readonly scope: number;
}

const FLAGS_OF_STATE: Readonly<Record<Address6State, number>> = {
  tentative: IFA_F_TENTATIVE,
  preferred: 0,
  duplicate: IFA_F_TENTATIVE | IFA_F_DADFAILED,
};
// From linux/rtnetlink.h.
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;

/** The kernel of the host, with the group's device. */
export class SimHost {
  readonly mac: Mac;
  readonly mtu = 1500;
  readonly device = new MemoryPort();
  readonly station: Station;
  readonly station6: Station6;
  /** Whether the kernel forwards; nothing here depends on it. */
  forwards = true;
  /** Called when the list of addresses has changed. */
  onAddresses: (() => void) | undefined;
  readonly #agenda: Agenda;
  #hasDevice = false;
  #hasAskedForRouters = false;

  constructor(mac: Mac, agenda: Agenda) {
    this.mac = mac;
    this.#agenda = agenda;
    const send = (frame: Uint8Array): void => {
      const copy = frame.slice();
      agenda.after(KERNEL_MS, () => {
        if (this.#hasDevice) this.device.deliver(copy);
      });
    };
    this.station = new Station({ name: 'host', mac, agenda, addresses: [], send });
    this.station6 = new Station6({ name: 'host', mac, agenda, send });
    this.station6.addresses.stop();
    this.station6.onAddresses = () => this.#addresses6Changed();
    this.device.onTransmit = (frame) => {
      this.#agenda.after(KERNEL_MS, () => {
        this.station.handleFrame(frame);
        this.station6.handleFrame(frame);
      });
    };
  }

  /** False while the group's device does not exist: what the host sends goes nowhere. */
  get hasDevice(): boolean {
    return this.#hasDevice;
  }

  /** The group's device appears, or goes; the kernel's neighbour entries go with it. */
  setDevice(isThere: boolean): void {
    this.#hasDevice = isThere;
    this.#hasAskedForRouters = false;
    if (isThere) {
      this.station6.addresses.start();
      return;
    }
    this.station.arp.clear();
    this.station6.discovery.clear();
    this.station6.addresses.stop();
  }

  /**
   * Adds an address such as `192.0.2.10/24` or `2001:db8::10/64`, as `ip addr add` does;
   * `isUnchecked` is its `nodad`.
   */
  addAddress(text: string, isUnchecked = false): void {
    const { address, prefixLength } = parse(text);
    if (typeof address === 'bigint') {
      this.station6.addAddress(address, prefixLength, isUnchecked);
      return;
    }
    this.station.addresses.push({ address, prefixLength });
    this.onAddresses?.();
  }

  /** Removes an address, as `ip addr del` does; nothing happens if it is not there. */
  deleteAddress(text: string): void {
    const { address: gone } = parse(text);
    if (typeof gone === 'bigint') {
      this.station6.addresses.delete(gone);
      return;
    }
    const { station } = this;
    station.addresses = station.addresses.filter(({ address }) => address !== gone);
    this.onAddresses?.();
  }

  /** True if the address, given without prefix length or with it, is one of the host's. */
  hasAddress(text: string): boolean {
    const address = ipParse(text.split('/')[0]!);
    if (typeof address === 'bigint') return this.station6.hasAddress(address);
    return address !== undefined && this.station.hasAddress(address);
  }

  /** All addresses of the group's device, as the host lists them. */
  listAddresses(): ListedAddress[] {
    const ofIpv4 = this.station.addresses.map(({ address, prefixLength }) => ({
      address: ipFormat(address),
      prefixLength,
      family: 4 as const,
      flags: IFA_F_PERMANENT,
      scope: RT_SCOPE_UNIVERSE,
    }));
    const ofIpv6 = this.station6.addresses.list.map((entry) => ({
      address: ipFormat(entry.address),
      prefixLength: entry.prefixLength,
      family: 6 as const,
      flags: flagsOf(entry),
      scope: ipIsLinkLocal(entry.address) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
    }));
    return [...ofIpv4, ...ofIpv6];
  }

  /** Routers are asked for once there is a link-local address to ask from (RFC 4861 6.3.7). */
  #addresses6Changed(): void {
    const { addresses, discovery } = this.station6;
    const hasLinkLocal = addresses.list.some(
      ({ address, state }) => state === 'preferred' && ipIsLinkLocal(address),
    );
    if (hasLinkLocal && !this.#hasAskedForRouters) {
      this.#hasAskedForRouters = true;
      discovery.solicitRouters();
    }
    this.onAddresses?.();
  }
}

function parse(text: string): { address: IpAddress; prefixLength: number } {
  const prefix = prefixParse(text);
  const address = prefix === undefined ? undefined : ipParse(prefix.address);
  assert(prefix !== undefined && address !== undefined, `${text} is no address with prefix length`);
  return { address, prefixLength: prefix.prefixLength };
}

function flagsOf({ state, isUnchecked, isAutomatic }: Address6): number {
  const made = (isUnchecked ? IFA_F_NODAD : 0) | (isAutomatic ? 0 : IFA_F_PERMANENT);
  return FLAGS_OF_STATE[state] | made;
}
