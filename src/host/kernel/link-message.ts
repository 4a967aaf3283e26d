/**
 * RTM_*LINK: network devices. Attributes are picked one by one from the raw list: a foreign device
 * with an attribute that nobody expected must not make us blind to our own.
 */

import {
  __LENGTH_Link,
  type DeviceFlags,
  formatLink,
  type Link,
  MessageType,
  parseLink,
} from 'netlink/dist/rt/gen_structs.js';
import { formatInfo, formatMacvlan } from 'netlink/dist/rt/ifla.js';
import { AttrStream, putString, putU32 } from 'netlink/dist/structs.js';
import { MAC_LENGTH, type Mac, macRead, macWrite } from '../../wire/addr.ts';
import {
  attributesOf,
  attributeText,
  attributeU32,
  bodyEmit,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  type Request,
} from './netlink-message.ts';
import type { LinkRecord, LinkSettings } from './records.ts';

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

/** One upper device that takes over the NIC with its address. */
export const MACVLAN_MODE_PASSTHRU = 8;

const NOTHING = Buffer.alloc(0);

/** The device in an RTM_NEWLINK or RTM_DELLINK; undefined for a message that is too short. */
export function linkParse(body: Buffer): LinkRecord | undefined {
  if (body.length < __LENGTH_Link) return undefined;
  const header = parseLink(body.subarray(0, __LENGTH_Link));
  const attributes = attributesOf(body.subarray(__LENGTH_Link));
  const address = attributes.get(IFLA_ADDRESS);
  const info = attributesOf(attributes.get(IFLA_LINKINFO) ?? NOTHING);
  const kind = attributeText(info.get(IFLA_INFO_KIND));
  const flags = header.flags ?? {};
  return {
    ifindex: header.index ?? 0,
    name: attributeText(attributes.get(IFLA_IFNAME)),
    up: flags.up === true,
    noarp: flags.noarp === true,
    allmulti: flags.allmulti === true,
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

/** What is no port of a bridge, or does not say, keeps nothing back. */
function portForwards(info: Map<number, Buffer>): boolean {
  if (attributeText(info.get(IFLA_INFO_SLAVE_KIND)) !== 'bridge') return true;
  const state = attributesOf(info.get(IFLA_INFO_SLAVE_DATA) ?? NOTHING).get(IFLA_BRPORT_STATE);
  return (state?.[0] ?? BR_STATE_FORWARDING) === BR_STATE_FORWARDING;
}

function macvlanModeOf(data: Buffer | undefined): number {
  return data === undefined ? 0 : attributeU32(attributesOf(data).get(IFLA_MACVLAN_MODE));
}

/** Asks for one device by name or index (ENODEV if there is none). */
export function linkGet(device: string | number): Request {
  const index = typeof device === 'number' ? { index: device } : {};
  const body = bodyEmit(formatLink(index), (out) => {
    if (typeof device === 'string') out.push(IFLA_IFNAME, putString(device));
    out.push(IFLA_EXT_MASK, putU32(RTEXT_FILTER_SKIP_STATS));
  });
  return { type: MessageType.GETLINK, flags: NLM_F_ACK, body };
}

/** Asks for the ports of a bridge (filtered in the kernel), or for every device if 0. */
export function linkDump(master = 0): Request {
  const body = bodyEmit(formatLink({}), (out) => {
    out.push(IFLA_EXT_MASK, putU32(RTEXT_FILTER_SKIP_STATS));
    if (master !== 0) out.push(IFLA_MASTER, putU32(master));
  });
  return { type: MessageType.GETLINK, flags: NLM_F_DUMP, body };
}

/** Changes a device. */
export function linkSet(ifindex: number, settings: LinkSettings): Request {
  const flags: DeviceFlags = {};
  const change: DeviceFlags = {};
  const set = (flag: 'up' | 'noarp' | 'allmulti'): void => {
    if (settings[flag] === undefined) return;
    change[flag] = true;
    if (settings[flag]) flags[flag] = true;
  };
  set('up');
  set('noarp');
  set('allmulti');
  const header: Link = { index: ifindex, flags, change };
  const body = bodyEmit(formatLink(header), (out) => pushSettings(out, settings));
  return { type: MessageType.NEWLINK, flags: NLM_F_ACK, body };
}

function pushSettings(out: AttrStream, settings: LinkSettings): void {
  const push = (type: number, value: number | undefined): void => {
    if (value !== undefined) out.push(type, putU32(value));
  };
  push(IFLA_MTU, settings.mtu);
  push(IFLA_MASTER, settings.master);
  push(IFLA_TXQLEN, settings.txQueueLength);
  push(IFLA_GRO_MAX_SIZE, settings.groMaxSize);
  push(IFLA_GRO_IPV4_MAX_SIZE, settings.groIpv4MaxSize);
  if (settings.mac !== undefined) out.push(IFLA_ADDRESS, macBytes(settings.mac));
}

function macBytes(mac: Mac): Uint8Array {
  const bytes = new Uint8Array(MAC_LENGTH);
  macWrite(bytes, 0, mac);
  return bytes;
}

/** Creates a macvtap in passthru mode on the device `lower`; EEXIST if the name is taken. */
export function macvtapCreate(name: string, lower: number, txQueueLength: number): Request {
  const body = bodyEmit(formatLink({}), (out) => {
    out.push(IFLA_IFNAME, putString(name));
    out.push(IFLA_LINK, putU32(lower));
    out.push(IFLA_TXQLEN, putU32(txQueueLength));
    out.push(IFLA_LINKINFO, formatInfo({ kind: 'macvtap', data: macvlanData() }));
  });
  return {
    type: MessageType.NEWLINK,
    flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
    body,
  };
}

function macvlanData(): Buffer {
  const out = new AttrStream();
  out.emit(formatMacvlan({ mode: MACVLAN_MODE_PASSTHRU }));
  return Buffer.concat(out.bufs);
}

/** Deletes a device. */
export function linkDelete(ifindex: number): Request {
  const body = bodyEmit(formatLink({ index: ifindex }));
  return { type: MessageType.DELLINK, flags: NLM_F_ACK, body };
}

/** The group of devices that the one in an RTM_NEWLINK belongs to; 0: none in particular. */
export function linkGroupParse(body: Buffer): number {
  return attributeU32(attributesOf(body.subarray(__LENGTH_Link)).get(IFLA_GROUP));
}

/**
 * Puts a device into a group, and ends its wish for all multicast: a macvtap that is deleted with
 * it leaves it to the device beneath.
 */
export function linkGroupSet(ifindex: number, group: number): Request {
  const header: Link = { index: ifindex, flags: {}, change: { allmulti: true } };
  const body = bodyEmit(formatLink(header), (out) => {
    out.push(IFLA_GROUP, putU32(group));
  });
  return { type: MessageType.NEWLINK, flags: NLM_F_ACK, body };
}

/** Deletes every device of a group. */
export function linkGroupDelete(group: number): Request {
  const body = bodyEmit(formatLink({}), (out) => out.push(IFLA_GROUP, putU32(group)));
  return { type: MessageType.DELLINK, flags: NLM_F_ACK, body };
}
