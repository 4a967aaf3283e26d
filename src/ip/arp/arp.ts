/**
 * The gate for ARP from either side: a form that is ARP for IPv4
 * over Ethernet, a sender that one station can have, addresses that a station may have at all.
 */

import type { DropReason } from '../../stats/drop-reasons.ts';
import { type Ipv4, ipv4IsUnicast, macIsGroup } from '../../wire/addr.ts';
import { ARP_REPLY, ARP_REQUEST, type ArpPacket, arpIsValid, arpParse } from '../../wire/arp.ts';
import { ETHERNET_HEADER_LENGTH, ethernetSource } from '../../wire/ethernet.ts';

/** An address that no station may have; 0.0.0.0 means none. */
function isMartian(address: Ipv4): boolean {
  return address !== 0 && !ipv4IsUnicast(address);
}

/** The packet in `frame`, or the reason why it is not taken. */
export function arpGate(frame: Uint8Array): ArpPacket | DropReason {
  const length = frame.length - ETHERNET_HEADER_LENGTH;
  if (!arpIsValid(frame, ETHERNET_HEADER_LENGTH, length)) return 'arp_malformed';
  const packet = arpParse(frame, ETHERNET_HEADER_LENGTH);
  const { operation, senderMac, senderAddress, targetAddress } = packet;
  if (operation !== ARP_REQUEST && operation !== ARP_REPLY) return 'arp_malformed';
  if (senderMac === 0 || macIsGroup(senderMac)) return 'arp_bad_sender';
  if (macIsGroup(ethernetSource(frame, 0))) return 'arp_bad_sender';
  if (operation === ARP_REPLY && senderAddress === 0) return 'arp_bad_sender';
  if (operation === ARP_REQUEST && targetAddress === 0) return 'arp_martian';
  if (isMartian(senderAddress) || isMartian(targetAddress)) return 'arp_martian';
  return packet;
}
