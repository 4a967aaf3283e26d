/**
 * Frames of Linux 6.18 as they were on a wire: the independent evidence of the codecs of IPv6.
 * Station 1 has 02:00:00:00:00:01 and 2001:db8::1, station 2 the same with 2.
 */

import { hexParse } from './hex.ts';

/** 2001:db8::1 asks 2001:db8::2 for an answer; with a flow label and an odd length. */
export const LINUX_ECHO_REQUEST = hexParse(`
  020000000002 020000000001 86dd
  600cf071 000d 3a 40 20010db8000000000000000000000001 20010db8000000000000000000000002
  8000 cad9 5364 0001 0001020304`);

export const LINUX_ECHO_REPLY = hexParse(`
  020000000001 020000000002 86dd
  60099b41 000d 3a 40 20010db8000000000000000000000002 20010db8000000000000000000000001
  8100 c9d9 5364 0001 0001020304`);
