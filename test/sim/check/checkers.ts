/**
 * What must hold in every world, at every moment. Each check has the name of its invariant; a
 * violation is an error with its time and what was seen.
 *
 * 1. boundOnce: an address that is up is bound to exactly one active NIC, or to none while the
 *    group has failed.
 * 2. neverUnbound: no address is unbound while any NIC of the group is active.
 * 3. framesConserved: for each port, received + injected = forwarded + punted + injected and
 *    written + dropped, no frame is dropped without a reason, and what the cable delivered is what
 *    the port received.
 * 4. countersNeverFall: neither the counters of a port nor a published kstat.
 * 5. movesAnnounced: after an address that is up has moved, its new NIC announces it.
 * 6. announcementsBounded: an address is announced at most as often as its moves and two series
 *    of its family allow in a second, counted from its being added.
 * 7. ownMacOnly: what leaves by a NIC has the NIC's MAC as source, and no other MAC is in ARP or
 *    in an option of ND, the group's least of all; and ND that leaves is well formed.
 * 8. answeredByOwner: ARP and ND of a data address are sent only by the NIC to which it is bound.
 * 9. stateTellsTruth: the group has failed exactly while it has no active NIC.
 * 10. nominationStays: one active NIC is nominated, and none other while it is active.
 * 11. routersLost: the host gives no router up because an answer of ours lacks the router flag.
 *
 * What holds for the operator's changes is in operator-checkers.ts.
 */

import type { PortCounters } from '../../../src/datapath/counters.ts';
import { ADVERTISE_AT_MS, ANNOUNCE_AT_MS, MOVES_PER_SERIES } from '../../../src/ip/claim/dad.ts';
import type { Cable, End } from '../../../src/sim/lan/cable.ts';
import type { SimNic } from '../../../src/sim/lan/nic.ts';
import { GROUP, GROUP_MAC, type SimWorld } from '../../../src/sim/world.ts';
import { collectKstats } from '../../../src/stats/kstat.ts';
import {
  type Family,
  type IpAddress,
  ipFamily,
  ipFormat,
  macFormat,
} from '../../../src/wire/addr.ts';
import { ethernetSource } from '../../../src/wire/ethernet.ts';
import { type Claim, claimOf } from './claim-of.ts';

/** T17: moves within a second are announced with the series that runs; then the second is over. */
const ANNOUNCED_WITHIN_MS = 1100;
/** The announcement was lost in a cable that failed; the next of the series must come. */
const REPEATED_WITHIN_MS = 2200;
/**
 * Two series within a second, of as many moves each, all at once; and what follows the last move of
 * each within its first second: two frames of ARP, none of neighbour discovery.
 */
export const ANNOUNCEMENTS_PER_SECOND: Readonly<Record<Family, number>> = {
  4: mostInASecond(ANNOUNCE_AT_MS),
  6: mostInASecond(ADVERTISE_AT_MS),
};

function mostInASecond(series: readonly number[]): number {
  return 2 * (MOVES_PER_SERIES + series.filter((atMs) => atMs > 0 && atMs < 1000).length);
}

/** Bindings are looked at in every step with an event, and in one of so many others. */
const BINDINGS_EVERY = 10;
/** Counters are compared in one of so many steps, and at the end. */
const COUNTERS_EVERY = 25;

type GroupRow = ReturnType<SimWorld['system']['describeGroups']>[number];

/** A frame whose sender may have lost the address while the frame was waiting to be sent. */
interface Suspicion {
  readonly address: string;
  readonly atMs: number;
  readonly what: string;
}

interface PendingAnnouncement {
  readonly ifname: string;
  readonly movedMs: number;
  readonly carrierChanges: number;
}

/** Every invariant, watched in one world from now on. */
export class Checkers {
  /** How many announcements of data addresses have been seen. */
  announcements = 0;
  readonly #world: SimWorld;
  readonly #pending = new Map<string, PendingAnnouncement>();
  readonly #announcedMs = new Map<string, number[]>();
  readonly #portCounters = new Map<number, PortCounters>();
  readonly #kstats = new Map<string, bigint>();
  /** What the port of a NIC had received before this NIC was there. */
  readonly #receivedBefore = new Map<SimNic, bigint>();
  #suspicions: Suspicion[] = [];
  #nominated: string | null = null;
  #eventsSeen: number;
  #steps = 0;
  #isSampling = false;

