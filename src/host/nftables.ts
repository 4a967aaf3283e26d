/**
 * One nftables table of our own that keeps what arrives on a device below us from the host's own
 * stack:
 *
 *   table inet ipmpd {
 *     chain nics {
 *       type filter hook prerouting priority raw; policy accept;
 *       iifname "eth0" counter drop
 *     }
 *     chain bridges-input {
 *       type filter hook input priority raw; policy accept;
 *       iifname "br1" counter drop
 *     }
 *     chain bridges-forward {
 *       type filter hook forward priority raw; policy accept;
 *       iifname "br1" oifname != "br1" counter drop
 *     }
 *   }
 *
 * These hooks lie behind the point where macvtap and bridge take their copy; a rule at netdev
 * ingress would take theirs too. A bridge needs two chains further on: where br_netfilter is
 * loaded (every host with Docker), frames that the bridge only passes on from port to port go
 * through prerouting as well, under the bridge's name, and through forward from it to itself.
 * ARP does not pass here: NOARP on the device sees to that.
 *
 * The table has an owner, our netlink socket: nobody else can change or flush it (a reloaded
 * firewall begins with `flush ruleset`), and the kernel removes it when the socket closes, however
 * the process ended. For the same reason a second daemon is refused here. A table of this name
 * without an owner (loaded from a saved ruleset) cannot become ours: then ours is `ipmpd-2`.
 *
 * Messages are written by hand (linux/netfilter/nf_tables.h), so no child process is ever needed.
 */

import { formatAttribute, pad } from 'netlink/dist/structs.js';
import { writeU16, writeU32 } from '../base/bytes.ts';
import { type ErrorCode, OperatorError } from '../base/errors.ts';
import type { NetlinkClient } from './netlink.ts';
import { NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, type Request } from './netlink-message.ts';

// From linux/netfilter/nfnetlink.h and linux/netfilter/nf_tables.h.

const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const NFPROTO_INET = 1;
const NFT_MSG_NEWTABLE = 0;
const NFT_MSG_GETTABLE = 1;
const NFT_MSG_DELTABLE = 2;
const NFT_MSG_NEWCHAIN = 3;
const NFT_MSG_NEWRULE = 6;
const NFT_MSG_DELRULE = 8;
const NFT_TABLE_F_OWNER = 0x2;
const NFT_META_IIFNAME = 6;
const NFT_META_OIFNAME = 7;
const NFT_CMP_EQ = 0;
const NFT_CMP_NEQ = 1;
const NFT_REG_VERDICT = 0;
const NFT_REG_1 = 1;
const NF_DROP = 0;
const NF_ACCEPT = 1;
const NF_INET_PRE_ROUTING = 0;
const NF_INET_LOCAL_IN = 1;
const NF_INET_FORWARD = 2;
/** Before connection tracking. */
const NF_IP_PRI_RAW = -300;
const IFNAMSIZ = 16;

// Ours.

const TABLE = 'ipmpd';

/** Ours: so many tables of our name that belong to nobody are passed over. */
const NAMES_MAX = 8;

/** Chain -> its hook. */
const CHAINS = {
  nics: NF_INET_PRE_ROUTING,
  'bridges-input': NF_INET_LOCAL_IN,
  'bridges-forward': NF_INET_FORWARD,
} as const;

type Chain = keyof typeof CHAINS;

/** What kind of device is silenced: a NIC beneath a macvtap, or a bridge. */
export type SilencedKind = 'nic' | 'bridge';

/** The table of one daemon; nothing is there until the first device is silenced. */
export class SilenceTable {
  readonly #client: NetlinkClient;
  readonly #devices = new Map<string, SilencedKind>();
  /** Told once of each table of our name that is not ours. */
  readonly #onForeign: (table: string) => void;
  #name = TABLE;
  #isMade = false;
  /** A change failed: what became of it is not known, so all rules are replaced. */
  #isDoubtful = false;

  constructor(client: NetlinkClient, onForeign: (table: string) => void) {
    this.#client = client;
    this.#onForeign = onForeign;
  }

