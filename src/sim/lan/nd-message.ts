/**
 * Neighbour discovery as a simulated station writes and reads it (RFC 4861 4, RFC 7527 4.1): the
 * bytes are a second opinion too, so this shares no code with the codecs of the system.
 *
 * A message here is the whole ICMPv6 message with an empty checksum, which the sender fills in.
 */

import { readU16, readU32, writeU16, writeU32 } from '../../base/bytes.ts';
import {
  type Ipv6,
  ipv6IsMulticast,
  ipv6Read,
  ipv6Write,
  type Mac,
  macRead,
  macWrite,
} from '../../wire/addr.ts';

/** A prefix of a router advertisement (RFC 4861 4.6.2). */
export interface AdvertisedPrefix {
  readonly prefix: Ipv6;
  readonly prefixLength: number;
  readonly isOnLink: boolean;
  readonly isAutonomous: boolean;
  readonly validS: number;
}

/** A message in values; a MAC or nonce that is undefined is an option that is not there. */
export type NdMessage =
  | { readonly kind: 'router-solicitation'; readonly sourceMac: Mac | undefined }
  | {
      readonly kind: 'router-advertisement';
      readonly lifetimeS: number;
      readonly sourceMac: Mac | undefined;
      readonly prefixes: readonly AdvertisedPrefix[];
    }
  | {
      readonly kind: 'solicitation';
      readonly target: Ipv6;
      readonly sourceMac: Mac | undefined;
      readonly nonce: number | undefined;
    }
  | {
      readonly kind: 'advertisement';
      readonly target: Ipv6;
      readonly targetMac: Mac | undefined;
      readonly isRouter: boolean;
      readonly isSolicited: boolean;
      readonly isOverride: boolean;
    };

// Types of messages (RFC 4861 4.1 to 4.5).
const ROUTER_SOLICITATION = 133;
const ROUTER_ADVERTISEMENT = 134;
const SOLICITATION = 135;
const ADVERTISEMENT = 136;

/** Bytes before the options, by type. */
const FIXED_LENGTH: Readonly<Record<number, number>> = {
  [ROUTER_SOLICITATION]: 8,
  [ROUTER_ADVERTISEMENT]: 16,
  [SOLICITATION]: 24,
  [ADVERTISEMENT]: 24,
};
const TARGET = 8;

// Flags of an advertisement, and of a prefix (RFC 4861 4.4, 4.6.2).
const ROUTER = 0x80;
const SOLICITED = 0x40;
const OVERRIDE = 0x20;
const ON_LINK = 0x80;
const AUTONOMOUS = 0x40;

// Options (RFC 4861 4.6, RFC 3971 5.3.2) and their lengths in bytes.
const SOURCE_MAC = 1;
const TARGET_MAC = 2;
const PREFIX = 3;
const NONCE = 14;
const MAC_OPTION_LENGTH = 8;
const PREFIX_OPTION_LENGTH = 32;
const UNIT = 8;

/** Current hop limit that a router advertises. */
const HOP_LIMIT = 64;

/** True for the messages of neighbour discovery that a station takes part in. */
export function ndIsMessage(type: number): boolean {
  return FIXED_LENGTH[type] !== undefined;
}

/** The bytes of a message. */
export function ndWrite(message: NdMessage): Uint8Array {
  switch (message.kind) {
    case 'router-solicitation':
      return join(head(ROUTER_SOLICITATION), macOption(SOURCE_MAC, message.sourceMac));
    case 'router-advertisement': {
      const fixed = head(ROUTER_ADVERTISEMENT);
      fixed[4] = HOP_LIMIT;
      writeU16(fixed, 6, message.lifetimeS);
      const prefixes = message.prefixes.map(prefixOption);
      return join(fixed, macOption(SOURCE_MAC, message.sourceMac), ...prefixes);
    }
    case 'solicitation': {
      const fixed = head(SOLICITATION);
      ipv6Write(fixed, TARGET, message.target);
      return join(fixed, macOption(SOURCE_MAC, message.sourceMac), nonceOption(message.nonce));
    }
    case 'advertisement': {
      const fixed = head(ADVERTISEMENT);
      const { isRouter, isSolicited, isOverride } = message;
      fixed[4] = (isRouter ? ROUTER : 0) | (isSolicited ? SOLICITED : 0);
      fixed[4] |= isOverride ? OVERRIDE : 0;
      ipv6Write(fixed, TARGET, message.target);
      return join(fixed, macOption(TARGET_MAC, message.targetMac));
    }
  }
}

