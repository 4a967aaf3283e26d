/**
 * Hostile frames of ICMPv6: neighbour discovery, multicast listeners, echo and errors, each with
 * values that matter in every field, so that most pass the first gates and are read.
 */

import type { Rng } from '../../src/base/rng.ts';
import {
  IPV6_ALL_NODES,
  IPV6_ALL_ROUTERS,
  IPV6_UNSPECIFIED,
  type Ipv6,
  ipIsMulticast,
  ipMulticastMac,
  ipv6SolicitedNode,
  ipv6Write,
  type Mac,
  macWrite,
} from '../../src/wire/addr.ts';
import { icmpv6Frame } from '../tools/frames.ts';

/** The stations and addresses that the frames name. */
export interface Cast6 {
  readonly rng: Rng;
  readonly macs: readonly Mac[];
  readonly addresses: readonly Ipv6[];
}

const HOP_BY_HOP = 0;
const ICMPV6 = 58;
/** Hop-by-hop options with a router alert, as MLD has them (RFC 3810 5). */
const ROUTER_ALERT = Uint8Array.of(ICMPV6, 0, 5, 2, 0, 0, 1, 0);
const DISCOVERY = [133, 134, 135, 135, 135, 136, 136, 136, 137];
const LISTENERS = [130, 131, 132, 143];
const OTHERS = [1, 2, 3, 4, 128, 129, 200];
const ADDRESS = 16;
const OPTION = 8;

function pick<T>(rng: Rng, list: readonly T[]): T {
  return list[rng.below(list.length)]!;
}

/** One frame; the same ones for the same state of `rng`. */
export function hostileIcmpv6(cast: Cast6): Uint8Array {
  const { rng, addresses } = cast;
  const type = pick(rng, pick(rng, [DISCOVERY, DISCOVERY, LISTENERS, OTHERS]));
  const target = pick(rng, addresses);
  const groups = [ipv6SolicitedNode(target), IPV6_ALL_NODES, IPV6_ALL_ROUTERS];
  const destination = pick(rng, [target, pick(rng, addresses), ...groups]);
  const group = ipIsMulticast(destination) ? ipMulticastMac(destination) : undefined;
  const stray = pick(rng, cast.macs);
  const isListeners = LISTENERS.includes(type);
  const hasAlert = isListeners === rng.below(8) > 0;
  const fields = {
    destinationMac: rng.below(8) > 0 ? (group ?? stray) : stray,
    sourceMac: pick(rng, cast.macs),
    source: pick(rng, [...addresses, IPV6_UNSPECIFIED]),
    destination,
    hopLimit: pick(rng, isListeners ? [1, 1, 1, 255] : [255, 255, 255, 64]),
    nextHeader: hasAlert ? HOP_BY_HOP : ICMPV6,
  };
  const [identifier, sequence] = [rng.below(65536), rng.below(65536)];
  const code = rng.below(8) === 0 ? rng.below(256) : 0;
  const message = { type, code, identifier, sequence, data: body(cast, type, target) };
  return icmpv6Frame(fields, message, hasAlert ? ROUTER_ALERT : undefined);
}

/** What follows the first eight bytes: a target, and up to two options. */
function body({ rng, macs }: Cast6, type: number, target: Ipv6): Uint8Array {
  const start = type === 133 ? 0 : ADDRESS;
  const bytes = new Uint8Array(start + OPTION * rng.below(3));
  if (start > 0) ipv6Write(bytes, 0, target);
  for (let at = start; at < bytes.length; at += OPTION) {
    bytes[at] = pick(rng, [1, 1, 2, 2, 14, 3, 5]);
    bytes[at + 1] = rng.below(8) === 0 ? rng.below(4) : 1;
    macWrite(bytes, at + 2, pick(rng, macs));
  }
  return bytes;
}
