/**
 * The operator's part of a group's neighbour cache (docs/law.md rows 69, 70): entries that stay as
 * they were set. Each of these is one turn, and works as long as the group is found by its name.
 */

import { OperatorError } from '../../base/errors.ts';
import { type IpAddress, ipIsUnicast, ipParse, type Mac, macParse } from '../../wire/addr.ts';
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
 * no neighbour has, and for our own; ENOBUFS when the table is full.
 */
export function setNeighbor(ctx: IpmpContext, groupName: string, spec: NeighborSpec): void {
  const group = findGroup(ctx, groupName);
  const address = addressOf(spec.dst);
  group.lan.addStatic(address, macOf(spec.lladdr), spec.proxy, ctx.nowMs);
}

/** Removes an entry, set or learnt. ENOENT; EINVAL for what no neighbour has, and for our own. */
export function deleteNeighbor(ctx: IpmpContext, groupName: string, dst: string): void {
  const group = findGroup(ctx, groupName);
  if (group.lan.deleteNeighbor(addressOf(dst), ctx.nowMs)) return;
  throw new OperatorError('ENOENT', `group ${group.name} has no neighbor ${dst}`);
}

function addressOf(text: string): IpAddress {
  const address = ipParse(text);
  if (address === undefined) {
    throw new OperatorError('EINVAL', `"${text}" is not an IPv4 or IPv6 address`);
  }
  if (!ipIsUnicast(address)) {
    throw new OperatorError('EINVAL', `${text} is not the address of one neighbor`);
  }
  return address;
}

function macOf(text: string): Mac {
  const mac = macParse(text);
  if (mac !== undefined) return mac;
  throw new OperatorError('EINVAL', `"${text}" is not a MAC (six pairs of hexadecimal digits)`);
}
