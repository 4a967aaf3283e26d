/**
 * ICMP echo for the addresses of the stack itself, the test addresses (RFC 792, RFC 1122 3.2.2.6).
 *
 * A request from the wire is answered by the NIC that received it, a request of the host up to the
 * host; both to the MAC that asked. Nothing else is ever answered: no broadcast or multicast, no
 * fragment, no other protocol, and no error is sent about any of them (T9, T12), so a
 * forged request is answered with at most its own length.
 */

import { TokenBucket } from '../base/token-bucket.ts';
import type { DropReason } from '../stats/drop-reasons.ts';
import { type Ipv4, ipv4IsUnicast, type Mac, macIsGroup } from '../wire/addr.ts';
import {
  ETHERNET_HEADER_LENGTH,
  ETHERTYPE_IPV4,
  ethernetDestination,
  ethernetEmit,
  ethernetSource,
} from '../wire/ethernet.ts';
import {
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  ICMP_HEADER_LENGTH,
  icmpCode,
  icmpEmit,
  icmpIsValid,
  icmpParse,
  icmpType,
  icmpVerifyChecksum,
} from '../wire/icmp.ts';
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
import type { FrameEnd, LanCounters } from './lan-counters.ts';
import type { LanMembership, LanOutput } from './lan-port.ts';
import type { Ill } from './object/ill.ts';

// Ours
/** Echo replies per second and LAN, and at once (T12's rate for ICMP). */
export const ECHO_RATE = 1000;
/** Time to live of our replies: the default of RFC 1700. */
const TIME_TO_LIVE = 64;

const IP = ETHERNET_HEADER_LENGTH;

export interface LocalIcmpOptions {
  readonly membership: LanMembership;
  readonly output: LanOutput;
  readonly counters: LanCounters;
}

/** Answers for the stack's own addresses on one LAN. */
export class LocalIcmp {
  readonly #membership: LanMembership;
  readonly #output: LanOutput;
  readonly #counters: LanCounters;
  readonly #rate = new TokenBucket(ECHO_RATE, ECHO_RATE);

  constructor(options: LocalIcmpOptions) {
    this.#membership = options.membership;
    this.#output = options.output;
    this.#counters = options.counters;
  }

  /** An IPv4 frame received by `ill`: answered, or dropped. */
  handleWireFrame(ill: Ill, frame: Uint8Array, nowMs: number): FrameEnd {
    const refusal = this.#refusal(frame, ill);
    if (refusal !== undefined) return refusal;
    if (this.#membership.findIpif(ipv4Source(frame, IP)) !== undefined) return 'local_source';
    if (!this.#rate.take(nowMs)) return 'local_rate_limited';
    this.#counters.echoReplies++;
    this.#output.toWire(ill, echoReply(frame));
    return 'answered';
  }

  /** An IPv4 frame of the host to a MAC of ours: answered, or dropped. */
  handleHostFrame(frame: Uint8Array, nowMs: number): FrameEnd {
    const refusal = this.#refusal(frame, undefined);
    if (refusal !== undefined) return refusal;
    if (!this.#rate.take(nowMs)) return 'local_rate_limited';
    this.#counters.echoReplies++;
    this.#output.toHost(echoReply(frame));
    return 'answered';
  }

  /** Why the frame is no echo request that we answer; `ill` undefined for one of the host. */
  #refusal(frame: Uint8Array, ill: Ill | undefined): DropReason | undefined {
    if (!ipv4IsValid(frame, IP, frame.length - IP)) return 'bad_ipv4_header';
    const refusal = this.#addressRefusal(frame, ill);
    if (refusal !== undefined) return refusal;
    if (!ipv4VerifyChecksum(frame, IP)) return 'local_checksum';
    const options = ipv4Options(frame, IP);
    if (options === 'source-route') return 'source_route';
    if (options === 'malformed') return 'bad_ipv4_header';
    if (ipv4IsFragment(frame, IP)) return 'local_fragment';
    if (ipv4Protocol(frame, IP) !== IPV4_PROTOCOL_ICMP) return 'local_protocol';
    const offset = IP + ipv4HeaderLength(frame, IP);
    const length = IP + ipv4TotalLength(frame, IP) - offset;
    if (!icmpIsValid(frame, offset, length)) return 'local_protocol';
    if (icmpType(frame, offset) !== ICMP_ECHO_REQUEST || icmpCode(frame, offset) !== 0) {
      return 'local_protocol';
    }
    return icmpVerifyChecksum(frame, offset, length) ? undefined : 'local_checksum';
  }

  #addressRefusal(frame: Uint8Array, ill: Ill | undefined): DropReason | undefined {
    const destination = ipv4Destination(frame, IP);
    const ipif = this.#membership.findIpif(destination);
    const bound = ipif?.kind === 'test' ? ipif.boundIll : undefined;
    if (ipif === undefined || bound === undefined) return 'local_destination';
    if (ill !== undefined && bound !== ill) return 'local_destination';
    if (ethernetDestination(frame, 0) !== bound.physAddr) return 'local_destination';
    if (ipif.state !== 'up') return 'address_tentative';
    const source = ipv4Source(frame, IP);
    const isSource = source !== destination && ipv4IsUnicast(source);
    return isSource && isStation(ethernetSource(frame, 0)) ? undefined : 'local_source';
  }
}

/** One station can have it: neither none nor a group. */
function isStation(mac: Mac): boolean {
  return mac !== 0 && !macIsGroup(mac);
}

/** The answer to a valid echo request: addresses exchanged, options left out. */
function echoReply(request: Uint8Array): Uint8Array {
  const offset = IP + ipv4HeaderLength(request, IP);
  const length = IP + ipv4TotalLength(request, IP) - offset;
  const message = icmpParse(request, offset, length);
  const frame = new Uint8Array(
    IP + IPV4_HEADER_LENGTH_MIN + ICMP_HEADER_LENGTH + message.data.length,
  );
  ethernetEmit(frame, 0, {
    destination: ethernetSource(request, 0),
    source: ethernetDestination(request, 0),
    type: ETHERTYPE_IPV4,
  });
  const source: Ipv4 = ipv4Destination(request, IP);
  ipv4HeaderEmit(frame, IP, {
    typeOfService: ipv4TypeOfService(request, IP),
    totalLength: IPV4_HEADER_LENGTH_MIN + length,
    identification: 0, // RFC 6864: an atomic datagram needs none
    fragment: IPV4_DONT_FRAGMENT,
    timeToLive: TIME_TO_LIVE,
    protocol: IPV4_PROTOCOL_ICMP,
    source,
    destination: ipv4Source(request, IP),
    options: new Uint8Array(0),
  });
  icmpEmit(frame, IP + IPV4_HEADER_LENGTH_MIN, { ...message, type: ICMP_ECHO_REPLY });
  return frame;
}
