/**
 * RTM_*LINK: network devices. Attributes are picked one by one from the raw list: a foreign device
 * with an unexpected attribute must not hide our own.
 */

import { readHostU16, readHostU32, writeHostU32 } from '../../base/bytes.ts';
import { MAC_LENGTH, type Mac, macRead, macWrite } from '../../wire/addr.ts';
import {
  attributeEmit,
  attributeEmitText,
  attributeEmitU32,
  attributesOf,
  attributeText,
  attributeU32,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  type Request,
} from './netlink-message.ts';
import type { LinkRecord, LinkSettings } from './records.ts';

// From linux/rtnetlink.h: struct ifinfomsg and its messages.

export const LINK_HEADER_LENGTH = 16;
const LINK_HARDWARE = 2;
export const LINK_IFINDEX = 4;
const LINK_FLAGS = 8;
const LINK_CHANGE = 12;
export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
const RTM_GETLINK = 18;

// From linux/if.h.

const IFF_UP = 0x1;
const IFF_NOARP = 0x80;
const IFF_ALLMULTI = 0x200;
const IFF_MULTICAST = 0x1000;

// From linux/if_link.h.

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_TXQLEN = 13;
const IFLA_LINKINFO = 18;
const IFLA_GROUP = 27;
const IFLA_EXT_MASK = 29;
const IFLA_CARRIER = 33;
const IFLA_CARRIER_CHANGES = 35;
const IFLA_GRO_MAX_SIZE = 58;
const IFLA_GRO_IPV4_MAX_SIZE = 64;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_KIND = 4;
const IFLA_INFO_SLAVE_DATA = 5;
const IFLA_MACVLAN_MODE = 1;
const IFLA_BRPORT_STATE = 1;

/** From linux/if_bridge.h: of a port, beside disabled, listening, learning and blocking. */
const BR_STATE_FORWARDING = 3;

/** The answer need not carry counters: they cost a walk over every processor. */
const RTEXT_FILTER_SKIP_STATS = 1 << 3;
const WITHOUT_COUNTERS = attributeEmitU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);

/** One upper device that takes over the NIC with its address. */
export const MACVLAN_MODE_PASSTHRU = 8;

const NOTHING = Buffer.alloc(0);

/** The device in an RTM_NEWLINK or RTM_DELLINK; undefined for a message that is too short. */
export function linkParse(body: Buffer): LinkRecord | undefined {
  if (body.length < LINK_HEADER_LENGTH) return undefined;
  const flags = readHostU32(body, LINK_FLAGS);
  const attributes = attributesOf(body.subarray(LINK_HEADER_LENGTH));
  const address = attributes.get(IFLA_ADDRESS);
  const info = attributesOf(attributes.get(IFLA_LINKINFO) ?? NOTHING);
  const kind = attributeText(info.get(IFLA_INFO_KIND));
  return {
    ifindex: readHostU32(body, LINK_IFINDEX),
    name: attributeText(attributes.get(IFLA_IFNAME)),
    up: (flags & IFF_UP) !== 0,
    hardware: readHostU16(body, LINK_HARDWARE),
    noarp: (flags & IFF_NOARP) !== 0,
    multicast: (flags & IFF_MULTICAST) !== 0,
    allmulti: (flags & IFF_ALLMULTI) !== 0,
    carrier: attributes.get(IFLA_CARRIER)?.[0] === 1,
    carrierChanges: attributeU32(attributes.get(IFLA_CARRIER_CHANGES)),
    mtu: attributeU32(attributes.get(IFLA_MTU)),
    mac: address?.length === MAC_LENGTH ? macRead(address, 0) : 0,
    master: attributeU32(attributes.get(IFLA_MASTER)),
    forwards: portForwards(info),
    lower: attributeU32(attributes.get(IFLA_LINK)),
    kind,
    macvlanMode: kind.startsWith('macv') ? macvlanModeOf(info.get(IFLA_INFO_DATA)) : 0,
    txQueueLength: attributeU32(attributes.get(IFLA_TXQLEN)),
    groMaxSize: attributeU32(attributes.get(IFLA_GRO_MAX_SIZE)),
    groIpv4MaxSize: attributeU32(attributes.get(IFLA_GRO_IPV4_MAX_SIZE)),
  };
}

/** What is no port of a bridge, or has no state, forwards. */
function portForwards(info: Map<number, Buffer>): boolean {
  if (attributeText(info.get(IFLA_INFO_SLAVE_KIND)) !== 'bridge') return true;
  const state = attributesOf(info.get(IFLA_INFO_SLAVE_DATA) ?? NOTHING).get(IFLA_BRPORT_STATE);
  return (state?.[0] ?? BR_STATE_FORWARDING) === BR_STATE_FORWARDING;
}

function macvlanModeOf(data: Buffer | undefined): number {
  return data === undefined ? 0 : attributeU32(attributesOf(data).get(IFLA_MACVLAN_MODE));
}

