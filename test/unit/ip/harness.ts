/** A LAN with three NICs, a clock of its own and everything it sends written down. */

import { Rng } from '../../../src/base/rng.ts';
import { Lan } from '../../../src/ip/lan.ts';
import type { LanEvent, LanMembership, LanOutput } from '../../../src/ip/lan-port.ts';
import { YIELD_MS } from '../../../src/ip/neighbor/nce.ts';
import type { Ill } from '../../../src/ip/object/ill.ts';
import { Ipif } from '../../../src/ip/object/ipif.ts';
import { Phyint } from '../../../src/ip/object/phyint.ts';
import { IFA_F_PERMANENT } from '../../../src/model/address-flags.ts';
import type { DropReason } from '../../../src/stats/drop-reasons.ts';
import {
  type Family,
  type IpAddress,
  type Ipv4,
  ipv4Parse,
  MAC_BROADCAST,
  type Mac,
  macParse,
} from '../../../src/wire/addr.ts';
import { ARP_REPLY, ARP_REQUEST, arpFrame, arpParse } from '../../../src/wire/arp.ts';
import {
  ETHERTYPE_IPV6,
  ethernetDestination,
  ethernetIsGroup,
  ethernetSource,
  ethernetType,
} from '../../../src/wire/ethernet.ts';
import { ndPacket, ndReply, ndRequest, type Packet } from './nd-messages.ts';

export const GROUP_MAC = mac('02:00:00:00:0f:00');
/** The MACs of the three NICs. */
export const NET0 = mac('02:00:00:00:00:01');
export const NET1 = mac('02:00:00:00:00:02');
export const NET2 = mac('02:00:00:00:00:03');
export const GATEWAY = ip('192.0.2.1');
export const GATEWAY_MAC = mac('52:54:00:00:00:01');
export const OTHER_MAC = mac('52:54:00:00:00:99');
/** Another device of the host, which is not ours. */
export const HOST_OTHER = mac('52:54:00:00:00:77');
export const DATA = ip('192.0.2.10');
export const TEST = ip('192.0.2.21');
const DATA_IPV6 = (0x20010db8n << 96n) | BigInt(DATA);

export function ip(text: string): Ipv4 {
  return ipv4Parse(text)!;
}

export function mac(text: string): Mac {
  return macParse(text)!;
}

/**
 * A frame that the LAN sent, and its message about neighbours; `port` is the name of a NIC, or
 * `host`.
 */
export interface Sent extends Packet {
  readonly atMs: number;
  readonly port: string;
  readonly frame: Uint8Array;
  /** The broadcast address for a frame to any group. */
  readonly destination: Mac;
  readonly source: Mac;
  readonly arp: Packet;
}

export interface WorldOptions {
  readonly neighborLimit?: number;
  readonly seed?: number;
  /** Of the address that the host asks from; of IPv6 only messages about neighbours are noted. */
  readonly family?: Family;
}

export class World implements LanMembership, LanOutput {
  readonly ifaces: Phyint[];
  readonly ipifs = new Map<IpAddress, Ipif>();
  readonly sent: Sent[] = [];
  readonly events: LanEvent[] = [];
  readonly drops = new Map<DropReason, number>();
  readonly redirects = new Map<Mac, Mac>();
  /** Redirected MACs that the host has sent to. */
  readonly used = new Set<Mac>();
  readonly lan: Lan;
  readonly #family: Family | undefined;
  cast: Ill | undefined;
  hostUp = true;
  router = false;
  nowMs = 1_000_000;

  constructor(options: WorldOptions = {}) {
    this.ifaces = [0, 1, 2].map((nic) => {
      const phyint = new Phyint({ name: `net${nic}`, nic });
      phyint.physAddr = [NET0, NET1, NET2][nic]!;
      phyint.present = true;
      phyint.link = 'up';
      return phyint;
    });
    this.cast = this.ill(0);
    this.#family = options.family;
    const rng = new Rng(options.seed ?? 1);
    const limit = options.neighborLimit;
    const given = limit === undefined ? {} : { neighborLimit: limit };
    this.lan = new Lan({ membership: this, output: this, rng, ...given });
  }

