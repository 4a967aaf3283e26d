/**
 * May a node that knows no options take a packet (RFC 8200 4.2, 4.4)? The two upper bits of an
 * option's type are what is done with one that is unknown: 0 is to skip it, all else to discard
 * the packet. Padding and router alerts have 0. A routing header must have been used up. What a
 * header may hold is limited as a Linux host does it (RFC 8504 5.3): a sender that needs more wants
 * to make work, or to hide something.
 */

import {
  IPV6_DESTINATION_OPTIONS,
  IPV6_FRAGMENT,
  IPV6_FRAGMENT_HEADER_LENGTH,
  IPV6_HEADER_LENGTH,
  IPV6_HOP_BY_HOP,
  IPV6_ROUTING,
  ipv6NextHeader,
} from './ipv6.ts';

// From RFC 8200 4.2 and 4.4.

const OPTION_PAD_1 = 0;
const ACTION_MASK = 0xc0;
const SEGMENTS_LEFT = 3;
const OPTION_PAD_N = 1;

// From RFC 8504 5.3.

/** Bytes of padding in a row: options are aligned to 8. */
const PADDING_MAX = 7;
/** Options of one header besides padding. */
const OPTIONS_MAX = 8;

/**
 * True if every extension header in front of `payload`, where the walk of a valid packet ended, may
 * be passed over. A piece of a packet is for the caller; authentication cannot be verified: false.
 */
export function ipv6ExtensionsAreIdle(bytes: Uint8Array, header: number, payload: number): boolean {
  let protocol = ipv6NextHeader(bytes, header);
  let place = header + IPV6_HEADER_LENGTH;
  while (place < payload) {
    // A walk without `isFragment` has passed a fragment header of a whole packet alone (RFC 6946).
    const isFragment = protocol === IPV6_FRAGMENT;
    const end = place + (isFragment ? IPV6_FRAGMENT_HEADER_LENGTH : (bytes[place + 1]! + 1) * 8);
    if (protocol === IPV6_ROUTING) {
      if (bytes[place + SEGMENTS_LEFT] !== 0) return false;
    } else if (protocol === IPV6_HOP_BY_HOP || protocol === IPV6_DESTINATION_OPTIONS) {
      if (!optionsAreIdle(bytes, place + 2, end)) return false;
    } else if (!isFragment) {
      return false;
    }
    protocol = bytes[place]!;
    place = end;
  }
  return true;
}

function optionsAreIdle(bytes: Uint8Array, start: number, end: number): boolean {
  let place = start;
  let padding = 0;
  let options = 0;
  while (place < end) {
    const type = bytes[place]!;
    const length = type === OPTION_PAD_1 ? 1 : 2 + bytes[place + 1]!;
    if (type === OPTION_PAD_1 || type === OPTION_PAD_N) {
      padding += length;
      if (padding > PADDING_MAX) return false;
    } else {
      padding = 0;
      options++;
      if (options > OPTIONS_MAX || (type & ACTION_MASK) !== 0) return false;
    }
    place += length; // beyond the end if its length is
  }
  return place === end;
}
