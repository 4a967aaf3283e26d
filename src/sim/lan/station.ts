/**
 * A host of the simulated world: IPv4 on one Ethernet, written without ip/ so that it is a second
 * opinion. It resolves and answers ARP, answers echo requests, sends streams of them, and shows
 * every other datagram to its observer.
 *
 * It serves as gateway and peer behind a switch, and as the kernel of the host above a group.
 */

import { readU32, writeU32 } from '../../base/bytes.ts';
import {
  IPV4_BROADCAST,
  type Ipv4,
  ipv4IsMulticast,
  ipv4SameSubnet,
  MAC_BROADCAST,
  type Mac,
} from '../../wire/addr.ts';
import {
  ARP_REPLY,
  ARP_REQUEST,
  type ArpPacket,
  arpFrame,
  arpIsAnnouncement,
  arpIsValid,
  arpParse,
} from '../../wire/arp.ts';
import {
  ETHERNET_HEADER_LENGTH,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ethernetDestination,
  ethernetEmit,
  ethernetIsGroup,
  ethernetIsValid,
  ethernetType,
} from '../../wire/ethernet.ts';
import {
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  ICMP_HEADER_LENGTH,
  type IcmpMessage,
  icmpEmit,
  icmpIsValid,
  icmpParse,
  icmpVerifyChecksum,
} from '../../wire/icmp.ts';
import {
  IPV4_HEADER_LENGTH_MIN,
  IPV4_PROTOCOL_ICMP,
  type Ipv4Header,
  ipv4HeaderEmit,
  ipv4HeaderLength,
  ipv4HeaderParse,
  ipv4IsFragment,
  ipv4IsValid,
  ipv4Source,
  ipv4VerifyChecksum,
} from '../../wire/ipv4.ts';
import type { Agenda } from '../agenda.ts';
import { ArpTable } from './arp-table.ts';
import { EchoStream } from './echo-stream.ts';

/** An address of a station. */
export interface StationAddress {
  readonly address: Ipv4;
  readonly prefixLength: number;
}

export interface StationOptions {
  readonly name: string;
  readonly mac: Mac;
  readonly agenda: Agenda;
  readonly addresses: readonly StationAddress[];
  /** Where datagrams for other networks go; 0 = nowhere. */
  readonly gateway?: Ipv4;
  /** Puts a frame on the wire. */
  readonly send: (frame: Uint8Array) => void;
}

/** What a station has seen. */
export interface StationCounts {
  received: number;
  /** Echo requests answered. */
  answered: number;
  /** Frames that were for others, malformed, or of no interest. */
  ignored: number;
  /** Announcements of other stations' addresses. */
  announcements: number;
  arpRequests: number;
  arpReplies: number;
}

/** Bytes of data in an echo request: the number of the request, and filling. */
const ECHO_DATA_LENGTH = 56;
const TIME_TO_LIVE = 64;

/** A host. */
export class Station {
  readonly name: string;
  readonly agenda: Agenda;
  mac: Mac;
  addresses: StationAddress[];
  gateway: Ipv4;
  readonly arp: ArpTable;
  readonly counts: StationCounts = {
    received: 0,
    answered: 0,
    ignored: 0,
    announcements: 0,
    arpRequests: 0,
    arpReplies: 0,
  };
  /** Shows datagrams for this station that are no echo. */
  onDatagram: ((header: Ipv4Header, payload: Uint8Array) => void) | undefined;
  readonly send: (frame: Uint8Array) => void;
  readonly #streams = new Map<number, EchoStream>();
  #nextIdentifier = 1;
  #nextIdentification = 1;

  constructor(options: StationOptions) {
    this.name = options.name;
    this.mac = options.mac;
    this.agenda = options.agenda;
    this.addresses = [...options.addresses];
    this.gateway = options.gateway ?? 0;
    this.send = options.send;
    this.arp = new ArpTable({
      agenda: options.agenda,
      ask: (address, mac, waiting) => this.#askFor(address, mac, waiting),
      send: this.send,
    });
  }

