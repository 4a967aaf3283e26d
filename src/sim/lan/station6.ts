/**
 * A host of the simulated world: IPv6 on one Ethernet, written without ip/ so that it is a second
 * opinion. It takes part in neighbour discovery and multicast listener discovery, answers echo
 * requests, sends streams of them, and shows every other datagram to its observer.
 *
 *   Addresses6   its addresses, and their detection     Groups6      its multicast groups
 *   Discovery6   its neighbours and routers             EchoStream   its echo requests
 *
 * It serves as router and peer behind a switch, and as the kernel of the host above a group.
 */

import { readU16, readU32, writeU16, writeU32 } from '../../base/bytes.ts';
import {
  IPV6_ADDRESS_LENGTH,
  IPV6_ALL_MLDV2_ROUTERS,
  IPV6_ALL_ROUTERS,
  IPV6_UNSPECIFIED,
  type Ipv6,
  ipIsLinkLocal,
  ipMulticastMac,
  ipSameSubnet,
  ipv6IsMulticast,
  ipv6SolicitedNode,
  type Mac,
} from '../../wire/addr.ts';
import { checksumAdd, checksumComplement, checksumFold } from '../../wire/checksum.ts';
import {
  ETHERNET_HEADER_LENGTH,
  ETHERTYPE_IPV6,
  ethernetDestination,
  ethernetEmit,
  ethernetIsGroup,
  ethernetIsValid,
  ethernetSetDestination,
  ethernetType,
} from '../../wire/ethernet.ts';
import {
  IPV6_HEADER_LENGTH,
  IPV6_HOP_BY_HOP,
  IPV6_PROTOCOL_ICMP,
  type Ipv6Header,
  ipv6HeaderEmit,
  ipv6HeaderParse,
  ipv6IsValid,
  ipv6Source,
  ipv6Walk,
  ipv6WalkCreate,
} from '../../wire/ipv6.ts';
import type { Agenda } from '../agenda.ts';
import { Addresses6 } from './addresses6.ts';
import { Discovery6 } from './discovery6.ts';
import { EchoStream } from './echo-stream.ts';
import { Groups6 } from './groups6.ts';
import { ndIsMessage } from './nd-message.ts';
import type { NdTable } from './nd-table.ts';

export interface Station6Options {
  readonly name: string;
  readonly mac: Mac;
  readonly agenda: Agenda;
  /** Puts a frame on the wire. */
  readonly send: (frame: Uint8Array) => void;
}

/** What a station has seen. */
export interface Station6Counts {
  received: number;
  /** Echo requests answered. */
  answered: number;
  /** Frames that were for others, malformed, or of no interest. */
  ignored: number;
  /** Datagrams of its own without a way, or without a source that it may use. */
  undeliverable: number;
}

/** Nonces of one station, which are six bytes with three of its MAC (RFC 7527 4.1). */
const NONCES = 2 ** 24;

/** A datagram to be sent. */
interface Outgoing {
  readonly source: Ipv6;
  readonly destination: Ipv6;
  readonly nextHeader: number;
  readonly payload: Uint8Array;
  readonly hopLimit?: number;
  readonly flowLabel?: number;
  /** The station that gets it, whatever the table says. */
  readonly mac?: Mac | undefined;
}

// ICMPv6 (RFC 4443, RFC 3810).
const CHECKSUM = 2;
const ECHO_REQUEST = 128;
const ECHO_REPLY = 129;
const MLD_QUERY = 130;
const ECHO_HEADER_LENGTH = 8;

/** Hop-by-hop options before a report: a router alert and two bytes of padding (RFC 2711). */
const ROUTER_ALERT = [IPV6_PROTOCOL_ICMP, 0, 5, 2, 0, 0, 1, 0];

/** Bytes of data in an echo request: the number of the request, and filling. */
const ECHO_DATA_LENGTH = 56;
const HOP_LIMIT = 64;
/** Of neighbour discovery: it has crossed no router (RFC 4861 7.1.1). */
const HOP_LIMIT_ND = 255;

/** A host, or a router that forwards nothing. */
export class Station6 {
  readonly name: string;
  readonly agenda: Agenda;
  mac: Mac;
  readonly addresses: Addresses6;
  readonly groups: Groups6;
  readonly discovery: Discovery6;
  /** Where datagrams for other networks go if no router has advertised itself. */
  gateway: Ipv6 | undefined;
  readonly counts: Station6Counts = { received: 0, answered: 0, ignored: 0, undeliverable: 0 };
  /** Shows datagrams for this station that are neither echo nor discovery. */
  onDatagram: ((header: Ipv6Header, payload: Uint8Array) => void) | undefined;
  /** Called when an address has come, gone, or changed its state. */
  onAddresses: (() => void) | undefined;
  readonly send: (frame: Uint8Array) => void;
  readonly #walk = ipv6WalkCreate();
  readonly #streams = new Map<number, EchoStream>();
  #nextIdentifier = 1;

