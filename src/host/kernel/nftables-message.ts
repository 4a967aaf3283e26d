/**
 * Messages of nf_tables (linux/netfilter/nf_tables.h), as far as they make the tables of
 * nftables.ts. They are written by hand, so no child process is ever needed.
 */

import { writeU16, writeU32 } from '../../base/bytes.ts';
import {
  attributeEmit,
  NLA_F_NESTED,
  NLM_F_ACK,
  NLM_F_APPEND,
  NLM_F_CREATE,
  type Request,
  attributeEmitText as text,
} from './netlink-message.ts';

// From linux/netfilter/nfnetlink.h and linux/netfilter/nf_tables.h.

const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const NFT_MSG_NEWTABLE = 0;
const NFT_MSG_GETTABLE = 1;
const NFT_MSG_DELTABLE = 2;
const NFT_MSG_NEWCHAIN = 3;
const NFT_MSG_NEWRULE = 6;
const NFT_MSG_DELRULE = 8;
const NFT_TABLE_F_OWNER = 0x2;
const NFT_META_PROTOCOL = 1;
const NFT_META_IIFNAME = 6;
const NFT_META_OIFNAME = 7;
const NFT_CMP_EQ = 0;
const NFT_CMP_NEQ = 1;
const NFT_PAYLOAD_LL_HEADER = 0;
const NFT_PAYLOAD_NETWORK_HEADER = 1;
const NFT_REG_VERDICT = 0;
const NFT_REG_1 = 1;
const NF_DROP = 0;
const NF_ACCEPT = 1;
/** Before connection tracking. */
const NF_IP_PRI_RAW = -300;
const IFNAMSIZ = 16;
const ETH_P_IP = 0x0800;

/** Families (linux/netfilter.h): what passes the stack, and what a device receives. */
export const FAMILY_INET = 1;
export const FAMILY_NETDEV = 5;
export type Family = typeof FAMILY_INET | typeof FAMILY_NETDEV;

/** First hook of either family: prerouting, and ingress, which is bound to a device. */
const FIRST_HOOK = 0;
const NF_INET_FORWARD = 2;

/** One condition of a rule: its expressions. */
export type Condition = readonly Uint8Array[];

/** One transaction: all of it happens, or nothing. */
export function batchOf(requests: readonly Request[]): Request[] {
  const acknowledged = requests.map((request, index) =>
    index === requests.length - 1 ? { ...request, flags: request.flags | NLM_F_ACK } : request,
  );
  return [batchEdge(NFNL_MSG_BATCH_BEGIN), ...acknowledged, batchEdge(NFNL_MSG_BATCH_END)];
}

/** A table that goes with the socket that made it, and that no other process can change. */
export function tableAdd(family: Family, table: string): Request {
  // NFTA_TABLE_NAME, NFTA_TABLE_FLAGS
  const attributes = [text(1, table), word(2, NFT_TABLE_F_OWNER)];
  return tableRequest(family, NFT_MSG_NEWTABLE, NLM_F_CREATE, ...attributes);
}

export function tableGet(family: Family, table: string): Request {
  return tableRequest(family, NFT_MSG_GETTABLE, NLM_F_ACK, text(1, table));
}

export function tableDelete(family: Family, table: string): Request {
  return tableRequest(family, NFT_MSG_DELTABLE, 0, text(1, table));
}

/**
 * A chain of the type filter at the priority raw, which accepts: at prerouting, or at the ingress
 * of `device`.
 */
export function chainAdd(family: Family, table: string, chain: string, device?: string): Request {
  // NFTA_HOOK_DEV
  const where = device === undefined ? [] : [text(3, device)];
  return baseChain(family, table, chain, FIRST_HOOK, where);
}

/** The same where packets are that the host forwards, of both families. */
export function forwardChainAdd(table: string, chain: string): Request {
  return baseChain(FAMILY_INET, table, chain, NF_INET_FORWARD, []);
}

function baseChain(
  family: Family,
  table: string,
  chain: string,
  hook: number,
  more: readonly Uint8Array[],
): Request {
  // NFTA_HOOK_HOOKNUM, NFTA_HOOK_PRIORITY
  const where = [word(1, hook), word(2, NF_IP_PRI_RAW), ...more];
  // NFTA_CHAIN_TABLE, _NAME, _HOOK, _POLICY, _TYPE
  const names = [text(1, table), text(3, chain)];
  const attributes = [...names, nested(4, ...where), word(5, NF_ACCEPT), text(7, 'filter')];
  return tableRequest(family, NFT_MSG_NEWCHAIN, NLM_F_CREATE, ...attributes);
}

/** Without a handle it means every rule of the chain. */
export function rulesDelete(family: Family, table: string, chain: string): Request {
  return tableRequest(family, NFT_MSG_DELRULE, 0, text(1, table), text(2, chain));
}

