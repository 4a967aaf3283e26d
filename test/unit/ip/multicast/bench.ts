/** The multicast of a LAN of three NICs alone: queries arrive, and reports are read. */

import { ok } from 'node:assert/strict';
import { Rng } from '../../../../src/base/rng.ts';
import { Pace } from '../../../../src/ip/claim/pace.ts';
import { LanCounters } from '../../../../src/ip/lan-counters.ts';
import { Multicast } from '../../../../src/ip/multicast/multicast.ts';
import { Ipif } from '../../../../src/ip/object/ipif.ts';
import { type Ipv6, ipv6Format, ipv6Parse, ipv6SolicitedNode } from '../../../../src/wire/addr.ts';
import { ipv6IsValid, ipv6Source, ipv6Walk, ipv6WalkCreate } from '../../../../src/wire/ipv6.ts';
import {
  type MldQuery,
  mldGroup,
  mldIsValid,
  mldQueryFrame,
  mldReportParse,
} from '../../../../src/wire/multicast/mld.ts';
import { OTHER_MAC, World } from '../harness.ts';

export const six = (text: string): Ipv6 => ipv6Parse(text)!;
export const DATA = six('2001:db8::10');
export const GROUP = ipv6SolicitedNode(DATA);
export const QUERIER = six('fe80::1');
/** Where the packet begins in a frame, and its message. */
export const [IP, MLD] = [14, 62];

/** What a NIC has reported of one group. */
interface Reported {
  readonly atMs: number;
  readonly port: string;
  readonly type: number;
  readonly group: Ipv6;
  readonly sender: Ipv6;
}

/** A LAN of three NICs, of which the multicast alone is there. */
export class Bench {
  readonly world = new World();
  readonly counters = new LanCounters();
  readonly multicast: Multicast;
  /** Addresses that are answered for in proxy. */
  proxied: (Ipv6 | number)[] = [];

  constructor(seed = 1) {
    const { world, counters } = this;
    this.multicast = new Multicast({
      membership: world,
      output: world,
      counters,
      rng: new Rng(seed),
      pace: new Pace(() => 3),
      proxied: () => this.proxied,
    });
  }

  data(address: Ipv6, nic: number): Ipif {
    const ipif = Ipif.data(address, 64);
    this.bind(ipif, nic);
    return ipif;
  }

  bind(ipif: Ipif, nic: number): void {
    ipif.bind(this.world.ill(nic));
    this.multicast.handleBound(ipif, this.world.nowMs);
  }

  unbind(ipif: Ipif): void {
    ipif.unbind();
    this.multicast.handleUnbound(ipif);
  }

  advance(durationMs: number): void {
    const { world, multicast } = this;
    const endMs = world.nowMs + durationMs;
    for (let atMs = multicast.pollAt(); atMs <= endMs; atMs = multicast.pollAt()) {
      world.nowMs = Math.max(world.nowMs, atMs);
      multicast.handleTime(world.nowMs);
    }
    world.nowMs = endMs;
  }

  /** A query that a NIC receives; its end. */
  query(nic: number, query: Partial<MldQuery> = {}): string | undefined {
    const whole = {
      version: 2,
      group: undefined,
      maxResponseMs: 1000,
      isSuppressed: false,
      robustness: 2,
      intervalS: 125,
      sources: [],
      ...query,
    };
    return this.wire(nic, mldQueryFrame(OTHER_MAC, QUERIER, whole));
  }

  wire(nic: number, frame: Uint8Array): string | undefined {
    const { world, multicast } = this;
    return multicast.handleWireFrame(world.ill(nic), frame, world.nowMs);
  }

  /** Everything that was reported since the last call, by group; each frame is a valid one. */
  reports(): Reported[] {
    const all = this.world.take().filter(({ port }) => port !== 'host');
    return all.flatMap(({ atMs, port, frame }) => {
      const walk = ipv6WalkCreate();
      ok(ipv6IsValid(frame, IP, frame.length - IP) && ipv6Walk(frame, IP, walk));
      ok(mldIsValid(frame, IP, walk));
      const sender = ipv6Source(frame, IP);
      const records = mldReportParse(frame, MLD, frame.length - MLD);
      const version1 = [{ type: frame[MLD]!, group: mldGroup(frame, MLD) }];
      return (records ?? version1).map(({ type, group }) => ({ atMs, port, type, group, sender }));
    });
  }

  /** The same in short: NIC, type, the end of the group. */
  lines(): string[] {
    return this.reports().map(
      ({ port, type, group }) => `${port} ${type} ${ipv6Format(group).slice(-4)}`,
    );
  }
}
