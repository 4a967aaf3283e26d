/**
 * Neighbour discovery of a simulated station: it resolves and answers, learns of routers, and
 * detects duplicates of its addresses (RFC 4861, RFC 4862). It may be a router itself.
 *
 * It does what the RFCs say and no more, so a system that relies on leniency is found out.
 */

import {
  IPV6_ALL_NODES,
  IPV6_ALL_ROUTERS,
  IPV6_UNSPECIFIED,
  type Ipv6,
  ipIsLinkLocal,
  ipSameSubnet,
  ipv6SolicitedNode,
  type Mac,
} from '../../wire/addr.ts';
import type { Agenda, Appointment } from '../agenda.ts';
import type { Addresses6 } from './addresses6.ts';
import { type AdvertisedPrefix, type NdMessage, ndRead, ndWrite } from './nd-message.ts';
import { NdTable } from './nd-table.ts';

type Kind = NdMessage['kind'];
type Of<K extends Kind> = NdMessage & { readonly kind: K };

/** What a router advertises. */
export interface RouterRole {
  /** Seconds for which it may be a default router; 0: it is none. */
  lifetimeS: number;
  prefixes: AdvertisedPrefix[];
}

/** The ends of a message as they were received. */
export interface NdEnds {
  readonly source: Ipv6;
  readonly destination: Ipv6;
  readonly hopLimit: number;
}

/** What discovery needs of its station. */
export interface Discovery6Owner {
  readonly agenda: Agenda;
  /** As it is at the moment. */
  mac(): Mac;
  readonly addresses: Addresses6;
  /** The address to send from towards `destination`; undefined if there is none. */
  sourceFor(destination: Ipv6): Ipv6 | undefined;
  /** The usable source of a frame that waits for an answer. */
  sourceOf(frame: Uint8Array): Ipv6 | undefined;
  /** Sends an ICMPv6 message whose checksum is empty; `mac`: to this station alone. */
  sendNd(source: Ipv6, destination: Ipv6, message: Uint8Array, mac?: Mac): void;
  /** Sends a complete frame. */
  send(frame: Uint8Array): void;
}

/** What discovery has seen. */
export interface Discovery6Counts {
  solicitations: number;
  /** Solicitations for one station alone: questions whether a neighbour is still there. */
  probes: number;
  advertisements: number;
  /** Advertisements that answer no question. */
  announcements: number;
  routerAdvertisements: number;
  /** Claims of others to an address that is in use here. */
  conflicts: number;
  /** Routers that were given up for an advertisement without the router flag (7.2.5). */
  routersLost: number;
  /** Questions that could not be asked for want of an address to ask from. */
  unasked: number;
}

/** Only what was sent on this link has it (RFC 4861 7.1.1). */
const HOP_LIMIT = 255;
/** RFC 4861 10: router solicitations at most, and the time between them. */
const SOLICITATIONS_MAX = 3;
const SOLICITATION_INTERVAL_MS = 4000;
const SLAAC_PREFIX_LENGTH = 64;

/** Discovery of one station. */
export class Discovery6 {
  readonly table: NdTable;
  readonly counts: Discovery6Counts = {
    solicitations: 0,
    probes: 0,
    advertisements: 0,
    announcements: 0,
    routerAdvertisements: 0,
    conflicts: 0,
    routersLost: 0,
    unasked: 0,
  };
  /** What it advertises as a router; undefined: it is a host. */
  role: RouterRole | undefined;
  readonly #owner: Discovery6Owner;
  /** Routers that advertised themselves, and until when each may be used. */
  readonly #routers = new Map<Ipv6, number>();
  #nextQuestion: Appointment | undefined;

  constructor(owner: Discovery6Owner) {
    this.#owner = owner;
    this.table = new NdTable({
      agenda: owner.agenda,
      ask: (target, mac, waiting) => this.#ask(target, mac, waiting),
      send: (frame) => owner.send(frame),
    });
  }