  /** Drops what arrives on `device`. EBUSY: the table belongs to another daemon. */
  async add(device: string, kind: SilencedKind): Promise<void> {
    const before = this.#devices.get(device);
    if (before === kind && !this.#isDoubtful) return;
    this.#devices.set(device, kind);
    try {
      const isAddition = this.#isMade && before === undefined && !this.#isDoubtful;
      if (isAddition) await this.#append(device, kind);
      else await this.#publish();
    } catch (error) {
      if (before === undefined) this.#devices.delete(device);
      else this.#devices.set(device, before);
      this.#isDoubtful = true;
      throw error;
    }
  }

  /** Lets through again what arrives on `device`; after an error, `retry` does. */
  async delete(device: string): Promise<void> {
    if (!this.#devices.delete(device)) return;
    await this.#assert();
  }

  /** Lets everything through again; after an error, `retry` does. */
  async clear(): Promise<void> {
    this.#devices.clear();
    await this.#assert();
  }

  /** Makes up for a change that failed. */
  async retry(): Promise<void> {
    if (this.#isDoubtful) await this.#assert();
  }

  /** Makes the rules those of the devices, whatever they are now. */
  async #assert(): Promise<void> {
    try {
      if (this.#devices.size > 0) await this.#publish();
      else await this.#remove();
    } catch (error) {
      this.#isDoubtful = true;
      throw error;
    }
  }

  /** Of a table that is doubtful it is not known whether it is there. */
  async #remove(): Promise<void> {
    if (!this.#isMade && !this.#isDoubtful) return;
    try {
      await this.#client.batch(`remove table ${this.#name}`, batchOf([tableDelete(this.#name)]));
    } catch (error) {
      if (!isRefusal(error, 'ENOENT')) throw error;
    }
    this.#isMade = false;
    this.#isDoubtful = false;
  }

  /** Adds the rules of one more device behind the others: with hundreds, all are many. */
  async #append(device: string, kind: SilencedKind): Promise<void> {
    await this.#client.batch(`silence ${device}`, batchOf(rulesFor(this.#name, device, kind)));
  }

  /** Replaces all rules in one transaction, in a table that is ours. */
  async #publish(): Promise<void> {
    for (let number = 1; ; number++) {
      if (!this.#isMade) this.#name = number === 1 ? TABLE : `${TABLE}-${number}`;
      try {
        await this.#replace();
        return;
      } catch (error) {
        if (this.#isMade) throw error;
        if (isRefusal(error, 'EPERM')) throw takenBy(this.#name);
        // Also the answer of a kernel without nf_tables.
        const isForeign = isRefusal(error, 'EOPNOTSUPP') && (await this.#exists(this.#name));
        if (!isForeign) throw error;
        this.#onForeign(this.#name);
        if (number === NAMES_MAX) throw takenBy(this.#name);
      }
    }
  }

  async #replace(): Promise<void> {
    const name = this.#name;
    const chains = Object.keys(CHAINS) as Chain[];
    const made = [tableAdd(name), ...chains.map((chain) => chainAdd(name, chain))];
    const frame = this.#isMade && !this.#isDoubtful ? [] : made;
    const rules = [...this.#devices].flatMap(([device, kind]) => rulesFor(name, device, kind));
    await this.#client.batch(
      `silence ${[...this.#devices.keys()].join(', ')}`,
      batchOf([...frame, ...chains.map((chain) => rulesDelete(name, chain)), ...rules]),
    );
    this.#isMade = true;
    this.#isDoubtful = false;
  }

  async #exists(name: string): Promise<boolean> {
    try {
      const request = tableRequest(NFT_MSG_GETTABLE, NLM_F_ACK, text(1, name));
      await this.#client.request(`look up table ${name}`, request);
      return true;
    } catch (error) {
      // EOPNOTSUPP, EINVAL: there are no tables at all.
      if (isRefusal(error, 'ENOENT', 'EOPNOTSUPP', 'EINVAL')) return false;
      throw error;
    }
  }
}

function isRefusal(error: unknown, ...codes: ErrorCode[]): boolean {
  return error instanceof OperatorError && codes.includes(error.code);
}

function takenBy(table: string): OperatorError {
  return new OperatorError(
    'EBUSY',
    `the nftables table inet ${table} belongs to another process`,
    'is another ipmpd running in this network namespace?',
  );
}

function batchOf(requests: readonly Request[]): Request[] {
  const acknowledged = requests.map((request, index) =>
    index === requests.length - 1 ? { ...request, flags: request.flags | NLM_F_ACK } : request,
  );
  return [batchEdge(NFNL_MSG_BATCH_BEGIN), ...acknowledged, batchEdge(NFNL_MSG_BATCH_END)];
}

function batchEdge(type: number): Request {
  return { type, flags: 0, body: familyHeader(0, NFNL_SUBSYS_NFTABLES) };
}

/** struct nfgenmsg: family, version 0, resource in network byte order. */
function familyHeader(family: number, resource: number): Uint8Array {
  const header = new Uint8Array(4);
  header[0] = family;
  writeU16(header, 2, resource);
  return header;
}

function tableRequest(message: number, flags: number, ...attributes: Uint8Array[]): Request {
  return {
    type: (NFNL_SUBSYS_NFTABLES << 8) | message,
    flags,
    body: Buffer.concat([familyHeader(NFPROTO_INET, 0), ...attributes]),
  };
}

function tableAdd(table: string): Request {
  // NFTA_TABLE_NAME, NFTA_TABLE_FLAGS
  const attributes = [text(1, table), word(2, NFT_TABLE_F_OWNER)];
  return tableRequest(NFT_MSG_NEWTABLE, NLM_F_CREATE, ...attributes);
}

function tableDelete(table: string): Request {
  return tableRequest(NFT_MSG_DELTABLE, 0, text(1, table));
}

function chainAdd(table: string, chain: Chain): Request {
  // NFTA_HOOK_HOOKNUM, NFTA_HOOK_PRIORITY
  const hook = nested(4, word(1, CHAINS[chain]), word(2, NF_IP_PRI_RAW));
  // NFTA_CHAIN_TABLE, _NAME, _HOOK, _POLICY, _TYPE
  const attributes = [text(1, table), text(3, chain), hook, word(5, NF_ACCEPT), text(7, 'filter')];
  return tableRequest(NFT_MSG_NEWCHAIN, NLM_F_CREATE, ...attributes);
}

/** Without a handle it means every rule of the chain. */
function rulesDelete(table: string, chain: Chain): Request {
  return tableRequest(NFT_MSG_DELRULE, 0, text(1, table), text(2, chain));
}

function rulesFor(table: string, device: string, kind: SilencedKind): Request[] {
  const from = compareName(NFT_META_IIFNAME, NFT_CMP_EQ, device);
  if (kind === 'nic') return [dropRule(table, 'nics', from)];
  const elsewhere = compareName(NFT_META_OIFNAME, NFT_CMP_NEQ, device);
  return [
    dropRule(table, 'bridges-input', from),
    dropRule(table, 'bridges-forward', [...from, ...elsewhere]),
  ];
}

/** Counts and drops what all `conditions` hold for. */
function dropRule(table: string, chain: Chain, conditions: readonly Uint8Array[]): Request {
  const expressions = nested(
    4, // NFTA_RULE_EXPRESSIONS
    ...conditions,
    expression('counter'),
    // NFTA_IMMEDIATE_DREG, _DATA { NFTA_DATA_VERDICT { NFTA_VERDICT_CODE } }
    expression('immediate', word(1, NFT_REG_VERDICT), nested(2, nested(2, word(1, NF_DROP)))),
  );
  const flags = NLM_F_CREATE | NLM_F_APPEND;
  return tableRequest(NFT_MSG_NEWRULE, flags, text(1, table), text(2, chain), expressions);
}

/** Loads a device's name (`key`) and compares it. */
function compareName(key: number, operator: number, device: string): Uint8Array[] {
  return [
    expression('meta', word(1, NFT_REG_1), word(2, key)),
    // NFTA_CMP_SREG, _OP, _DATA { NFTA_DATA_VALUE }
    expression('cmp', word(1, NFT_REG_1), word(2, operator), nested(3, value(1, device))),
  ];
}

/** NFTA_LIST_ELEM { NFTA_EXPR_NAME, NFTA_EXPR_DATA } */
function expression(name: string, ...data: Uint8Array[]): Uint8Array {
  return nested(1, text(1, name), nested(2, ...data));
}

function attribute(type: number, data: Uint8Array, isNested = false): Uint8Array {
  return Buffer.concat(pad(formatAttribute({ type, data, nested: isNested })));
}

function nested(type: number, ...parts: Uint8Array[]): Uint8Array {
  return attribute(type, Buffer.concat(parts), true);
}

function text(type: number, value: string): Uint8Array {
  return attribute(type, Buffer.from(`${value}\0`, 'utf8'));
}

/** A 32-bit word in network byte order, as nf_tables wants it. */
function word(type: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeU32(bytes, 0, value);
  return attribute(type, bytes);
}

/** A device name as the comparison sees it: all of IFNAMSIZ, filled up with zeros. */
function value(type: number, device: string): Uint8Array {
  const bytes = Buffer.alloc(IFNAMSIZ);
  bytes.write(device, 0, IFNAMSIZ - 1, 'utf8');
  return attribute(type, bytes);
}