/** struct ifinfomsg of any family and type. */
function linkHeader(ifindex: number, flags = 0, change = 0): Uint8Array {
  const header = new Uint8Array(LINK_HEADER_LENGTH);
  writeHostU32(header, LINK_IFINDEX, ifindex);
  writeHostU32(header, LINK_FLAGS, flags);
  writeHostU32(header, LINK_CHANGE, change);
  return header;
}

/** Asks for one device by name or index (ENODEV if there is none). */
export function linkGet(device: string | number): Request {
  const which =
    typeof device === 'number'
      ? [linkHeader(device)]
      : [linkHeader(0), attributeEmitText(IFLA_IFNAME, device)];
  const body = Buffer.concat([...which, WITHOUT_COUNTERS]);
  return { type: RTM_GETLINK, flags: NLM_F_ACK, body };
}

/** Asks for the ports of a bridge (filtered in the kernel), or for every device if 0. */
export function linkDump(master = 0): Request {
  const parts = [linkHeader(0), WITHOUT_COUNTERS];
  if (master !== 0) parts.push(attributeEmitU32(IFLA_MASTER, master));
  return { type: RTM_GETLINK, flags: NLM_F_DUMP, body: Buffer.concat(parts) };
}

/** Changes a device. */
export function linkSet(ifindex: number, settings: LinkSettings): Request {
  let flags = 0;
  let change = 0;
  const set = (flag: number, isOn: boolean | undefined): void => {
    if (isOn === undefined) return;
    change |= flag;
    if (isOn) flags |= flag;
  };
  set(IFF_UP, settings.up);
  set(IFF_NOARP, settings.noarp);
  set(IFF_ALLMULTI, settings.allmulti);
  const body = Buffer.concat([linkHeader(ifindex, flags, change), ...attributesFor(settings)]);
  return { type: RTM_NEWLINK, flags: NLM_F_ACK, body };
}

function attributesFor(settings: LinkSettings): Buffer[] {
  const words: readonly [type: number, value: number | undefined][] = [
    [IFLA_MTU, settings.mtu],
    [IFLA_MASTER, settings.master],
    [IFLA_TXQLEN, settings.txQueueLength],
    [IFLA_GRO_MAX_SIZE, settings.groMaxSize],
    [IFLA_GRO_IPV4_MAX_SIZE, settings.groIpv4MaxSize],
  ];
  const attributes = words.flatMap(([type, value]) =>
    value === undefined ? [] : [attributeEmitU32(type, value)],
  );
  if (settings.mac !== undefined)
    attributes.push(attributeEmit(IFLA_ADDRESS, macBytes(settings.mac)));
  return attributes;
}

function macBytes(mac: Mac): Uint8Array {
  const bytes = new Uint8Array(MAC_LENGTH);
  macWrite(bytes, 0, mac);
  return bytes;
}

/** Creates a macvtap in passthru mode on the device `lower`; EEXIST if the name is taken. */
export function macvtapCreate(name: string, lower: number, txQueueLength: number): Request {
  const mode = attributeEmitU32(IFLA_MACVLAN_MODE, MACVLAN_MODE_PASSTHRU);
  const kind = attributeEmitText(IFLA_INFO_KIND, 'macvtap');
  const body = Buffer.concat([
    linkHeader(0),
    attributeEmitText(IFLA_IFNAME, name),
    attributeEmitU32(IFLA_LINK, lower),
    attributeEmitU32(IFLA_TXQLEN, txQueueLength),
    attributeEmit(IFLA_LINKINFO, kind, attributeEmit(IFLA_INFO_DATA, mode)),
  ]);
  return { type: RTM_NEWLINK, flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, body };
}

/** Deletes a device. */
export function linkDelete(ifindex: number): Request {
  return { type: RTM_DELLINK, flags: NLM_F_ACK, body: linkHeader(ifindex) };
}

/** The group of devices that the one in an RTM_NEWLINK belongs to; 0: none in particular. */
export function linkGroupParse(body: Buffer): number {
  return attributeU32(attributesOf(body.subarray(LINK_HEADER_LENGTH)).get(IFLA_GROUP));
}

/**
 * Puts a device into a group, and ends its wish for all multicast: a macvtap that is deleted with
 * it leaves it to the device below.
 */
export function linkGroupSet(ifindex: number, group: number): Request {
  const header = linkHeader(ifindex, 0, IFF_ALLMULTI);
  const body = Buffer.concat([header, attributeEmitU32(IFLA_GROUP, group)]);
  return { type: RTM_NEWLINK, flags: NLM_F_ACK, body };
}

/** Deletes every device of a group. */
export function linkGroupDelete(group: number): Request {
  const body = Buffer.concat([linkHeader(0), attributeEmitU32(IFLA_GROUP, group)]);
  return { type: RTM_DELLINK, flags: NLM_F_ACK, body };
}
