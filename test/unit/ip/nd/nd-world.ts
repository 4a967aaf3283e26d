/** A LAN of three NICs that serves IPv6, and the messages of its stations. */

import { Ipif } from '../../../../src/ip/object/ipif.ts';
import {
  IPV6_ALL_NODES,
  IPV6_UNSPECIFIED,
  type Ipv6,
  ipMulticastMac,
  ipv6Parse,
  ipv6SolicitedNode,
  type Mac,
} from '../../../../src/wire/addr.ts';
import { ethernetDestination } from '../../../../src/wire/ethernet.ts';
import {
  ICMPV6_NEIGHBOR_ADVERTISEMENT,
  ICMPV6_NEIGHBOR_SOLICITATION,
} from '../../../../src/wire/icmpv6.ts';
import {
  type NdAdvertisement,
  type NdSolicitation,
  ndAdvertisementParse,
  ndRefusal,
  ndSolicitationParse,
  ndType,
} from '../../../../src/wire/nd.ts';
import { ndAdvertisementFrame, ndSolicitationFrame } from '../../../../src/wire/nd-frames.ts';
import { GROUP_MAC, type Sent, World } from '../harness.ts';

export const six = (text: string): Ipv6 => ipv6Parse(text)!;
export const DATA = six('2001:db8::10');
export const LOCAL = six('fe80::10');
export const PEER = six('2001:db8::99');
export const ROUTER = six('fe80::1');
export const IP = 14;

/** DATA on the first NIC, its announcements over. */
export function ndWorld(): World {
  const world = new World();
  addData(world, DATA, 0);
  return world;
}

/** A data address that is up and bound, its announcements over. */
export function addData(world: World, address: Ipv6, nic: number): Ipif {
  const ipif = Ipif.data(address, 64);
  world.ipifs.set(address, ipif);
  ipif.state = 'up';
  world.bind(ipif, nic);
  world.advance(9000);
  world.sent.length = 0;
  return ipif;
}

/** What was sent of one type; each message passes the gate of a receiver. */
function sentOf(world: World, type: number): Sent[] {
  return world.sent.filter(({ frame }) => {
    const isSolid = ndRefusal(frame, IP, frame.length - IP) === undefined;
    return isSolid && ndType(frame, IP) === type;
  });
}

export function solicitations(
  world: World,
): (NdSolicitation & { readonly port: string; readonly from: Mac })[] {
  return sentOf(world, ICMPV6_NEIGHBOR_SOLICITATION).map(({ frame, port, source }) => {
    return { ...ndSolicitationParse(frame, IP), port, from: source };
  });
}

export function advertisements(
  world: World,
): (NdAdvertisement & { readonly port: string; readonly to: Mac })[] {
  return sentOf(world, ICMPV6_NEIGHBOR_ADVERTISEMENT).map(({ frame, port }) => {
    return { ...ndAdvertisementParse(frame, IP), port, to: ethernetDestination(frame, 0) };
  });
}

/** The station `mac` asks; from the unspecified address it detects. */
export function asks(
  mac: Mac,
  source: Ipv6,
  target: Ipv6,
  more: { readonly to?: Mac; readonly nonce?: bigint; readonly isBare?: boolean } = {},
): Uint8Array {
  const group = ipv6SolicitedNode(target);
  const { to, nonce, isBare = source === IPV6_UNSPECIFIED } = more;
  return ndSolicitationFrame(to ?? ipMulticastMac(group), mac, {
    source,
    destination: to === undefined ? group : target,
    target,
    sourceMac: isBare ? undefined : mac,
    nonce,
  });
}

/** The station `mac` answers `to` for `address`, or states it to all. */
export function states(
  mac: Mac,
  address: Ipv6,
  to?: { readonly mac: Mac; readonly address: Ipv6 },
  more: Partial<NdAdvertisement> = {},
): Uint8Array {
  return ndAdvertisementFrame(to?.mac ?? ipMulticastMac(IPV6_ALL_NODES), mac, {
    source: address,
    destination: to?.address ?? IPV6_ALL_NODES,
    target: address,
    targetMac: mac,
    isRouter: false,
    isSolicited: to !== undefined,
    isOverride: true,
    ...more,
  });
}

/** The host asks for `target` from DATA. */
export function hostAsks(world: World, target: Ipv6, to?: Mac): void {
  const more = to === undefined ? {} : { to };
  world.host(asks(GROUP_MAC, DATA, target, more));
}