  /** A frame has come from the wire. */
  handleFrame(frame: Uint8Array): void {
    this.counts.received++;
    if (!this.#take(frame)) this.counts.ignored++;
  }

  /** Announces `address` to the segment, as RFC 5227 3 does. */
  announce(address: Ipv4): void {
    this.send(
      arpFrame(MAC_BROADCAST, this.mac, {
        operation: ARP_REQUEST,
        senderMac: this.mac,
        senderAddress: address,
        targetMac: 0,
        targetAddress: address,
      }),
    );
  }

  /** A stream of echo requests to `destination`, one each `intervalMs`, until it is stopped. */
  ping(destination: Ipv4, intervalMs: number, source = this.#sourceFor(destination)): EchoStream {
    const identifier = this.#nextIdentifier++;
    const stream = new EchoStream({
      agenda: this.agenda,
      source,
      destination,
      intervalMs,
      send: (index) => this.#sendEcho(source, destination, identifier, index),
    });
    this.#streams.set(identifier, stream);
    return stream;
  }

  /** Sends a datagram; `payload` has its own checksum already. */
  sendDatagram(source: Ipv4, destination: Ipv4, protocol: number, payload: Uint8Array): void {
    const start = ETHERNET_HEADER_LENGTH + IPV4_HEADER_LENGTH_MIN;
    const frame = new Uint8Array(start + payload.length);
    ethernetEmit(frame, 0, { destination: 0, source: this.mac, type: ETHERTYPE_IPV4 });
    ipv4HeaderEmit(frame, ETHERNET_HEADER_LENGTH, {
      typeOfService: 0,
      totalLength: IPV4_HEADER_LENGTH_MIN + payload.length,
      identification: this.#nextIdentification++ & 0xffff,
      fragment: 0,
      timeToLive: TIME_TO_LIVE,
      protocol,
      source,
      destination,
      options: new Uint8Array(0),
    });
    frame.set(payload, start);
    this.#route(destination, frame);
  }

  /** True if `address` is one of this station's. */
  hasAddress(address: Ipv4): boolean {
    return this.addresses.some((own) => own.address === address);
  }

  /** Sends `frame` to its next hop; a frame without one ends here. */
  #route(destination: Ipv4, frame: Uint8Array): void {
    if (destination === IPV4_BROADCAST || this.#isSubnetBroadcast(destination)) {
      ethernetEmit(frame, 0, {
        destination: MAC_BROADCAST,
        source: this.mac,
        type: ETHERTYPE_IPV4,
      });
      this.send(frame);
      return;
    }
    if (ipv4IsMulticast(destination)) {
      const group = 0x01005e000000 + (destination & 0x7fffff);
      ethernetEmit(frame, 0, { destination: group, source: this.mac, type: ETHERTYPE_IPV4 });
      this.send(frame);
      return;
    }
    const isOnLink = this.addresses.some(({ address, prefixLength }) =>
      ipv4SameSubnet(address, destination, prefixLength),
    );
    const nextHop = isOnLink ? destination : this.gateway;
    if (nextHop !== 0) this.arp.output(nextHop, frame);
  }

