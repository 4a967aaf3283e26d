/** Addresses, prefixes and networks as operators write them: one reader and one canonical text. */

import { OperatorError } from '../base/errors.ts';
import {
  ipv4Format,
  ipv4Parse,
  ipv6Format,
  ipv6Parse,
  type Prefix,
  prefixParse,
} from '../wire/addr.ts';

export const PREFIX_ALLOWED = 'an address with its prefix length, such as 192.0.2.10/24';

export interface AddressValue {
  readonly family: 4 | 6;
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
  const ipv4 = ipv4Parse(text);
  if (ipv4 !== undefined) return { family: 4, address: ipv4Format(ipv4) };
  const ipv6 = ipv6Parse(text);
  return ipv6 === undefined ? undefined : { family: 6, address: ipv6Format(ipv6) };
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

/** The first address of a prefix: host bits zero. Canonical text. */
export function networkOf(prefix: Prefix): string {
  const bytes = bytesOf(prefix);
  for (let bit = prefix.prefixLength; bit < bytes.length * 8; bit++) {
    const index = bit >> 3;
    bytes[index] = (bytes[index] ?? 0) & ~(0x80 >> (bit & 7));
  }
  return formatBytes(bytes);
}

/** Why an address cannot be a host's on its network, or undefined if it can. */
export function hostAddressRefusal(prefix: Prefix): string | undefined {
  const bytes = bytesOf(prefix);
  const first = bytes[0] ?? 0;
  if (bytes.every((byte) => byte === 0)) return 'is the unspecified address';
  if (prefix.family === 6) {
    if (first === 0xff) return 'is a multicast address';
    const isLoopback = bytes.slice(0, 15).every((byte) => byte === 0) && bytes[15] === 1;
    return isLoopback ? 'is the loopback address' : undefined;
  }
  if (first === 0) return 'is an address of "this network" (0.0.0.0/8)';
  if (first === 127) return 'is a loopback address';
  if (first >= 224) return first < 240 ? 'is a multicast address' : 'is a reserved address';
  if (prefix.prefixLength >= 31) return undefined;
  if (networkOf(prefix) === prefix.address) return 'is the address of the network itself';
  for (let bit = prefix.prefixLength; bit < 32; bit++) {
    if (((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) === 0) return undefined;
  }
  return 'is the broadcast address of its network';
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

function bytesOf(prefix: Prefix): Uint8Array {
  if (prefix.family === 6) return Uint8Array.from(ipv6Parse(prefix.address) ?? []);
  const value = ipv4Parse(prefix.address) ?? 0;
  return Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

function formatBytes(bytes: Uint8Array): string {
  return bytes.length === 16 ? ipv6Format(bytes) : bytes.join('.');
}