  /** The router that was advertised first of those that are still routers. */
  get router(): Ipv6 | undefined {
    const { nowMs } = this.#owner.agenda;
    for (const [router, untilMs] of this.#routers) if (untilMs > nowMs) return router;
    return undefined;
  }

  /** Forgets neighbours and routers, and asks for them no more. */
  clear(): void {
    this.#owner.agenda.cancel(this.#nextQuestion);
    this.#nextQuestion = undefined;
    this.table.clear();
    this.#routers.clear();
  }

  /** Asks whether another station has `target` (RFC 4862 5.4.2). */
  probe(target: Ipv6, nonce: number): void {
    const question = { kind: 'solicitation', target, sourceMac: undefined, nonce } as const;
    this.#send(IPV6_UNSPECIFIED, ipv6SolicitedNode(target), question);
  }

  /** Advertises `target` to all, unasked (RFC 4861 7.2.6), with the fields of `claim`. */
  announce(target: Ipv6, claim: Partial<Omit<Of<'advertisement'>, 'kind' | 'target'>> = {}): void {
    this.#send(target, IPV6_ALL_NODES, { ...this.#advertisement(target, false), ...claim });
  }

  /** Asks for routers until one answers, three times at most (RFC 4861 6.3.7). */
  solicitRouters(tries = SOLICITATIONS_MAX): void {
    const { agenda } = this.#owner;
    agenda.cancel(this.#nextQuestion);
    this.#nextQuestion = undefined;
    if (tries === 0 || this.router !== undefined) return;
    const source = this.#owner.sourceFor(IPV6_ALL_ROUTERS) ?? IPV6_UNSPECIFIED;
    const sourceMac = source === IPV6_UNSPECIFIED ? undefined : this.#owner.mac();
    this.#send(source, IPV6_ALL_ROUTERS, { kind: 'router-solicitation', sourceMac });
    this.#nextQuestion = agenda.after(SOLICITATION_INTERVAL_MS, () =>
      this.solicitRouters(tries - 1),
    );
  }

  /** Advertises its role to all hosts, or to the host `destination`. */
  advertiseRouter(destination: Ipv6 = IPV6_ALL_NODES): void {
    const source = this.#owner.sourceFor(IPV6_ALL_NODES);
    if (this.role === undefined || source === undefined) return;
    const { lifetimeS, prefixes } = this.role;
    const fixed = { kind: 'router-advertisement', lifetimeS, prefixes } as const;
    const message = ndWrite({ ...fixed, sourceMac: this.#owner.mac() });
    const mac = this.table.lookUp(destination)?.mac;
    this.#owner.sendNd(source, destination, message, mac);
  }

  /** A message has come whose checksum is right; false if it is of no interest, or malformed. */
  handleMessage(ends: NdEnds, bytes: Uint8Array): boolean {
    const message = ends.hopLimit === HOP_LIMIT ? ndRead(bytes) : undefined;
    switch (message?.kind) {
      case 'solicitation':
        return this.#takeSolicitation(ends, message);
      case 'advertisement':
        return this.#takeAdvertisement(ends, message);
      case 'router-solicitation':
        return this.#takeRouterSolicitation(ends, message);
      case 'router-advertisement':
        return this.#takeRouterAdvertisement(ends, message);
      default:
        return false;
    }
  }

  #takeSolicitation(ends: NdEnds, { target, sourceMac, nonce }: Of<'solicitation'>): boolean {
    const { addresses } = this.#owner;
    const { source, destination } = ends;
    const isToAll = destination === ipv6SolicitedNode(target);
    const isProbe = source === IPV6_UNSPECIFIED;
    // RFC 4861 7.1.1: without a source it is for the group and has no option.
    if (isProbe && (sourceMac !== undefined || !isToAll)) return false;
    this.counts.solicitations++;
    if (!isToAll) this.counts.probes++;
    const own = addresses.find(target);
    if (own === undefined) return true;
    if (own.state !== 'preferred') {
      // RFC 7527 4.2: the own question that came back has the own nonce.
      if (isProbe && nonce !== own.nonce) addresses.handleConflict(target);
      return true;
    }
    if (!isProbe && sourceMac !== undefined) this.table.learnSource(source, sourceMac);
    const answer = this.#advertisement(target, !isProbe);
    if (isProbe) this.#send(target, IPV6_ALL_NODES, answer);
    else this.#send(target, source, answer, sourceMac);
    return true;
  }

  #takeAdvertisement({ destination }: NdEnds, message: Of<'advertisement'>): boolean {
    const { addresses } = this.#owner;
    const { target, isSolicited, isRouter } = message;
    // RFC 4861 7.1.2: an answer to one question is not for all.
    if (isSolicited && destination === IPV6_ALL_NODES) return false;
    this.counts.advertisements++;
    if (!isSolicited) this.counts.announcements++;
    if (addresses.find(target) !== undefined) {
      if (!addresses.handleConflict(target) && addresses.isUsable(target)) this.counts.conflicts++;
      return true;
    }
    const isTaken = this.table.learnAdvertised(message);
    if (isTaken && !isRouter && this.#routers.delete(target)) this.counts.routersLost++;
    return true;
  }

  #takeRouterSolicitation(ends: NdEnds, { sourceMac }: Of<'router-solicitation'>): boolean {
    const { source } = ends;
    if (this.role === undefined) return false;
    if (source === IPV6_UNSPECIFIED) {
      if (sourceMac !== undefined) return false;
    } else if (sourceMac !== undefined) this.table.learnSource(source, sourceMac);
    this.advertiseRouter();
    return true;
  }

  #takeRouterAdvertisement(ends: NdEnds, message: Of<'router-advertisement'>): boolean {
    const { source } = ends;
    if (this.role !== undefined || !ipIsLinkLocal(source)) return false;
    this.counts.routerAdvertisements++;
    const { lifetimeS, sourceMac, prefixes } = message;
    if (sourceMac !== undefined) this.table.learnSource(source, sourceMac);
    if (lifetimeS === 0) this.#routers.delete(source);
    else this.#routers.set(source, this.#owner.agenda.nowMs + lifetimeS * 1000);
    for (const prefix of prefixes) this.#takePrefix(prefix);
    return true;
  }

