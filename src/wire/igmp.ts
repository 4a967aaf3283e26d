/**
 * IGMPv3: the general query (RFC 3376 4.1), which asks a host for all its memberships.
 *
 *    0       1       2       3       4
 *   +-------+-------+-------+-------+
 *   | 0x11  |maxresp|   checksum    |   maximum response time in tenths of a second
 *   +-------+-------+-------+-------+
 *   |      group address (0: all)   |
 *   +-------+-------+-------+-------+
 *   |s, qrv | qqic  |  sources (0)  |   robustness; the querier's interval in seconds
 *   +-------+-------+-------+-------+
 */

import { writeU16, writeU32 } from '../base/bytes.ts';
import { ipv4Parse, type Mac, macParse } from './addr.ts';
import { checksumAdd, checksumComplement } from './checksum.ts';
import { ETHERNET_HEADER_LENGTH, ETHERTYPE_IPV4, ethernetEmit } from './ethernet.ts';
import { IPV4_HEADER_LENGTH_MIN, IPV4_PROTOCOL_IGMP, ipv4HeaderEmit } from './ipv4.ts';

// From RFC 3376.

const TYPE_QUERY = 0x11;
const CHECKSUM = 2;
const GROUP = 4;
const QUERY_LENGTH = 12;

/** Router alert (RFC 2113), which IGMP messages carry (RFC 3376 4). */
const ROUTER_ALERT = Uint8Array.of(148, 4, 0, 0);
/** Internetwork control (RFC 3376 4). */
const TYPE_OF_SERVICE = 0xc0;

/** All systems of the subnet. */
const ALL_SYSTEMS = ipv4Parse('224.0.0.1') ?? 0;
const MAC_ALL_SYSTEMS = macParse('01:00:5e:00:00:01') ?? 0;

/**
 * A new frame with a general query of `source`, to be answered at once. Its sender address is
 * 0.0.0.0, so it takes part in no election of queriers (RFC 4541 2.1.1). It names neither a
 * robustness nor an interval: the host's own settings apply (RFC 3376 4.1.6, 4.1.7).
 */
export function igmpQueryFrame(source: Mac): Uint8Array {
  const headerLength = IPV4_HEADER_LENGTH_MIN + ROUTER_ALERT.length;
  const at = ETHERNET_HEADER_LENGTH + headerLength;
  const frame = new Uint8Array(at + QUERY_LENGTH);
  ethernetEmit(frame, 0, { destination: MAC_ALL_SYSTEMS, source, type: ETHERTYPE_IPV4 });
  ipv4HeaderEmit(frame, ETHERNET_HEADER_LENGTH, {
    typeOfService: TYPE_OF_SERVICE,
    totalLength: headerLength + QUERY_LENGTH,
    identification: 0,
    fragment: 0,
    timeToLive: 1,
    protocol: IPV4_PROTOCOL_IGMP,
    source: 0,
    destination: ALL_SYSTEMS,
    options: ROUTER_ALERT,
  });
  frame[at] = TYPE_QUERY;
  writeU32(frame, at + GROUP, 0);
  const check = checksumComplement(checksumAdd(0, frame, at, QUERY_LENGTH));
  writeU16(frame, at + CHECKSUM, check);
  return frame;
}
