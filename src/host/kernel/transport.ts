/**
 * Sockets and threads of the addon as what the rest of this folder expects; and the daemon's
 * sockets for requests, which log those that take long.
 */

import { OperatorError } from '../../base/errors.ts';
import { native, operatorErrorOf } from '../../native/addon.ts';
import { CarrierWatch } from '../../native/carrier-watch.ts';
import { NetlinkSocket } from '../../native/notifications.ts';
import type { Clock } from '../../process/clock.ts';
import { logLate } from '../../process/late.ts';
import type { HostLog } from '../../process/log.ts';
import type { OpenCarrierWatch } from '../carrier.ts';
import type { OpenNotifications } from './bell.ts';
import { NetlinkClient, type NetlinkTransport, type OpenTransport } from './netlink.ts';
import { NETLINK_NETFILTER, NETLINK_ROUTE } from './netlink-message.ts';

/**
 * Room for what is not read yet: some 10,000 notifications. More would only delay the full dump
 * that makes them unnecessary.
 */
const RECEIVE_BUFFER_BYTES = 4 << 20;

/** A socket of the addon for requests, each made on a thread of its own. */
export const openNativeTransport: OpenTransport = async (protocol) => {
  const { later } = native;
  const fd = await later.requestOpen(protocol, RECEIVE_BUFFER_BYTES);
  let isClosed = false;
  /** Requests under way, each with the descriptor in use: closing waits for them. */
  const pending = new Set<Promise<Buffer>>();
  const transport: NetlinkTransport = {
    async exchange(messages) {
      const exchange = later.requestExchange(fd, messages);
      pending.add(exchange);
      try {
        return await exchange;
      } finally {
        pending.delete(exchange);
      }
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      await Promise.allSettled(pending);
      await later.deviceClose(fd);
    },
  };
  return transport;
};

/** A socket of the addon for notifications, on the main thread's event loop. */
export const openNativeNotifications: OpenNotifications = (protocol, groups, handlers) =>
  new NetlinkSocket({
    protocol,
    groups,
    receiveBufferBytes: RECEIVE_BUFFER_BYTES,
    onMessages: (bytes) =>
      handlers.received(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
    onOverrun: () => handlers.overrun(),
  });

/** The carrier watch of the addon. */
export const openNativeCarrierWatch: OpenCarrierWatch = (words, wakeFds, onChange) =>
  new CarrierWatch(words, wakeFds, onChange);

/** What a socket is opened with. */
export interface ClientOptions {
  readonly open: OpenTransport;
  readonly clock: Clock;
  readonly log: HostLog;
}

/** For devices, addresses and routes. */
export function openRouting(options: ClientOptions): Promise<NetlinkClient> {
  return openClient(options, NETLINK_ROUTE);
}

/** A kernel without netfilter's socket has nothing that could be silenced by it. */
export async function openFiltering(options: ClientOptions): Promise<NetlinkClient | undefined> {
  try {
    return await openClient(options, NETLINK_NETFILTER);
  } catch (error) {
    const refusal = operatorErrorOf(error, 'netfilter');
    if (!(refusal instanceof OperatorError)) throw error;
    options.log.warn({ code: refusal.code }, `no nftables here: ${refusal.message}`);
    return undefined;
  }
}

function openClient({ open, clock, log }: ClientOptions, protocol: number): Promise<NetlinkClient> {
  return NetlinkClient.open(open, protocol, clock, (call) => logLate(log, call));
}
