/**
 * Echo requests and their answers, one codec a family: what icmp.ts asks of a frame, and the frame
 * that it sends. All of an answer is made anew but its data, so neither options nor extension
 * headers of a request come back.
 *
 * The traffic class is that of the request, as in Linux, so a probe of a class is answered in it.
 * The flow label is 0, none. Linux computes one from addresses and protocol alone, and reflects
 * that of the request only on demand (flowlabel_reflect), so a label would give routers nothing.
 */

import type { DropReason } from '../stats/drop-reasons.ts';
import type { IpAddress } from '../wire/addr.ts';
import {
  ETHERNET_HEADER_LENGTH,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ethernetDestination,
  ethernetEmit,
  ethernetSource,
} from '../wire/ethernet.ts';
import {
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  icmpCode,
  icmpEmit,
  icmpIsValid,
  icmpParse,
  icmpType,
  icmpVerifyChecksum,
} from '../wire/icmp.ts';
import {
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  icmpv6Emit,
  icmpv6VerifyChecksum,
} from '../wire/icmpv6.ts';
import {
  IPV4_DONT_FRAGMENT,
  IPV4_HEADER_LENGTH_MIN,
  IPV4_PROTOCOL_ICMP,
  ipv4Destination,
  ipv4HeaderEmit,
  ipv4HeaderLength,
  ipv4IsFragment,
  ipv4IsValid,
  ipv4Options,
  ipv4Protocol,
  ipv4Source,
  ipv4TotalLength,
  ipv4TypeOfService,
  ipv4VerifyChecksum,
} from '../wire/ipv4.ts';
import {
  IPV6_HEADER_LENGTH,
  IPV6_PROTOCOL_ICMP,
  ipv6Destination,
  ipv6HeaderEmit,
  ipv6IsValid,
  ipv6Source,
  ipv6TotalLength,
  ipv6TrafficClass,
  ipv6Walk,
  ipv6WalkCreate,
} from '../wire/ipv6.ts';
import { ipv6ExtensionsAreIdle } from '../wire/ipv6-options.ts';

/** Of our replies: the default of RFC 1700, and that of Linux for both families. */
const HOP_LIMIT = 64;

const IP = ETHERNET_HEADER_LENGTH;

/** What one family does its own way. */
export interface EchoCodec {
  /** Why the header cannot be read; the functions below are safe behind `undefined`. */
  headerRefusal(frame: Uint8Array): DropReason | undefined;
  source(frame: Uint8Array): IpAddress;
  destination(frame: Uint8Array): IpAddress;
  /** Why it is no whole echo request without anything that steers it. */
  requestRefusal(frame: Uint8Array): DropReason | undefined;
  /** The answer to a request that was not refused, addresses exchanged, to the MAC that asked. */
  reply(request: Uint8Array): Uint8Array;
}

/** RFC 792. */
const echoIpv4: EchoCodec = {
  headerRefusal: (frame) =>
    ipv4IsValid(frame, IP, frame.length - IP) ? undefined : 'bad_ipv4_header',
  source: (frame) => ipv4Source(frame, IP),
  destination: (frame) => ipv4Destination(frame, IP),
  requestRefusal(frame) {
    if (!ipv4VerifyChecksum(frame, IP)) return 'local_checksum';
    const options = ipv4Options(frame, IP);
    if (options === 'source-route') return 'source_route';
    if (options === 'malformed') return 'bad_ipv4_header';
    if (ipv4IsFragment(frame, IP)) return 'local_fragment';
    if (ipv4Protocol(frame, IP) !== IPV4_PROTOCOL_ICMP) return 'local_protocol';
    const offset = IP + ipv4HeaderLength(frame, IP);
    const length = IP + ipv4TotalLength(frame, IP) - offset;
    if (!isRequest(frame, offset, length, ICMP_ECHO_REQUEST)) return 'local_protocol';
    return icmpVerifyChecksum(frame, offset, length) ? undefined : 'local_checksum';
  },
  reply(request) {
    const offset = IP + ipv4HeaderLength(request, IP);
    const length = IP + ipv4TotalLength(request, IP) - offset;
    const frame = replyBegin(request, IPV4_HEADER_LENGTH_MIN + length, ETHERTYPE_IPV4);
    ipv4HeaderEmit(frame, IP, {
      typeOfService: ipv4TypeOfService(request, IP),
      totalLength: IPV4_HEADER_LENGTH_MIN + length,
      identification: 0, // RFC 6864: an atomic datagram needs none
      fragment: IPV4_DONT_FRAGMENT,
      timeToLive: HOP_LIMIT,
      protocol: IPV4_PROTOCOL_ICMP,
      source: ipv4Destination(request, IP),
      destination: ipv4Source(request, IP),
      options: new Uint8Array(0),
    });
    const message = icmpParse(request, offset, length);
    icmpEmit(frame, IP + IPV4_HEADER_LENGTH_MIN, { ...message, type: ICMP_ECHO_REPLY });
    return frame;
  },
};

