/**
 * Multicast memberships of group devices, kept by the host's kernel: it tells the LAN of them
 * (IGMP) and takes in what is sent there. A membership lasts as long as a socket that holds it, so
 * there is one socket for each. It is bound to the multicast address, where nothing is ever sent
 * to its port: what comes for an application goes to the application's own socket.
 */

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { OperatorError } from '../base/errors.ts';
import { operatorErrorOf } from './attach.ts';
import type { HostAddress } from './records.ts';

/** The memberships of one device. */
export class Memberships {
  readonly #sockets = new Map<string, Socket>();

  /**
   * Joins `address` on `device`, which the kernel finds by one of its `addresses`: without an IPv4
   * address EADDRNOTAVAIL. Nothing if it is joined already.
   */
  async join(device: string, address: string, addresses: readonly HostAddress[]): Promise<void> {
    if (this.#sockets.has(address)) return;
    const local = addresses.find((one) => one.family === 4);
    if (local === undefined) {
      throw new OperatorError('EADDRNOTAVAIL', `${device} has no IPv4 address to join with`);
    }
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    try {
      socket.bind(0, address);
      await once(socket, 'listening');
      socket.addMembership(address, local.address);
    } catch (error) {
      socket.close();
      throw operatorErrorOf(error, `${device}: multicast ${address}`);
    }
    socket.on('error', () => undefined); // a datagram that cannot be read is not for us
    socket.unref();
    this.#sockets.set(address, socket);
  }

  /** Leaves `address`; nothing if it is not joined. */
  leave(address: string): void {
    this.#sockets.get(address)?.close();
    this.#sockets.delete(address);
  }

  /** Leaves all. */
  close(): void {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }
}
