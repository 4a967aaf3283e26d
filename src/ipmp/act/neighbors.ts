/**
 * The operator's part of a group's neighbour cache (docs/law.md rows 69, 70): entries that stay as
 * they were set. Each of these is one turn, and works as long as the group is found by its name.
 */

import { OperatorError } from '../../base/errors.ts';
import {
  IPV4_BROADCAST,
  type Ipv4,
  ipv4IsLoopback,
  ipv4IsMulticast,
  ipv4Parse,
  ipv6Parse,
  type Mac,
  macParse,
} from '../../wire/addr.ts';
import { findGroup, type IpmpContext } from '../object/context.ts';

/** One entry as the operator names it, in text. */
export interface NeighborSpec {
  readonly dst: string;
  readonly lladdr: string;
  /** We answer for it on the wire. */
  readonly proxy: boolean;
}

/**
 * Sets an entry, in place of any other for its address. ENOENT; EINVAL for an address or a MAC that
 * no neighbour has, and for our own; EAFNOSUPPORT for IPv6; ENOBUFS when the table is full.
 */
export function setNeighbor(ctx: IpmpContext, groupName: string, spec: NeighborSpec): void {
  const group = findGroup(ctx, groupName);
  const address = addressOf(spec.dst);
  group.lan.addStatic(address, macOf(spec.lladdr), spec.proxy, ctx.nowMs);
}

/** Removes an entry, set or learnt. ENOENT; EINVAL for our own addresses; EAFNOSUPPORT. */
export function deleteNeighbor(ctx: IpmpContext, groupName: string, dst: string): void {
  const group = findGroup(ctx, groupName);
  if (group.lan.deleteNeighbor(addressOf(dst), ctx.nowMs)) return;
  throw new OperatorError('ENOENT', `group ${group.name} has no neighbor ${dst}`);
}

function addressOf(text: string): Ipv4 {
  const address = ipv4Parse(text);
  if (address === undefined) {
    if (ipv6Parse(text) === undefined) {
      throw new OperatorError('EINVAL', `"${text}" is not an IPv4 address`);
    }
    throw new OperatorError('EAFNOSUPPORT', `neighbor ${text}: IPv6 is not served`);
  }
  const isGroup = ipv4IsMulticast(address) || address === IPV4_BROADCAST;
  if (address === 0 || isGroup || ipv4IsLoopback(address)) {
    throw new OperatorError('EINVAL', `${text} is not the address of one neighbor`);
  }
  return address;
}

function macOf(text: string): Mac {
  const mac = macParse(text);
  if (mac !== undefined) return mac;
  throw new OperatorError('EINVAL', `"${text}" is not a MAC (six pairs of hexadecimal digits)`);
}