/** One walk at a time: nothing keeps it. */
const walk = ipv6WalkCreate();

/** RFC 4443 4.1, 4.2. */
const echoIpv6: EchoCodec = {
  headerRefusal: (frame) =>
    ipv6IsValid(frame, IP, frame.length - IP) ? undefined : 'bad_ipv6_header',
  source: (frame) => ipv6Source(frame, IP),
  destination: (frame) => ipv6Destination(frame, IP),
  requestRefusal(frame) {
    if (!ipv6Walk(frame, IP, walk)) return 'bad_ipv6_header';
    if (walk.hasSourceRoute) return 'source_route';
    if (walk.isFragment) return 'local_fragment';
    const { offset } = walk;
    if (walk.protocol !== IPV6_PROTOCOL_ICMP) return 'local_protocol';
    if (!ipv6ExtensionsAreIdle(frame, IP, offset)) return 'local_protocol';
    const length = IP + ipv6TotalLength(frame, IP) - offset;
    if (!isRequest(frame, offset, length, ICMPV6_ECHO_REQUEST)) return 'local_protocol';
    return icmpv6VerifyChecksum(frame, offset, length, IP) ? undefined : 'local_checksum';
  },
  reply(request) {
    ipv6Walk(request, IP, walk);
    const { offset } = walk;
    const length = IP + ipv6TotalLength(request, IP) - offset;
    const frame = replyBegin(request, IPV6_HEADER_LENGTH + length, ETHERTYPE_IPV6);
    ipv6HeaderEmit(frame, IP, {
      trafficClass: ipv6TrafficClass(request, IP),
      flowLabel: 0,
      payloadLength: length,
      nextHeader: IPV6_PROTOCOL_ICMP,
      hopLimit: HOP_LIMIT,
      source: ipv6Destination(request, IP),
      destination: ipv6Source(request, IP),
    });
    const message = { ...icmpParse(request, offset, length), type: ICMPV6_ECHO_REPLY };
    icmpv6Emit(frame, IP + IPV6_HEADER_LENGTH, message, IP);
    return frame;
  },
};

/** The codec of each ethertype that can carry an echo request. */
export const ECHO_CODECS: ReadonlyMap<number, EchoCodec> = new Map([
  [ETHERTYPE_IPV4, echoIpv4],
  [ETHERTYPE_IPV6, echoIpv6],
]);

function isRequest(frame: Uint8Array, offset: number, length: number, type: number): boolean {
  return (
    icmpIsValid(frame, offset, length) &&
    icmpType(frame, offset) === type &&
    icmpCode(frame, offset) === 0
  );
}

/** A frame with an Ethernet header back to the sender of `request`, and room for `length` bytes. */
function replyBegin(request: Uint8Array, length: number, type: number): Uint8Array {
  const frame = new Uint8Array(IP + length);
  ethernetEmit(frame, 0, {
    destination: ethernetSource(request, 0),
    source: ethernetDestination(request, 0),
    type,
  });
  return frame;
}
