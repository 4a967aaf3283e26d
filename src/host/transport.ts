/** Sockets and threads of the addon as what the rest of this folder expects. */

import { CarrierWatch, NetlinkSocket } from '../datapath/native.ts';
import type { OpenCarrierWatch } from './carrier.ts';
import type { OpenTransport } from './netlink.ts';

/**
 * Room for what is not read yet: some 10,000 notifications. More would only delay the full dump
 * that makes them unnecessary.
 */
const RECEIVE_BUFFER_BYTES = 4 << 20;

/** A socket of the addon, on the main thread's event loop. */
export const openNativeTransport: OpenTransport = (protocol, groups, handlers) =>
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