  /** RFC 4862 5.5.3: an address of the prefix, with the identifier that the MAC gives. */
  #takePrefix({ prefix, prefixLength, isAutonomous, validS }: AdvertisedPrefix): void {
    const { addresses } = this.#owner;
    if (!isAutonomous || validS === 0 || prefixLength !== SLAAC_PREFIX_LENGTH) return;
    if (ipIsLinkLocal(prefix)) return;
    const hasOne = addresses.list.some(
      ({ address, isAutomatic }) => isAutomatic && ipSameSubnet(address, prefix, prefixLength),
    );
    if (hasOne) return;
    addresses.add(prefix | interfaceIdentifier(this.#owner.mac()), prefixLength, {
      isAutomatic: true,
    });
  }

  #ask(target: Ipv6, mac: Mac | undefined, waiting: Uint8Array | undefined): void {
    const waitingSource = waiting === undefined ? undefined : this.#owner.sourceOf(waiting);
    const source = waitingSource ?? this.#owner.sourceFor(target);
    if (source === undefined) {
      this.counts.unasked++;
      return;
    }
    const fixed = { kind: 'solicitation', target, nonce: undefined } as const;
    const question = { ...fixed, sourceMac: this.#owner.mac() };
    this.#send(source, mac === undefined ? ipv6SolicitedNode(target) : target, question, mac);
  }

  #advertisement(target: Ipv6, isSolicited: boolean): Of<'advertisement'> {
    const isRouter = this.role !== undefined;
    const fixed = { kind: 'advertisement', target, isRouter, isSolicited } as const;
    return { ...fixed, isOverride: true, targetMac: this.#owner.mac() };
  }

  #send(source: Ipv6, destination: Ipv6, message: NdMessage, mac?: Mac): void {
    this.#owner.sendNd(source, destination, ndWrite(message), mac);
  }
}

/** The modified EUI-64 of a MAC (RFC 4291, appendix A). */
export function interfaceIdentifier(mac: Mac): Ipv6 {
  const bits = BigInt(mac);
  const universal = 1n << 57n;
  return (((bits >> 24n) << 40n) | (0xfffen << 24n) | (bits & 0xffffffn)) ^ universal;
}