  constructor(world: SimWorld) {
    this.#world = world;
    this.#eventsSeen = world.events.length;
    world.checkers.push(() => this.#check());
    world.network.taps.push((cable, from, frame) => this.#tap(cable, from, frame));
  }

  /** The checks that are made now and then, made once more. */
  finish(): void {
    this.#bindings();
    this.#framesConserved();
    this.#portCountersNeverFall();
  }

  /**
   * Reads all kstats and compares them with the last reading; ends when the world goes on. One
   * at a time: of two readings under way the one that ends later may have begun earlier.
   */
  sampleKstats(): void {
    if (this.#isSampling) return;
    this.#isSampling = true;
    const { system } = this.#world;
    const task = this.#world.spawn('sample kstats', () => collectKstats(system.kstats));
    task.onSettled(() => {
      this.#isSampling = false;
      for (const { module, name, crtime, data } of task.value) {
        for (const [statistic, value] of Object.entries(data)) {
          if (typeof value !== 'bigint') continue;
          const key = `${module}:${name}:${statistic} (since ${JSON.stringify(crtime)})`;
          const before = this.#kstats.get(key) ?? 0n;
          if (value < before) this.#fail('countersNeverFall', `${key}: ${before} -> ${value}`);
          this.#kstats.set(key, value);
        }
      }
    });
  }

  #check(): void {
    const isEventful = this.#eventsSeen < this.#world.events.length;
    this.#noteMoves();
    this.#settleSuspicions();
    if (isEventful || this.#steps % BINDINGS_EVERY === 0) this.#bindings();
    this.#movesAnnounced();
    this.#routersLost();
    if (++this.#steps % COUNTERS_EVERY !== 0) return;
    this.#framesConserved();
    this.#portCountersNeverFall();
  }

  /** nominationStays; over the time in which the former one has been active all along. */
  #nomination({ nominated, active }: GroupRow): void {
    if ((nominated === null) !== (active.length === 0)) {
      this.#fail('nominationStays', `${nominated} is nominated, active are ${active}`);
    }
    if (nominated !== null && !active.includes(nominated)) {
      this.#fail('nominationStays', `${nominated} is nominated and not active`);
    }
    const former = this.#nominated;
    if (former !== null && former !== nominated && active.includes(former)) {
      const { events, nowMs } = this.#world;
      const hasRested = events.some(
        ({ event, ifname, atMs }) =>
          event === 'interface-active' && ifname === former && atMs === nowMs,
      );
      if (!hasRested) this.#fail('nominationStays', `${nominated} takes it from ${former}`);
    }
    this.#nominated = nominated;
  }

  /** boundOnce, neverUnbound, stateTellsTruth, nominationStays. */
  #bindings(): void {
    const { system } = this.#world;
    const group = system.describeGroups().find((row) => row.ifname === GROUP);
    if (group === undefined) {
      this.#nominated = null;
      return;
    }
    this.#nomination(group);
    if ((group.state === 'failed') !== (group.active.length === 0)) {
      this.#fail('stateTellsTruth', `${group.state} with active ${group.active}`);
    }
    for (const row of system.describeAddresses()) {
      if (row.type !== 'data') continue;
      // A row that is not served has another cause: a duplicate, or one that is used elsewhere.
      const isServed = row.cause === null || row.cause === 'no-interface';
      if (row.inbound === null && isServed && group.active.length > 0) {
        this.#fail('neverUnbound', `${row.address} while ${group.active} are active`);
      }
      if (row.inbound !== null && !group.active.includes(row.inbound)) {
        this.#fail('boundOnce', `${row.address} on ${row.inbound}, active are ${group.active}`);
      }
    }
  }

  #noteMoves(): void {
    const { events, nowMs, nics } = this.#world;
    for (; this.#eventsSeen < events.length; this.#eventsSeen++) {
      const event = events[this.#eventsSeen]!;
      if (event.event === 'address-removed') this.#forget(event.from?.split('/')[0] ?? '');
      if (event.event !== 'address-moved' || event.detail === null) continue;
      const { detail: address, to: ifname } = event;
      const announcedNow = this.#announcedMs.get(`${address} ${ifname}`)?.at(-1) === nowMs;
      const nic = ifname === null ? undefined : nics.get(ifname);
      if (nic === undefined || announcedNow) this.#pending.delete(address);
      else {
        const { name, carrierChanges } = nic;
        this.#pending.set(address, { ifname: name, movedMs: nowMs, carrierChanges });
      }
    }
  }

  /** An address that is added again begins anew. */
  #forget(address: string): void {
    this.#pending.delete(address);
    for (const key of this.#announcedMs.keys()) {
      if (key.startsWith(`${address} `)) this.#announcedMs.delete(key);
    }
  }

  /** answeredByOwner: the sender may have had the address until this very moment. */
  #settleSuspicions(): void {
    for (const { address, atMs, what } of this.#suspicions) {
      const moved = this.#world.events.findLast(({ event, detail }) => {
        return event === 'address-moved' && detail === address;
      });
      if (moved?.atMs !== atMs) this.#fail('answeredByOwner', what);
    }
    this.#suspicions = [];
  }

  #movesAnnounced(): void {
    const { nowMs, nics } = this.#world;
    for (const [address, { ifname, movedMs, carrierChanges }] of this.#pending) {
      const nic = nics.get(ifname);
      const isTroubled = nic?.carrierChanges !== carrierChanges;
      if (nowMs - movedMs <= (isTroubled ? REPEATED_WITHIN_MS : ANNOUNCED_WITHIN_MS)) continue;
      this.#pending.delete(address);
      const row = this.#rowOf(address);
      if (row?.state !== 'up' || row.inbound !== ifname || nic?.isUp !== true) continue;
      this.#fail('movesAnnounced', `${address} moved to ${ifname} at ${movedMs}, in silence`);
    }
  }

  /** routersLost: the only router of the world never states that it is none. */
  #routersLost(): void {
    const { routersLost } = this.#world.host.station6.discovery.counts;
    if (routersLost > 0) this.#fail('routersLost', `${routersLost} for want of the router flag`);
  }

  #framesConserved(): void {
    const { datapath, nics, system, network } = this.#world;
    for (const port of this.#ports()) {
      const counters = datapath.portCounters(port);
      const drops = datapath.portDrops(port);
      let dropped = 0n;
      for (const count of drops.values()) dropped += count;
      const came = counters.receivePackets + counters.injected;
      const written = counters.forwarded + counters.injectedTransmitted;
      const went = written + counters.punted + dropped;
      if (came !== went) this.#fail('framesConserved', `port ${port}: ${came} came, ${went} went`);
    }
    for (const [name, nic] of nics) {
      const port = system.nicOf(name);
      if (port === undefined) continue;
      const delivered = network.cables.get(name)?.counts.b.delivered ?? 0;
      const taken = BigInt(delivered - nic.device.waiting - nic.overflowed);
      const received = datapath.portCounters(port).receivePackets;
      const base = this.#receivedBefore.get(nic) ?? received - taken;
      this.#receivedBefore.set(nic, base);
      if (received - base === taken) continue;
      this.#fail('framesConserved', `${name}: ${taken} delivered, ${received - base} received`);
    }
  }

  #portCountersNeverFall(): void {
    for (const port of this.#ports()) {
      const now = this.#world.datapath.portCounters(port);
      const before = this.#portCounters.get(port);
      for (const [name, value] of Object.entries(now) as [keyof PortCounters, bigint][]) {
        const last = before?.[name] ?? 0n;
        if (value < last)
          this.#fail('countersNeverFall', `port ${port} ${name}: ${last} -> ${value}`);
      }
      this.#portCounters.set(port, now);
    }
  }

  /** ownMacOnly, answeredByOwner, announcementsBounded; and what movesAnnounced waits for. */
  #tap(cable: Cable, from: End, frame: Uint8Array): void {
    const nic = this.#world.nics.get(cable.name);
    if (nic === undefined || from !== 'a') return;
    const source = ethernetSource(frame, 0);
    if (source !== nic.mac) {
      this.#fail('ownMacOnly', `${nic.name} sent a frame from ${macFormat(source)}`);
    }
    const claim = claimOf(frame);
    if (claim === undefined) return;
    if (typeof claim === 'string') this.#fail('ownMacOnly', `${nic.name} sent ${claim}`);
    if (claim.macs.includes(GROUP_MAC)) {
      this.#fail('ownMacOnly', `${nic.name} sent ${claim.protocol} with the MAC of the group`);
    }
    if (claim.macs.some((mac) => mac !== nic.mac)) {
      this.#fail('ownMacOnly', `${nic.name} sent ${claim.protocol} with another MAC`);
    }
    this.#claimLeft(nic.name, claim);
  }

  #claimLeft(ifname: string, claim: Claim): void {
    const { nowMs } = this.#world;
    if (claim.address === undefined) return;
    const address = ipFormat(claim.address);
    if (!this.#world.host.hasAddress(address)) return;
    const row = this.#rowOf(address);
    if (row !== undefined && row.inbound !== ifname) {
      const what = `${ifname} sent ${claim.protocol} of ${address}, bound to ${row.inbound}`;
      this.#suspicions.push({ address, atMs: nowMs, what });
    }
    if (!claim.isAnnouncement) return;
    this.announcements++;
    if (this.#pending.get(address)?.ifname === ifname) this.#pending.delete(address);
    this.#announced(claim.address, ifname);
  }

  /** announcementsBounded. */
  #announced(address: IpAddress, ifname: string): void {
    const { nowMs } = this.#world;
    const text = ipFormat(address);
    const key = `${text} ${ifname}`;
    const recent = (this.#announcedMs.get(key) ?? []).filter((atMs) => nowMs - atMs < 1000);
    recent.push(nowMs);
    this.#announcedMs.set(key, recent);
    let total = 0;
    for (const [other, times] of this.#announcedMs) {
      if (other.startsWith(`${text} `)) total += times.filter((t) => nowMs - t < 1000).length;
    }
    if (total > ANNOUNCEMENTS_PER_SECOND[ipFamily(address)]) {
      this.#fail('announcementsBounded', `${text}: ${total} within a second`);
    }
  }

  /** The system's row of `address`; undefined while it has none. */
  #rowOf(address: string) {
    const rows = this.#world.system.describeAddresses();
    return rows.find((row) => row.address.startsWith(`${address}/`));
  }

  #ports(): number[] {
    const { system } = this.#world;
    const names = this.#world.options.nics.map(({ name }) => system.nicOf(name));
    return [...names, system.groupPortOf(GROUP)].filter((port) => port !== undefined);
  }

  #fail(invariant: string, what: string): never {
    throw new Error(`${invariant} at ${this.#world.nowMs.toFixed(3)} ms: ${what}`);
  }
}