/** The message in `bytes`; undefined if its own rules do not hold (RFC 4861 6.1, 7.1). */
export function ndRead(bytes: Uint8Array): NdMessage | undefined {
  const fixed = FIXED_LENGTH[bytes[0] ?? 0];
  if (fixed === undefined || bytes.length < fixed || bytes[1] !== 0) return undefined;
  const options = readOptions(bytes, fixed);
  if (options === undefined) return undefined;
  const { sourceMac, targetMac, nonce, prefixes } = options;
  switch (bytes[0]) {
    case ROUTER_SOLICITATION:
      return { kind: 'router-solicitation', sourceMac };
    case ROUTER_ADVERTISEMENT:
      return { kind: 'router-advertisement', lifetimeS: readU16(bytes, 6), sourceMac, prefixes };
    default: {
      const target = ipv6Read(bytes, TARGET);
      if (ipv6IsMulticast(target)) return undefined;
      if (bytes[0] === SOLICITATION) return { kind: 'solicitation', target, sourceMac, nonce };
      const has = (flag: number): boolean => (bytes[4]! & flag) !== 0;
      const flags = { isRouter: has(ROUTER), isSolicited: has(SOLICITED) };
      return { kind: 'advertisement', target, targetMac, ...flags, isOverride: has(OVERRIDE) };
    }
  }
}

interface Options {
  sourceMac: Mac | undefined;
  targetMac: Mac | undefined;
  nonce: number | undefined;
  readonly prefixes: AdvertisedPrefix[];
}

/** The options from `offset` on; those that are unknown are stepped over (RFC 4861 4.6). */
function readOptions(bytes: Uint8Array, offset: number): Options | undefined {
  const options: Options = {
    sourceMac: undefined,
    targetMac: undefined,
    nonce: undefined,
    prefixes: [],
  };
  for (let at = offset; at < bytes.length; ) {
    const length = (bytes[at + 1] ?? 0) * UNIT;
    if (length === 0 || at + length > bytes.length) return undefined;
    switch (bytes[at]) {
      case SOURCE_MAC:
        options.sourceMac ??= macRead(bytes, at + 2);
        break;
      case TARGET_MAC:
        options.targetMac ??= macRead(bytes, at + 2);
        break;
      case NONCE:
        options.nonce ??= macRead(bytes, at + 2);
        break;
      case PREFIX:
        if (length === PREFIX_OPTION_LENGTH) options.prefixes.push(readPrefix(bytes, at));
        break;
    }
    at += length;
  }
  return options;
}

function readPrefix(bytes: Uint8Array, at: number): AdvertisedPrefix {
  return {
    prefix: ipv6Read(bytes, at + 16),
    prefixLength: bytes[at + 2]!,
    isOnLink: (bytes[at + 3]! & ON_LINK) !== 0,
    isAutonomous: (bytes[at + 3]! & AUTONOMOUS) !== 0,
    validS: readU32(bytes, at + 4),
  };
}

function head(type: number): Uint8Array {
  const bytes = new Uint8Array(FIXED_LENGTH[type]!);
  bytes[0] = type;
  return bytes;
}

function macOption(type: number, mac: Mac | undefined): Uint8Array {
  if (mac === undefined) return new Uint8Array(0);
  const bytes = new Uint8Array(MAC_OPTION_LENGTH);
  bytes[0] = type;
  bytes[1] = MAC_OPTION_LENGTH / UNIT;
  macWrite(bytes, 2, mac);
  return bytes;
}

/** A nonce of six bytes: the shortest that there is. */
function nonceOption(nonce: number | undefined): Uint8Array {
  return macOption(NONCE, nonce);
}

function prefixOption(prefix: AdvertisedPrefix): Uint8Array {
  const bytes = new Uint8Array(PREFIX_OPTION_LENGTH);
  bytes[0] = PREFIX;
  bytes[1] = PREFIX_OPTION_LENGTH / UNIT;
  bytes[2] = prefix.prefixLength;
  bytes[3] = (prefix.isOnLink ? ON_LINK : 0) | (prefix.isAutonomous ? AUTONOMOUS : 0);
  writeU32(bytes, 4, prefix.validS);
  writeU32(bytes, 8, prefix.validS);
  ipv6Write(bytes, 16, prefix.prefix);
  return bytes;
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
