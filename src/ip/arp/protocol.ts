/**
 * ARP as a LAN reads and sends it (RFC 826; probes and announcements of RFC 5227).
 *
 * The sender MAC of what we send is always that of the NIC that the frame leaves by, so that
 * switches and peers learn the same. The target MAC of a request is of no use and 0.
 */

import type { DropReason } from '../../stats/drop-reasons.ts';
import { type Ipv4, MAC_BROADCAST, type Mac } from '../../wire/addr.ts';
import { ARP_REPLY, ARP_REQUEST, arpFrame, arpIsAnnouncement, arpParse } from '../../wire/arp.ts';
import { ETHERNET_HEADER_LENGTH } from '../../wire/ethernet.ts';
import type { Ill } from '../object/ill.ts';
import {
  isProbe,
  type NeighborMessage,
  type NeighborProtocol,
  type NeighborReasons,
} from '../protocol.ts';
import { arpGate } from './arp.ts';

/** A station of IPv4. */
interface ArpStation {
  readonly address: Ipv4;
  readonly mac: Mac;
}

interface ArpAsker {
  readonly spa: Ipv4 | undefined;
  readonly sha: Mac;
}

const REASONS: NeighborReasons = {
  reflection: 'arp_reflection',
  otherTarget: 'arp_other_target',
  otherInterface: 'arp_other_interface',
  unsolicited: 'arp_unsolicited',
  staticNeighbor: 'arp_static_neighbor',
  changeLocked: 'arp_change_locked',
  conflict: 'arp_conflict',
  hostReply: 'host_arp_reply',
};

/** The messages of IPv4. */
export class ArpProtocol implements NeighborProtocol {
  readonly reasons = REASONS;
  readonly needsSender = false;

  read(frame: Uint8Array): NeighborMessage | DropReason {
    const packet = arpGate(frame);
    if (typeof packet === 'string') return packet;
    const { operation, senderAddress, senderMac, targetAddress } = packet;
    return {
      isQuestion: operation === ARP_REQUEST,
      isReply: operation === ARP_REPLY,
      isAnnouncement: arpIsAnnouncement(packet),
      sender: senderAddress === 0 ? undefined : senderAddress,
      mac: senderMac,
      isMacStated: true,
      isOverride: true,
      isRouter: false,
      target: targetAddress === 0 ? undefined : targetAddress,
      nonce: undefined,
    };
  }

  question(ill: Ill, sender: Ipv4 | undefined, target: Ipv4, to: Mac = MAC_BROADCAST): Uint8Array {
    return request(to, ill.physAddr, sender ?? 0, target);
  }

  probe(ill: Ill, address: Ipv4): Uint8Array {
    return request(MAC_BROADCAST, ill.physAddr, 0, address);
  }

  /** Without a sender address, since the one that we would ask from is the holder's. */
  watch(ill: Ill, address: Ipv4, holder: Mac): Uint8Array {
    return request(holder, ill.physAddr, 0, address);
  }

  /** Requests and replies alternate: some peers take one kind only. */
  announce(ill: Ill, address: Ipv4, number: number): Uint8Array {
    const mac = ill.physAddr;
    if (number % 2 === 0) return request(MAC_BROADCAST, mac, address, address);
    return reply(MAC_BROADCAST, { address, mac }, { spa: address, sha: mac });
  }

  answer(ill: Ill, address: Ipv4, asker: ArpAsker): Uint8Array {
    return reply(asker.sha, { address, mac: ill.physAddr }, asker);
  }

  answerHost(asker: ArpAsker, neighbor: ArpStation): Uint8Array {
    return reply(asker.sha, neighbor, asker);
  }

  /** A gratuitous reply: the neighbour is sender and target (see neighbor/redirect.ts). */
  tellHost(groupMac: Mac, neighbor: ArpStation): Uint8Array {
    return reply(groupMac, neighbor, { spa: neighbor.address, sha: neighbor.mac });
  }

  /** The kernel does no detection for IPv4, so there is nothing to answer. */
  refuseHost(): undefined {
    return undefined;
  }

  /** A rival's probe as it was; else an answer to the program's probe, which had no address. */
  handUp(frame: Uint8Array, message: NeighborMessage, asker: Mac): Uint8Array {
    const packet = arpParse(frame, ETHERNET_HEADER_LENGTH);
    if (isProbe(message)) return arpFrame(MAC_BROADCAST, packet.senderMac, packet);
    const holder = { address: packet.senderAddress, mac: packet.senderMac };
    return reply(asker, holder, { spa: undefined, sha: asker });
  }
}

function request(to: Mac, from: Mac, senderAddress: Ipv4, targetAddress: Ipv4): Uint8Array {
  const target = { targetMac: 0, targetAddress };
  const operation = ARP_REQUEST;
  return arpFrame(to, from, { operation, senderMac: from, senderAddress, ...target });
}

function reply(to: Mac, sender: ArpStation, target: ArpAsker): Uint8Array {
  return arpFrame(to, sender.mac, {
    operation: ARP_REPLY,
    senderMac: sender.mac,
    senderAddress: sender.address,
    targetMac: target.sha,
    targetAddress: target.spa ?? 0,
  });
}
