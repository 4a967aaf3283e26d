/**
 * Netlink messages as bytes: assembling requests, walking what arrives (RFC 3549). Headers and
 * attributes are in host byte order; the codecs of the `netlink` package know it.
 *
 *   0        4     6     8        12       16
 *   +--------+-----+-----+--------+--------+----------------------+
 *   | length | type|flags|  seq   |  port  | family header, attrs |   padded to 4
 *   +--------+-----+-----+--------+--------+----------------------+
 */

import {
  AttrStream,
  formatHeader,
  HEADER_LENGTH,
  padding,
  parseHeader,
  readS32,
  readU16,
  readU32,
} from 'netlink/dist/structs.js';

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
export const NLMSG_OVERRUN = 4;

const ATTRIBUTE_HEADER_LENGTH = 4;
/** The two bits above say that the value is nested, or in network byte order. */
const ATTRIBUTE_TYPE_MASK = 0x3fff;

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
  const header = formatHeader({
    length: HEADER_LENGTH + request.body.length,
    type: request.type,
    flags: request.flags | NLM_F_REQUEST,
    seq: sequence,
    port: 0,
  });
  return Buffer.concat([header, request.body, Buffer.alloc(padding(request.body.length))]);
}

/** Every whole message in `bytes`; a tail that is shorter than it says is left out. */
export function* messagesOf(bytes: Buffer): Generator<Message, undefined, undefined> {
  let at = 0;
  while (bytes.length - at >= HEADER_LENGTH) {
    const length = readU32.call(bytes, at);
    if (length < HEADER_LENGTH || length > bytes.length - at) return;
    yield {
      type: readU16.call(bytes, at + 4),
      flags: readU16.call(bytes, at + 6),
      sequence: readU32.call(bytes, at + 8),
      body: bytes.subarray(at + HEADER_LENGTH, at + length),
    };
    at += length + padding(length);
  }
}

/** All of them at once. */
export function messagesParse(bytes: Buffer): Message[] {
  return [...messagesOf(bytes)];
}

/** The bytes of a family header followed by what `fill` pushes. */
export function bodyEmit(familyHeader: Uint8Array, fill?: (out: AttrStream) => void): Buffer {
  const out = new AttrStream();
  out.emit(familyHeader);
  fill?.(out);
  return Buffer.concat(out.bufs);
}

/** Attributes by number. A repeated one keeps its last value; a broken tail ends the walk. */
export function attributesOf(bytes: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  let rest = bytes;
  while (rest.length >= ATTRIBUTE_HEADER_LENGTH) {
    const length = readU16.call(rest, 0);
    if (length < ATTRIBUTE_HEADER_LENGTH || length > rest.length) break;
    const type = readU16.call(rest, 2) & ATTRIBUTE_TYPE_MASK;
    found.set(type, rest.subarray(ATTRIBUTE_HEADER_LENGTH, length));
    rest = rest.subarray(length + padding(length));
  }
  return found;
}

/** The word in an attribute of at least four octets; `otherwise` if it is absent. */
export function attributeU32(attribute: Buffer | undefined, otherwise = 0): number {
  return attribute === undefined || attribute.length < 4 ? otherwise : readU32.call(attribute, 0);
}

/** The text of an attribute, up to its NUL; '' if it is absent. */
export function attributeText(attribute: Buffer | undefined): string {
  if (attribute === undefined) return '';
  const end = attribute.indexOf(0);
  return attribute.toString('utf8', 0, end < 0 ? attribute.length : end);
}

/** What an NLMSG_ERROR says. */
export function answerParse(message: Message): Answer {
  const { body, flags } = message;
  const errno = body.length < 4 ? 0 : 0 - readS32.call(body, 0);
  if ((flags & NLM_F_ACK_TLVS) === 0 || body.length < 4 + HEADER_LENGTH) {
    return { errno, text: '' };
  }
  const echoed = parseHeader(body.subarray(4)).x.length;
  const skip = (flags & NLM_F_CAPPED) !== 0 ? HEADER_LENGTH : echoed + padding(echoed);
  const text = attributeText(attributesOf(body.subarray(4 + skip)).get(NLMSGERR_ATTR_MSG));
  return { errno, text };
}

/** What an NLMSG_DONE says: a dump may end in an error too. */
export function dumpEndParse(message: Message): Answer {
  const errno = message.body.length < 4 ? 0 : 0 - readS32.call(message.body, 0);
  return { errno: Math.max(0, errno), text: '' };
}
