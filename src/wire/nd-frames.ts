/**
 * Frames of neighbour discovery that the stack sends: neighbour solicitations and advertisements,
 * and router solicitations (RFC 4861 4.1, 4.3, 4.4). The stack is no router: advertisements of
 * routers are passed on with another sender's MAC, or without one, and redirects are not sent. Each
 * is a new frame with its checksum and hop limit 255.
 */

import { writeU16 } from '../base/bytes.ts';
import { IPV6_ADDRESS_LENGTH, ipv6Write, type Mac, macWrite } from './addr.ts';
import { ETHERNET_HEADER_LENGTH, ETHERTYPE_IPV6, ethernetEmit } from './ethernet.ts';
import { ICMP_HEADER_LENGTH } from './icmp.ts';
import {
  ICMPV6_NEIGHBOR_ADVERTISEMENT,
  ICMPV6_NEIGHBOR_SOLICITATION,
  ICMPV6_ROUTER_SOLICITATION,
  icmpv6FillChecksum,
} from './icmpv6.ts';
import {
  IPV6_HEADER_LENGTH,
  IPV6_PROTOCOL_ICMP,
  ipv6HeaderEmit,
  ipv6SetPayloadLength,
  ipv6TotalLength,
} from './ipv6.ts';
import {
  ND_FLAG_OVERRIDE,
  ND_FLAG_ROUTER,
  ND_FLAG_SOLICITED,
  ND_FLAGS,
  ND_HOP_LIMIT,
  ND_OPTION_NONCE,
  ND_OPTION_SOURCE_MAC,
  ND_OPTION_TARGET_MAC,
  ND_OPTION_UNIT,
  ND_TARGET,
  type NdAdvertisement,
  type NdEnds,
  type NdRouterSolicitation,
  type NdSolicitation,
  ndOptionPlaces,
} from './nd.ts';

const HEADER = ETHERNET_HEADER_LENGTH;
const MESSAGE = HEADER + IPV6_HEADER_LENGTH;

/** Head of the neighbour messages: that of ICMP and the target. */
const NEIGHBOR_LENGTH = ICMP_HEADER_LENGTH + IPV6_ADDRESS_LENGTH;

/** An option of one unit: its type and six bytes, a MAC or a nonce; undefined: left out. */
type Option = readonly [type: number, value: Mac | bigint | undefined];

/** A new frame with the question `message` from `source` to `destination`. */
export function ndSolicitationFrame(
  destination: Mac,
  source: Mac,
  message: NdSolicitation,
): Uint8Array {
  const type = ICMPV6_NEIGHBOR_SOLICITATION;
  const frame = begin(destination, source, message, type, NEIGHBOR_LENGTH, [
    [ND_OPTION_SOURCE_MAC, message.sourceMac],
    [ND_OPTION_NONCE, message.nonce],
  ]);
  ipv6Write(frame, HEADER + ND_TARGET, message.target);
  return finish(frame);
}

/** A new frame with the answer or announcement `message` from `source` to `destination`. */
export function ndAdvertisementFrame(
  destination: Mac,
  source: Mac,
  message: NdAdvertisement,
): Uint8Array {
  const type = ICMPV6_NEIGHBOR_ADVERTISEMENT;
  const frame = begin(destination, source, message, type, NEIGHBOR_LENGTH, [
    [ND_OPTION_TARGET_MAC, message.targetMac],
  ]);
  frame[HEADER + ND_FLAGS] =
    (message.isRouter ? ND_FLAG_ROUTER : 0) |
    (message.isSolicited ? ND_FLAG_SOLICITED : 0) |
    (message.isOverride ? ND_FLAG_OVERRIDE : 0);
  ipv6Write(frame, HEADER + ND_TARGET, message.target);
  return finish(frame);
}

/** A new frame that asks routers to advertise themselves, from `source` to `destination`. */
export function ndRouterSolicitationFrame(
  destination: Mac,
  source: Mac,
  message: NdRouterSolicitation,
): Uint8Array {
  const type = ICMPV6_ROUTER_SOLICITATION;
  return finish(
    begin(destination, source, message, type, ICMP_HEADER_LENGTH, [
      [ND_OPTION_SOURCE_MAC, message.sourceMac],
    ]),
  );
}

/**
 * A copy of a frame with a message that a gate took, from `source` to `destination`, in which the
 * sender's MAC is `sourceMac`, or is left out.
 */
export function ndFrameWithSourceMac(
  frame: Uint8Array,
  { destination, source }: { readonly destination: Mac; readonly source: Mac },
  sourceMac: Mac | undefined,
): Uint8Array {
  const options = [...ndOptionPlaces(frame, HEADER)];
  const kept = options.filter(([place]) => frame[place] !== ND_OPTION_SOURCE_MAC);
  const packetEnd = HEADER + ipv6TotalLength(frame, HEADER);
  const optionsAt = options[0]?.[0] ?? packetEnd;
  const keptLength = kept.reduce((sum, [, length]) => sum + length, 0);
  const copy = new Uint8Array(
    optionsAt + keptLength + (sourceMac === undefined ? 0 : ND_OPTION_UNIT),
  );
  copy.set(frame.subarray(0, optionsAt));
  let end = optionsAt;
  for (const [place, length] of kept) {
    copy.set(frame.subarray(place, place + length), end);
    end += length;
  }
  if (sourceMac !== undefined) {
    writeU16(copy, end, (ND_OPTION_SOURCE_MAC << 8) | 1);
    macWrite(copy, end + 2, sourceMac);
  }
  ethernetEmit(copy, 0, { destination, source, type: ETHERTYPE_IPV6 });
  ipv6SetPayloadLength(copy, HEADER, copy.length - MESSAGE);
  return finish(copy);
}

/** A frame of zeros but for its headers, its type and the options behind `headLength` bytes. */
function begin(
  destination: Mac,
  source: Mac,
  ends: NdEnds,
  type: number,
  headLength: number,
  options: readonly Option[],
): Uint8Array {
  const given = options.filter(([, value]) => value !== undefined);
  const payloadLength = headLength + given.length * ND_OPTION_UNIT;
  const frame = new Uint8Array(MESSAGE + payloadLength);
  ethernetEmit(frame, 0, { destination, source, type: ETHERTYPE_IPV6 });
  ipv6HeaderEmit(frame, HEADER, {
    trafficClass: 0,
    flowLabel: 0,
    payloadLength,
    nextHeader: IPV6_PROTOCOL_ICMP,
    hopLimit: ND_HOP_LIMIT,
    source: ends.source,
    destination: ends.destination,
  });
  writeU16(frame, MESSAGE, type << 8);
  for (const [index, [option, value = 0]] of given.entries()) {
    const place = MESSAGE + headLength + index * ND_OPTION_UNIT;
    writeU16(frame, place, (option << 8) | 1);
    macWrite(frame, place + 2, Number(value));
  }
  return frame;
}

function finish(frame: Uint8Array): Uint8Array {
  icmpv6FillChecksum(frame, MESSAGE, frame.length - MESSAGE, HEADER);
  return frame;
}