  /** The address that the host asks from. */
  get data(): IpAddress {
    return dataOf(this.#family === 6 ? 0n : 0);
  }

  ill(nic: number): Ill {
    return this.ifaces[nic]!.ill;
  }

  /** A data address that is up and bound, its announcements over. */
  addData(address: IpAddress, nic: number): Ipif {
    const ipif = Ipif.data(address, prefixOf(address));
    this.ipifs.set(address, ipif);
    ipif.state = 'up';
    this.bind(ipif, nic);
    this.advance(9000);
    this.sent.length = 0;
    return ipif;
  }

  /** A test address whose detection is over. */
  addTest(address: IpAddress, nic: number): Ipif {
    const ipif = Ipif.test(address, prefixOf(address), this.ill(nic));
    this.ipifs.set(address, ipif);
    this.lan.addressBound(ipif, 'initial', this.nowMs);
    this.advance(10_000);
    this.sent.length = 0;
    return ipif;
  }

  bind(ipif: Ipif, nic: number): void {
    ipif.bind(this.ill(nic));
    this.lan.addressBound(ipif, 'rebind', this.nowMs);
  }

  unbind(ipif: Ipif): void {
    ipif.unbind();
    this.lan.addressUnbound(ipif);
  }

  move(ipif: Ipif, nic: number): void {
    ipif.unbind();
    this.bind(ipif, nic);
  }

  /** Lets `durationMs` pass, stopping at each deadline of the LAN. */
  advance(durationMs: number): void {
    const endMs = this.nowMs + durationMs;
    for (let atMs = this.lan.pollAt(); atMs <= endMs; atMs = this.lan.pollAt()) {
      this.nowMs = Math.max(this.nowMs, atMs);
      this.lan.handleTime(this.nowMs);
    }
    this.nowMs = endMs;
  }

  wire(nic: number, frame: Uint8Array): void {
    this.lan.handleWireFrame(this.ill(nic), frame, this.nowMs);
  }

  host(frame: Uint8Array): void {
    this.lan.handleHostFrame(frame, this.nowMs);
  }

  hostAsks(target: IpAddress, spa?: IpAddress, destination: Mac = MAC_BROADCAST): void {
    this.host(request(GROUP_MAC, spa ?? dataOf(target), target, destination));
  }

  /** Takes what was sent so far. */
  take(port?: string): Sent[] {
    const taken = this.sent.filter((one) => port === undefined || one.port === port);
    this.sent.length = 0;
    return taken;
  }

  dropped(reason: DropReason): number {
    return this.drops.get(reason) ?? 0;
  }

  stateOf(address: IpAddress): string | undefined {
    return this.lan.neighbors().find((row) => row.address === address)?.state;
  }

  /** Makes `address` a confirmed neighbour. */
  confirm(address: IpAddress, at: Mac): void {
    this.hostAsks(address);
    this.wire(0, reply(at, address, this.ill(0).physAddr, dataOf(address)));
    this.take();
  }

  /** The neighbour answers, from `at`, what it was asked last. */
  answer(address: IpAddress, at: Mac): void {
    const asked = this.sent.findLast(({ port, arp }) => {
      return port !== 'host' && arp.operation === ARP_REQUEST && arp.targetAddress === address;
    })!;
    const nic = this.ifaces.findIndex(({ name }) => name === asked.port);
    this.wire(nic, reply(at, address, asked.source, asked.senderAddress));
  }

  /** A neighbour sends from another MAC, and answers from there alone. */
  neighborMoves(address: IpAddress, at: Mac): void {
    this.wire(0, request(at, address, address));
    this.answer(address, at);
    this.advance(YIELD_MS);
  }

  castIll(): Ill | undefined {
    return this.cast;
  }

  ills(): Iterable<Ill> {
    return this.ifaces.map((phyint) => phyint.ill);
  }

  activeIlls(): readonly Ill[] {
    return this.ifaces.map((phyint) => phyint.ill);
  }

  isRouter(): boolean {
    return this.router;
  }

  isHostUp(): boolean {
    return this.hostUp;
  }

  isHostMac(address: Mac): boolean {
    return address === HOST_OTHER;
  }

  isOwnMac(address: Mac): boolean {
    return address === GROUP_MAC || this.ifaces.some((phyint) => phyint.physAddr === address);
  }

  findIpif(address: IpAddress): Ipif | undefined {
    return this.ipifs.get(address);
  }

  groupMac(): Mac {
    return GROUP_MAC;
  }

  probeIll(): Ill | undefined {
    return this.cast;
  }

  toWire(ill: Ill, frame: Uint8Array): void {
    this.#write(ill.name, frame);
  }

  toHost(frame: Uint8Array): void {
    this.#write('host', frame);
  }

  redirect(from: Mac, to: Mac): void {
    this.redirects.set(from, to);
  }

  unredirect(from: Mac): void {
    this.redirects.delete(from);
  }

  takeRedirectUse(from: Mac): boolean {
    return this.used.delete(from);
  }

  event(event: LanEvent): void {
    this.events.push(event);
  }

  drop(reason: DropReason): void {
    this.drops.set(reason, this.dropped(reason) + 1);
  }

  #write(port: string, frame: Uint8Array): void {
    const destination = ethernetIsGroup(frame, 0) ? MAC_BROADCAST : ethernetDestination(frame, 0);
    const source = ethernetSource(frame, 0);
    const isIpv6 = ethernetType(frame, 0) === ETHERTYPE_IPV6;
    const nd = isIpv6 ? ndPacket(frame) : undefined;
    if (isIpv6 && nd === undefined && this.#family !== undefined) return;
    const arp = nd ?? arpParse(frame, 14);
    this.sent.push({ ...arp, atMs: this.nowMs, port, frame, destination, source, arp });
  }
}

/** These fields of each row. */
export function columns<Row, Key extends keyof Row>(rows: readonly Row[], ...keys: Key[]) {
  return rows.map((row) => keys.map((key) => row[key]));
}

/** A question of the station `sha`, to all unless `destination` is given. */
export function request(
  sha: Mac,
  spa: IpAddress,
  tpa: IpAddress,
  destination = MAC_BROADCAST,
): Uint8Array {
  if (typeof spa === 'bigint' && typeof tpa === 'bigint') {
    return ndRequest(sha, spa, tpa, destination);
  }
  const sender = { senderMac: sha, senderAddress: Number(spa) };
  const target = { targetMac: 0, targetAddress: Number(tpa) };
  return arpFrame(destination, sha, { operation: ARP_REQUEST, ...sender, ...target });
}

/** An answer of the station `sha` for `spa`, to the station `tha`. */
export function reply(sha: Mac, spa: IpAddress, tha: Mac, tpa: IpAddress): Uint8Array {
  if (typeof spa === 'bigint' && typeof tpa === 'bigint') return ndReply(sha, spa, tha, tpa);
  const sender = { senderMac: sha, senderAddress: Number(spa) };
  const target = { targetMac: tha, targetAddress: Number(tpa) };
  return arpFrame(tha, sha, { operation: ARP_REPLY, ...sender, ...target });
}

/** Sender and target address are one. */
export function isAnnouncement(one: Sent): boolean {
  return one.senderAddress === one.targetAddress;
}

/** The address DATA, new and bound to a NIC: its detection begins. */
export function beginDetection(
  world: World,
  nic = 0,
  address: IpAddress = world.data,
  hostFlags = IFA_F_PERMANENT,
): Ipif {
  const ipif = Ipif.data(address, prefixOf(address), hostFlags);
  world.ipifs.set(address, ipif);
  ipif.bind(world.ill(nic));
  world.lan.addressBound(ipif, 'initial', world.nowMs);
  return ipif;
}

/** A world with the address DATA on its first NIC. */
export function worldWithData(options: WorldOptions = {}): World {
  const world = new World(options);
  world.addData(DATA, 0);
  return world;
}

/** DATA, in the family of `address`. */
function dataOf(address: IpAddress): IpAddress {
  return typeof address === 'number' ? DATA : DATA_IPV6;
}

function prefixOf(address: IpAddress): number {
  return typeof address === 'number' ? 24 : 120;
}
