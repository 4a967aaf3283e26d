/** Addresses, prefixes and networks as operators write them: one reader and one canonical text. */

import { OperatorError } from '../base/errors.ts';
import {
  type Family,
  type IpAddress,
  ipFamily,
  ipFormat,
  ipIsLinkLocal,
  ipIsMulticast,
  ipLastOf,
  ipNetwork,
  ipParse,
  ipv4IsLoopback,
  ipv6IsMapped,
  type Prefix,
  prefixParse,
} from '../wire/addr.ts';

export const PREFIX_ALLOWED = 'an address with its prefix length, such as 192.0.2.10/24';

/** Multicast addresses of both families. */
export const MULTICAST_RANGES = '224.0.0.0/4 or ff00::/8';

export interface AddressValue {
  readonly family: Family;
  /** Canonical text. */
  readonly address: string;
}

/** Where the metrics listener listens. */
export interface ListenValue {
  /** An address, without brackets. */
  readonly host: string;
  readonly port: number;
}

/** An IPv4 or IPv6 address without prefix length; undefined if it is none. */
export function addressParse(text: string): AddressValue | undefined {
  const address = ipParse(text);
  if (address === undefined) return undefined;
  return { family: ipFamily(address), address: ipFormat(address) };
}

/** Canonical text of an address; what is none stays as it is, for a message. */
export function canonicalAddress(text: string): string {
  return addressParse(text)?.address ?? text;
}

/** An address with its prefix length of at least 1; undefined if it is none. */
export function prefixRead(text: string): Prefix | undefined {
  const prefix = prefixParse(text);
  return prefix === undefined || prefix.prefixLength < 1 ? undefined : prefix;
}

/** An address with its prefix length, in canonical form. @throws OperatorError EINVAL */
export function canonicalPrefix(text: string): string {
  const prefix = prefixRead(text);
  if (prefix !== undefined) return prefixFormat(prefix);
  throw new OperatorError('EINVAL', `"${text.slice(0, 64)}" is not valid (${PREFIX_ALLOWED})`);
}

export function prefixFormat({
  address,
  prefixLength,
}: Pick<Prefix, 'address' | 'prefixLength'>): string {
  return `${address}/${prefixLength}`;
}

/** `default` or a network whose host bits are zero; family 0 stands for either. */
export function networkParse(text: string): { family: 0 | 4 | 6; to: string } | undefined {
  if (text === 'default') return { family: 0, to: text };
  const prefix = prefixParse(text);
  if (prefix === undefined || networkOf(prefix) !== prefix.address) return undefined;
  return { family: prefix.family, to: prefixFormat(prefix) };
}

/** A link-local address of IPv6: on another link it is another address (RFC 4007 section 6). */
export function isOfOneLink(address: IpAddress | undefined): boolean {
  return typeof address === 'bigint' && ipIsLinkLocal(address);
}

/** The first address of a prefix: host bits zero. Canonical text. */
export function networkOf({ address, prefixLength }: Prefix): string {
  const value = ipParse(address);
  return value === undefined ? address : ipFormat(ipNetwork(value, prefixLength));
}

/** Why an address cannot be a host's on its network, or undefined if it can. */
export function hostAddressRefusal({ address, prefixLength }: Prefix): string | undefined {
  const value = ipParse(address);
  if (value === undefined) return 'is no address';
  if (Number(value) === 0) return 'is the unspecified address';
  if (ipIsMulticast(value)) return 'is a multicast address';
  if (typeof value === 'bigint') {
    if (ipv6IsMapped(value)) return 'stands for an IPv4 address within a program (::ffff:0:0/96)';
    return value === 1n ? 'is the loopback address' : undefined;
  }
  if (value >>> 24 === 0) return 'is an address of "this network" (0.0.0.0/8)';
  if (ipv4IsLoopback(value)) return 'is a loopback address';
  if (value >>> 28 === 0xf) return 'is a reserved address';
  if (prefixLength >= 31) return undefined;
  if (value === ipNetwork(value, prefixLength)) return 'is the address of the network itself';
  if (value === ipLastOf(value, prefixLength)) return 'is the broadcast address of its network';
  return undefined;
}

/** `127.0.0.1:9437`, `[::1]:9437`, or `off` (null); undefined if it is none of these. */
export function listenParse(text: string): ListenValue | null | undefined {
  if (text === 'off') return null;
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const host = addressParse(match[1] ?? match[2] ?? '');
  const port = Number(match[3]);
  const isBracketed = match[1] !== undefined;
  if (host === undefined || (host.family === 6) !== isBracketed) return undefined;
  return port >= 1 && port <= 65535 ? { host: host.address, port } : undefined;
}

/** As `listenParse` reads it: an IPv6 address in brackets. */
export function listenFormat({ host, port }: ListenValue): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