  constructor(options: Station6Options) {
    const { agenda } = options;
    this.name = options.name;
    this.mac = options.mac;
    this.agenda = agenda;
    this.send = options.send;
    this.groups = new Groups6({ agenda, report: (message) => this.#sendReport(message) });
    this.addresses = new Addresses6({
      agenda,
      firstNonce: (options.mac % NONCES) * NONCES,
      probe: (address, nonce) => this.discovery.probe(address, nonce),
      listen: (address, isListening) => {
        const group = ipv6SolicitedNode(address);
        if (isListening) this.groups.join(group);
        else this.groups.leave(group);
      },
      handleChange: () => this.onAddresses?.(),
    });
    this.discovery = new Discovery6({
      agenda,
      mac: () => this.mac,
      addresses: this.addresses,
      sourceFor: (destination) => this.#sourceFor(destination),
      sourceOf: (frame) => {
        const source = ipv6Source(frame, ETHERNET_HEADER_LENGTH);
        return this.addresses.isUsable(source) ? source : undefined;
      },
      sendNd: (source, destination, payload, to) => {
        this.#sendIcmp({ source, destination, payload, hopLimit: HOP_LIMIT_ND, mac: to });
      },
      send: (frame) => this.send(frame),
    });
  }

  /** Its neighbours. */
  get nd(): NdTable {
    return this.discovery.table;
  }

  /** Adds an address, which is checked first unless `isUnchecked`. */
  addAddress(address: Ipv6, prefixLength: number, isUnchecked = false): void {
    this.addresses.add(address, prefixLength, { isUnchecked });
  }

  /** Claims `address` before all, as after a move (RFC 4861 7.2.6). */
  announce(address: Ipv6): void {
    this.discovery.announce(address);
  }

  /** True if `address` is one of this station's, be it tentative. */
  hasAddress(address: Ipv6): boolean {
    return this.addresses.find(address) !== undefined;
  }

  /** A frame has come from the wire. */
  handleFrame(frame: Uint8Array): void {
    this.counts.received++;
    if (!this.#take(frame)) this.counts.ignored++;
  }

  /** A stream of echo requests to `destination`, one each `intervalMs`, until it is stopped. */
  ping(destination: Ipv6, intervalMs: number, source = this.#sourceFor(destination)): EchoStream {
    const identifier = this.#nextIdentifier++;
    const from = source ?? IPV6_UNSPECIFIED;
    const stream = new EchoStream({
      agenda: this.agenda,
      source: from,
      destination,
      intervalMs,
      send: (index) => {
        const payload = echoRequest(identifier, index);
        this.#sendIcmp({ source: from, destination, payload, flowLabel: identifier });
      },
    });
    this.#streams.set(identifier, stream);
    return stream;
  }

  /** Sends a datagram; `payload` has its own checksum already. */
  sendDatagram(source: Ipv6, destination: Ipv6, nextHeader: number, payload: Uint8Array): void {
    this.#send({ source, destination, nextHeader, payload });
  }

  #sendIcmp(outgoing: Omit<Outgoing, 'nextHeader'>): void {
    this.#send({ ...outgoing, nextHeader: IPV6_PROTOCOL_ICMP });
  }

  /** From the link-local address, or from none while there is none (RFC 3810 5.2.13). */
  #sendReport(message: Uint8Array): void {
    const destination = IPV6_ALL_MLDV2_ROUTERS;
    const source = this.#sourceFor(destination) ?? IPV6_UNSPECIFIED;
    this.#send({ source, destination, nextHeader: IPV6_HOP_BY_HOP, payload: message, hopLimit: 1 });
  }

  #send(outgoing: Outgoing): void {
    const { source, destination, mac } = outgoing;
    const frame = datagramFrame(this.mac, outgoing);
    if (mac !== undefined || ipv6IsMulticast(destination)) {
      ethernetSetDestination(frame, 0, mac ?? ipMulticastMac(destination));
      this.send(frame);
      return;
    }
    const nextHop = this.#isOnLink(destination) ? destination : this.#router();
    if (nextHop === undefined || !this.addresses.isUsable(source)) this.counts.undeliverable++;
    else this.nd.output(nextHop, frame);
  }