/** Counts and drops what all `conditions` hold for. */
export function dropRule(
  family: Family,
  table: string,
  chain: string,
  conditions: readonly Condition[],
): Request {
  const expressions = nested(
    4, // NFTA_RULE_EXPRESSIONS
    ...conditions.flat(),
    expression('counter'),
    // NFTA_IMMEDIATE_DREG, _DATA { NFTA_DATA_VERDICT { NFTA_VERDICT_CODE } }
    expression('immediate', word(1, NFT_REG_VERDICT), nested(2, nested(2, word(1, NF_DROP)))),
  );
  const flags = NLM_F_CREATE | NLM_F_APPEND;
  return tableRequest(family, NFT_MSG_NEWRULE, flags, text(1, table), text(2, chain), expressions);
}

/** It came by `device`. */
export function cameBy(device: string): Condition {
  return isNamed(NFT_META_IIFNAME, device);
}

/** It is to leave by `device`. */
export function leavesBy(device: string): Condition {
  return isNamed(NFT_META_OIFNAME, device);
}

function isNamed(key: number, device: string): Condition {
  const name = Buffer.alloc(IFNAMSIZ); // as the comparison sees it: filled up with zeros
  name.write(device, 0, IFNAMSIZ - 1, 'utf8');
  return [load(key), compare(NFT_CMP_EQ, name)];
}

/** Its destination MAC is that of a group of stations. */
export function isForGroup(): Condition {
  const bit = Uint8Array.of(0x01);
  return [payload(NFT_PAYLOAD_LL_HEADER, 0, 1), mask(bit), compare(NFT_CMP_EQ, bit)];
}

/** It is a part of an IPv4 datagram. */
export function isIpv4Fragment(): Condition {
  const type = new Uint8Array(2);
  writeU16(type, 0, ETH_P_IP);
  const moreAndOffset = Uint8Array.of(0x3f, 0xff);
  return [
    load(NFT_META_PROTOCOL),
    compare(NFT_CMP_EQ, type),
    payload(NFT_PAYLOAD_NETWORK_HEADER, 6, 2),
    mask(moreAndOffset),
    compare(NFT_CMP_NEQ, new Uint8Array(2)),
  ];
}

/** NFTA_META_DREG, _KEY */
function load(key: number): Uint8Array {
  return expression('meta', word(1, NFT_REG_1), word(2, key));
}

/** NFTA_PAYLOAD_DREG, _BASE, _OFFSET, _LEN */
function payload(base: number, offset: number, length: number): Uint8Array {
  const where = [word(2, base), word(3, offset), word(4, length)];
  return expression('payload', word(1, NFT_REG_1), ...where);
}

/** NFTA_BITWISE_SREG, _DREG, _LEN, _MASK, _XOR */
function mask(bits: Uint8Array): Uint8Array {
  const registers = [word(1, NFT_REG_1), word(2, NFT_REG_1), word(3, bits.length)];
  const none = new Uint8Array(bits.length);
  return expression('bitwise', ...registers, value(4, bits), value(5, none));
}

/** NFTA_CMP_SREG, _OP, _DATA */
function compare(operator: number, bytes: Uint8Array): Uint8Array {
  return expression('cmp', word(1, NFT_REG_1), word(2, operator), value(3, bytes));
}

/** NFTA_LIST_ELEM { NFTA_EXPR_NAME, NFTA_EXPR_DATA } */
function expression(name: string, ...data: Uint8Array[]): Uint8Array {
  return nested(1, text(1, name), nested(2, ...data));
}

function batchEdge(type: number): Request {
  return { type, flags: 0, body: familyHeader(0, NFNL_SUBSYS_NFTABLES) };
}

function tableRequest(
  family: Family,
  message: number,
  flags: number,
  ...attributes: Uint8Array[]
): Request {
  return {
    type: (NFNL_SUBSYS_NFTABLES << 8) | message,
    flags,
    body: Buffer.concat([familyHeader(family, 0), ...attributes]),
  };
}

/** struct nfgenmsg: family, version 0, resource in network byte order. */
function familyHeader(family: number, resource: number): Uint8Array {
  const header = new Uint8Array(4);
  header[0] = family;
  writeU16(header, 2, resource);
  return header;
}

function nested(type: number, ...parts: Uint8Array[]): Uint8Array {
  return attributeEmit(type | NLA_F_NESTED, ...parts);
}

/** A 32-bit word in network byte order, as nf_tables wants it. */
function word(type: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeU32(bytes, 0, value);
  return attributeEmit(type, bytes);
}

/** { NFTA_DATA_VALUE } */
function value(type: number, bytes: Uint8Array): Uint8Array {
  return nested(type, attributeEmit(1, bytes));
}
