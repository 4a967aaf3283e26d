/**
 * ARP as the engines of a LAN send it (RFC 826; probes and announcements of RFC 5227).
 *
 * The sender MAC is always that of the NIC that the frame leaves by, so that switches and peers
 * learn the same. The target MAC of a request is of no use and 0.
 */

import { type Ipv4, MAC_BROADCAST, type Mac } from '../../wire/addr.ts';
import { ARP_REPLY, ARP_REQUEST, arpFrame } from '../../wire/arp.ts';
import type { Ill } from '../object/ill.ts';
import type { NeighborProtocol } from '../protocol.ts';

/** A neighbour as the host is given it, in IPv4. */
interface ArpNeighbor {
  readonly address: Ipv4;
  readonly mac: Mac;
}

/** The frames of IPv4. */
export class ArpProtocol implements NeighborProtocol {
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
    return reply(MAC_BROADCAST, { address, mac }, { address, mac });
  }

  answerHost(waiter: { spa: Ipv4; sha: Mac }, neighbor: ArpNeighbor): Uint8Array {
    return reply(waiter.sha, neighbor, { address: waiter.spa, mac: waiter.sha });
  }

  /** A gratuitous reply: the neighbour is sender and target (see neighbor/redirect.ts). */
  tellHost(groupMac: Mac, neighbor: ArpNeighbor): Uint8Array {
    return reply(groupMac, neighbor, neighbor);
  }
}

function request(to: Mac, from: Mac, senderAddress: Ipv4, targetAddress: Ipv4): Uint8Array {
  const target = { targetMac: 0, targetAddress };
  const operation = ARP_REQUEST;
  return arpFrame(to, from, { operation, senderMac: from, senderAddress, ...target });
}

function reply(to: Mac, sender: ArpNeighbor, target: ArpNeighbor): Uint8Array {
  return arpFrame(to, sender.mac, {
    operation: ARP_REPLY,
    senderMac: sender.mac,
    senderAddress: sender.address,
    targetMac: target.mac,
    targetAddress: target.address,
  });
}