  #router(): Ipv6 | undefined {
    return this.discovery.router ?? this.gateway;
  }

  #isOnLink(destination: Ipv6): boolean {
    if (ipIsLinkLocal(destination)) return true;
    return this.addresses.list.some(({ address, prefixLength }) =>
      ipSameSubnet(address, destination, prefixLength),
    );
  }

  /** A usable address, if possible of the scope and of the network of `destination`. */
  #sourceFor(destination: Ipv6): Ipv6 | undefined {
    const usable = this.addresses.list.filter(({ state }) => state === 'preferred');
    const isLocal = ipIsLinkLocal(destination) || ipv6IsMulticast(destination);
    const fitting = usable.filter(({ address }) => ipIsLinkLocal(address) === isLocal);
    const near = fitting.find(({ address, prefixLength }) =>
      ipSameSubnet(address, destination, prefixLength),
    );
    return (near ?? fitting[0] ?? usable[0])?.address;
  }

  #take(frame: Uint8Array): boolean {
    if (!ethernetIsValid(frame, 0, frame.length)) return false;
    if (!ethernetIsGroup(frame, 0) && ethernetDestination(frame, 0) !== this.mac) return false;
    if (ethernetType(frame, 0) !== ETHERTYPE_IPV6) return false;
    const offset = ETHERNET_HEADER_LENGTH;
    if (!ipv6IsValid(frame, offset, frame.length - offset)) return false;
    const header = ipv6HeaderParse(frame, offset);
    if (ipv6IsMulticast(header.source) || !this.#isForUs(header.destination)) return false;
    const walk = this.#walk;
    if (!ipv6Walk(frame, offset, walk) || walk.isFragment) return false;
    const end = offset + IPV6_HEADER_LENGTH + header.payloadLength;
    const payload = frame.subarray(walk.offset, end);
    if (walk.protocol !== IPV6_PROTOCOL_ICMP) return this.#show(header, payload);
    if (payload.length < ECHO_HEADER_LENGTH) return false;
    if (checksumFold(icmpSum(frame, payload)) !== 0xffff) return false;
    return this.#takeIcmp(header, payload);
  }

  #isForUs(destination: Ipv6): boolean {
    if (!ipv6IsMulticast(destination)) return this.hasAddress(destination);
    const isRouters = destination === IPV6_ALL_ROUTERS && this.discovery.role !== undefined;
    return isRouters || this.groups.has(destination);
  }

  #takeIcmp(header: Ipv6Header, payload: Uint8Array): boolean {
    const type = payload[0]!;
    if (ndIsMessage(type)) return this.discovery.handleMessage(header, payload);
    if (type === MLD_QUERY) {
      this.groups.handleQuery();
      return true;
    }
    if (type === ECHO_REQUEST) {
      if (!this.addresses.isUsable(header.destination)) return false;
      this.counts.answered++;
      const reply = payload.slice();
      reply[0] = ECHO_REPLY;
      this.#sendIcmp({ source: header.destination, destination: header.source, payload: reply });
      return true;
    }
    return type === ECHO_REPLY ? this.#takeReply(header, payload) : this.#show(header, payload);
  }

  #takeReply({ source, destination }: Ipv6Header, payload: Uint8Array): boolean {
    const stream = this.#streams.get(readU16(payload, 4));
    if (stream === undefined || payload.length < ECHO_HEADER_LENGTH + 4) return false;
    if (stream.destination !== source || stream.source !== destination) return false;
    stream.handleAnswer(readU32(payload, ECHO_HEADER_LENGTH));
    return true;
  }

  /** A tentative address takes part in discovery alone (RFC 4862 5.4). */
  #show(header: Ipv6Header, payload: Uint8Array): boolean {
    const { destination } = header;
    if (!ipv6IsMulticast(destination) && !this.addresses.isUsable(destination)) return false;
    this.onDatagram?.(header, payload);
    return this.onDatagram !== undefined;
  }
}

function echoRequest(identifier: number, index: number): Uint8Array {
  const payload = new Uint8Array(ECHO_HEADER_LENGTH + ECHO_DATA_LENGTH);
  payload[0] = ECHO_REQUEST;
  writeU16(payload, 4, identifier);
  writeU16(payload, 6, index & 0xffff);
  writeU32(payload, ECHO_HEADER_LENGTH, index);
  return payload;
}

/** A frame without a destination MAC; checksums of ICMPv6 are filled in. */
function datagramFrame(sourceMac: Mac, outgoing: Outgoing): Uint8Array {
  const { source, destination, nextHeader, payload } = outgoing;
  const { hopLimit = HOP_LIMIT, flowLabel = 0 } = outgoing;
  const options = nextHeader === IPV6_HOP_BY_HOP ? ROUTER_ALERT : [];
  const start = ETHERNET_HEADER_LENGTH + IPV6_HEADER_LENGTH + options.length;
  const frame = new Uint8Array(start + payload.length);
  ethernetEmit(frame, 0, { destination: 0, source: sourceMac, type: ETHERTYPE_IPV6 });
  ipv6HeaderEmit(frame, ETHERNET_HEADER_LENGTH, {
    trafficClass: 0,
    flowLabel,
    payloadLength: options.length + payload.length,
    nextHeader,
    hopLimit,
    source,
    destination,
  });
  frame.set(options, start - options.length);
  frame.set(payload, start);
  if (nextHeader === IPV6_PROTOCOL_ICMP || nextHeader === IPV6_HOP_BY_HOP) {
    const message = frame.subarray(start);
    writeU16(message, CHECKSUM, 0);
    writeU16(message, CHECKSUM, checksumComplement(icmpSum(frame, message)));
  }
  return frame;
}

/** The sum of an ICMPv6 message and of its pseudo-header (RFC 8200 8.1). */
function icmpSum(frame: Uint8Array, message: Uint8Array): number {
  const addresses = ETHERNET_HEADER_LENGTH + IPV6_HEADER_LENGTH - 2 * IPV6_ADDRESS_LENGTH;
  const pseudo = checksumAdd(0, frame, addresses, 2 * IPV6_ADDRESS_LENGTH);
  const { length } = message;
  return checksumAdd(pseudo + length + IPV6_PROTOCOL_ICMP, message, 0, length);
}
