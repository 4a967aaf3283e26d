/**
 * Multicast memberships of group devices, kept by the host's kernel: it reports them to the LAN
 * (IGMP, MLD) and takes in what is sent there. A membership lasts as long as a socket that holds
 * it, so there is one socket for each. It is bound to the multicast address, where nothing is ever
 * sent to its port: what comes for an application goes to the application's own socket. The device
 * is named by its index, so it needs no address.
 */

import { native, operatorErrorOf } from '../../native/addon.ts';

/** The memberships of one device. */
export class Memberships {
  /** Address -> descriptor of its socket. */
  readonly #sockets = new Map<string, number>();

  /** Joins `address` on the device with `ifindex`. Nothing if it is joined already. */
  async join(device: string, ifindex: number, address: string): Promise<void> {
    if (this.#sockets.has(address)) return;
    try {
      this.#sockets.set(address, await native.later.multicastJoin(address, ifindex));
    } catch (error) {
      throw operatorErrorOf(error, `${device}: multicast ${address}`);
    }
  }

  /** Leaves `address`; nothing if it is not joined. */
  async leave(address: string): Promise<void> {
    const fd = this.#sockets.get(address);
    if (fd === undefined) return;
    this.#sockets.delete(address);
    await native.later.deviceClose(fd);
  }

  /** Leaves all. */
  async close(): Promise<void> {
    await Promise.all([...this.#sockets.keys()].map((address) => this.leave(address)));
  }
}
