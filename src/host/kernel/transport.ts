/** Sockets and threads of the addon as what the rest of this folder expects. */

import { native } from '../../native/addon.ts';
import { CarrierWatch } from '../../native/carrier-watch.ts';
import { NetlinkSocket } from '../../native/notifications.ts';
import type { OpenCarrierWatch } from '../carrier.ts';
import type { OpenNotifications } from './bell.ts';
import type { NetlinkTransport, OpenTransport } from './netlink.ts';

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
