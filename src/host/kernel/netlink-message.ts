/**
 * Netlink messages as bytes: assembling requests, walking what arrives (RFC 3549). Headers and
 * attributes are in host byte order. A message is a header, the header of its family, and
 * attributes, which may contain others; each begins at a multiple of 4.
 *
 *   0        4     6     8        12       16
 *   +--------+-----+-----+--------+--------+----------------------+
 *   | length | type|flags|  seq   |  port  | family header, attrs |   padded to 4
 *   +--------+-----+-----+--------+--------+----------------------+
 *
 *   0     2     4
 *   +-----+-----+------------+
 *   |length type|    data    |   padded to 4, which the length does not count
 *   +-----+-----+------------+
 */

import { assert } from '../../base/assert.ts';
import {
  readHostI32,
  readHostU16,
  readHostU32,
  writeHostU16,
  writeHostU32,
} from '../../base/bytes.ts';

// From linux/netlink.h.

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

const HEADER_LENGTH = 16;
const ATTRIBUTE_HEADER_LENGTH = 4;
/** In the type of an attribute: its data are attributes. */
export const NLA_F_NESTED = 0x8000;
/** The two bits above mark a value that is nested, or in network byte order. */
const ATTRIBUTE_TYPE_MASK = 0x3fff;
/** The length of an attribute is a 16-bit word. */
const ATTRIBUTE_LENGTH_MAX = 0xffff;
/** Headers, attributes and messages begin at multiples of it. */
const ALIGNMENT = 4;

/** The answer to a request carries only the header of the request, not its body. */
const NLM_F_CAPPED = 0x100;
/** The answer carries attributes that explain it. */
const NLM_F_ACK_TLVS = 0x200;
/** Text for a human. */
const NLMSGERR_ATTR_MSG = 1;

/** A request without its number: type, flags beyond REQUEST, and everything after the header. */
export interface Request {
  readonly type: number;
  readonly flags: number;
  readonly body: Uint8Array;
}

/** One message as it arrived; `body` is a view of the bytes it was read from. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly body: Buffer;
}

/** An NLMSG_ERROR or the end of a dump: errno (positive, 0 for success) and the kernel's words. */
export interface Answer {
  readonly errno: number;
  readonly text: string;
}

/** The bytes of a request numbered `sequence`, padded so that another may follow. */
export function messageEmit(request: Request, sequence: number): Buffer {
  const { type, flags, body } = request;
  const bytes = Buffer.alloc(aligned(HEADER_LENGTH + body.length));
  writeHostU32(bytes, 0, HEADER_LENGTH + body.length);
  writeHostU16(bytes, 4, type);
  writeHostU16(bytes, 6, flags | NLM_F_REQUEST);
  writeHostU32(bytes, 8, sequence);
  bytes.set(body, HEADER_LENGTH);
  return bytes;
}

function aligned(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}

/** Every whole message in `bytes`; a tail that is shorter than its length is left out. */
export function* messagesOf(bytes: Buffer): Generator<Message, undefined, undefined> {
  let at = 0;
  while (bytes.length - at >= HEADER_LENGTH) {
    const length = readHostU32(bytes, at);
    if (length < HEADER_LENGTH || length > bytes.length - at) return;
    yield {
      type: readHostU16(bytes, at + 4),
      flags: readHostU16(bytes, at + 6),
      sequence: readHostU32(bytes, at + 8),
      body: bytes.subarray(at + HEADER_LENGTH, at + length),
    };
    at += aligned(length);
  }
}

/** All of them at once. */
export function messagesParse(bytes: Buffer): Message[] {
  return [...messagesOf(bytes)];
}

/** An attribute with `parts` as its data, padded so that another may follow. */
export function attributeEmit(type: number, ...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, ATTRIBUTE_HEADER_LENGTH);
  assert(length <= ATTRIBUTE_LENGTH_MAX, `attribute ${type} of ${length} octets`);
  const bytes = Buffer.alloc(aligned(length));
  writeHostU16(bytes, 0, length);
  writeHostU16(bytes, 2, type);
  let at = ATTRIBUTE_HEADER_LENGTH;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** An attribute that is one word in host byte order. */
export function attributeEmitU32(type: number, value: number): Buffer {
  const bytes = new Uint8Array(4);
  writeHostU32(bytes, 0, value);
  return attributeEmit(type, bytes);
}

/** An attribute that is a text with its NUL. */
export function attributeEmitText(type: number, text: string): Buffer {
  return attributeEmit(type, Buffer.from(`${text}\0`, 'utf8'));
}

/** Attributes by number. A repeated one keeps its last value; a broken tail ends the walk. */
export function attributesOf(bytes: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  let rest = bytes;
  while (rest.length >= ATTRIBUTE_HEADER_LENGTH) {
    const length = readHostU16(rest, 0);
    if (length < ATTRIBUTE_HEADER_LENGTH || length > rest.length) break;
    const type = readHostU16(rest, 2) & ATTRIBUTE_TYPE_MASK;
    found.set(type, rest.subarray(ATTRIBUTE_HEADER_LENGTH, length));
    rest = rest.subarray(aligned(length));
  }
  return found;
}

/** The word in an attribute of at least four octets; `otherwise` if it is absent. */
export function attributeU32(attribute: Buffer | undefined, otherwise = 0): number {
  return attribute === undefined || attribute.length < 4 ? otherwise : readHostU32(attribute, 0);
}

/** The text of an attribute, up to its NUL; '' if it is absent. */
export function attributeText(attribute: Buffer | undefined): string {
  if (attribute === undefined) return '';
  const end = attribute.indexOf(0);
  return attribute.toString('utf8', 0, end < 0 ? attribute.length : end);
}

/** The answer in an NLMSG_ERROR. */
export function answerParse(message: Message): Answer {
  const { body, flags } = message;
  const errno = body.length < 4 ? 0 : 0 - readHostI32(body, 0);
  if ((flags & NLM_F_ACK_TLVS) === 0 || body.length < 4 + HEADER_LENGTH) {
    return { errno, text: '' };
  }
  const skip = (flags & NLM_F_CAPPED) !== 0 ? HEADER_LENGTH : aligned(readHostU32(body, 4));
  const text = attributeText(attributesOf(body.subarray(4 + skip)).get(NLMSGERR_ATTR_MSG));
  return { errno, text };
}

/** The answer in an NLMSG_DONE: a dump may end in an error too. */
export function dumpEndParse(message: Message): Answer {
  const errno = message.body.length < 4 ? 0 : 0 - readHostI32(message.body, 0);
  return { errno: Math.max(0, errno), text: '' };
}