  #isSubnetBroadcast(destination: Ipv4): boolean {
    return this.addresses.some(
      ({ address, prefixLength }) =>
        prefixLength < 31 &&
        ipv4SameSubnet(address, destination, prefixLength) &&
        (destination | (0xffffffff << (32 - prefixLength))) >>> 0 === IPV4_BROADCAST,
    );
  }

  #sourceFor(destination: Ipv4): Ipv4 {
    const onLink = this.addresses.find(({ address, prefixLength }) =>
      ipv4SameSubnet(address, destination, prefixLength),
    );
    return (onLink ?? this.addresses[0])?.address ?? 0;
  }

  #take(frame: Uint8Array): boolean {
    if (!ethernetIsValid(frame, 0, frame.length)) return false;
    if (!ethernetIsGroup(frame, 0) && ethernetDestination(frame, 0) !== this.mac) return false;
    const length = frame.length - ETHERNET_HEADER_LENGTH;
    switch (ethernetType(frame, 0)) {
      case ETHERTYPE_ARP:
        if (!arpIsValid(frame, ETHERNET_HEADER_LENGTH, length)) return false;
        return this.#takeArp(arpParse(frame, ETHERNET_HEADER_LENGTH));
      case ETHERTYPE_IPV4:
        if (!ipv4IsValid(frame, ETHERNET_HEADER_LENGTH, length)) return false;
        return this.#takeDatagram(frame);
      default:
        return false;
    }
  }

  #takeArp(packet: ArpPacket): boolean {
    const isForUs = this.hasAddress(packet.targetAddress);
    const isRequest = packet.operation === ARP_REQUEST;
    if (isRequest) this.counts.arpRequests++;
    else this.counts.arpReplies++;
    if (packet.senderAddress !== 0 && !this.hasAddress(packet.senderAddress)) {
      const isAnnouncement = arpIsAnnouncement(packet);
      if (isAnnouncement) this.counts.announcements++;
      const heard = isAnnouncement ? 'announcement' : isRequest ? 'request' : 'reply';
      this.arp.learn(packet.senderAddress, packet.senderMac, heard, isForUs && isRequest);
    }
    if (!isRequest || !isForUs) return true;
    this.send(
      arpFrame(packet.senderMac, this.mac, {
        operation: ARP_REPLY,
        senderMac: this.mac,
        senderAddress: packet.targetAddress,
        targetMac: packet.senderMac,
        targetAddress: packet.senderAddress,
      }),
    );
    return true;
  }

  #takeDatagram(frame: Uint8Array): boolean {
    const offset = ETHERNET_HEADER_LENGTH;
    if (!ipv4VerifyChecksum(frame, offset)) return false;
    const header = ipv4HeaderParse(frame, offset);
    const isForUs = this.hasAddress(header.destination);
    if (!isForUs && !ethernetIsGroup(frame, 0)) return false;
    const start = offset + ipv4HeaderLength(frame, offset);
    const payload = frame.subarray(start, offset + header.totalLength);
    if (isForUs && header.protocol === IPV4_PROTOCOL_ICMP && !ipv4IsFragment(frame, offset)) {
      return this.#takeIcmp(header, payload);
    }
    this.onDatagram?.(header, payload);
    return this.onDatagram !== undefined;
  }

  #takeIcmp(header: Ipv4Header, payload: Uint8Array): boolean {
    const { length } = payload;
    if (!icmpIsValid(payload, 0, length) || !icmpVerifyChecksum(payload, 0, length)) return false;
    const message = icmpParse(payload, 0, length);
    if (message.type === ICMP_ECHO_REQUEST) {
      this.counts.answered++;
      const reply = { ...message, type: ICMP_ECHO_REPLY };
      this.#sendIcmp(header.destination, header.source, reply);
      return true;
    }
    const stream = this.#streams.get(message.identifier);
    if (message.type !== ICMP_ECHO_REPLY || stream === undefined) return false;
    if (stream.destination !== header.source || stream.source !== header.destination) return false;
    if (message.data.length < 4) return false;
    stream.handleAnswer(readU32(message.data, 0));
    return true;
  }

  #sendEcho(source: Ipv4, destination: Ipv4, identifier: number, index: number): void {
    const data = new Uint8Array(ECHO_DATA_LENGTH);
    writeU32(data, 0, index);
    const message = { type: ICMP_ECHO_REQUEST, code: 0, identifier, sequence: index & 0xffff };
    this.#sendIcmp(source, destination, { ...message, data });
  }

  #sendIcmp(source: Ipv4, destination: Ipv4, message: IcmpMessage): void {
    const payload = new Uint8Array(ICMP_HEADER_LENGTH + message.data.length);
    icmpEmit(payload, 0, message);
    this.sendDatagram(source, destination, IPV4_PROTOCOL_ICMP, payload);
  }

  #askFor(address: Ipv4, mac: Mac | undefined, waiting: Uint8Array | undefined): void {
    const source = waiting === undefined ? 0 : ipv4Source(waiting, ETHERNET_HEADER_LENGTH);
    this.send(
      arpFrame(mac ?? MAC_BROADCAST, this.mac, {
        operation: ARP_REQUEST,
        senderMac: this.mac,
        senderAddress: this.hasAddress(source) ? source : this.#sourceFor(address),
        targetMac: 0,
        targetAddress: address,
      }),
    );
  }
}
