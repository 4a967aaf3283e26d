/**
 * A large group without a LAN: the real system and the real forwarder over devices in memory, with
 * everything counted that is published. No station answers, so time passes fast.
 */

import { sleepFor } from '../../src/base/operation.ts';
import { Rng } from '../../src/base/rng.ts';
import type { Publication } from '../../src/datapath/tables/fib.ts';
import { GROUP_PORT_BASE } from '../../src/model/limits.ts';
import { Agenda } from '../../src/sim/agenda.ts';
import { InlineDatapath } from '../../src/sim/inline-datapath.ts';
import { MemoryPort } from '../../src/sim/memory-port.ts';
import { LINK_COUNTERS_ZERO } from '../../src/stats/schema.ts';
import { System, type SystemEvent } from '../../src/system.ts';
import { ipv4Format } from '../../src/wire/addr.ts';
import { ipv4Frame } from '../unit/datapath/harness.ts';
import { groupSpec, interfaceSpec } from '../unit/system/bench.ts';

const GROUP = 'ipmp0';
const GROUP_MAC = 0x02_00_00_00_0f_ff;
const FIRST_MAC = 0x02_00_00_00_00_01;
const PEER_MAC = 0x02_cc_00_00_00_01;
const FIRST_ADDRESS = 0x0a_00_00_01;
const PEER = '10.0.255.254';

/** Probes are over, and the addresses have been announced as often as they are. */
const SETTLED_MS = 20_000;

/** A frame that the control plane had sent. */
export interface Sent {
  readonly atMs: number;
  readonly nic: number;
  readonly frame: Uint8Array;
}

/** One group over many NICs. */
export class LargeGroup {
  readonly agenda = new Agenda();
  readonly datapath = new InlineDatapath(this.agenda);
  /** What was published, in order: `replace`, or the name of a live word's kind. */
  readonly published: string[] = [];
  readonly sent: Sent[] = [];
  readonly events: SystemEvent[] = [];
  readonly system: System;
  readonly #ports = new Map<number, MemoryPort>();

  /** A group that has settled, spread by address. */
  constructor(nics: number, addresses: number) {
    this.system = new System({
      publication: this.#counted(this.datapath.publication),
      rng: new Rng(1),
      nowMs: 0,
      linkStatistics: function* () {
        yield* sleepFor(0);
        return LINK_COUNTERS_ZERO;
      },
    });
    const names = Array.from({ length: nics }, (_, nic) => `net${nic}`);
    for (const name of names) {
      this.system.scheduler.spawn(name, () => this.system.createInterface(interfaceSpec(name)));
    }
    this.run();
    for (const [nic, name] of names.entries()) {
      this.#attach(nic);
      const info = { present: true, mac: FIRST_MAC + nic, mtu: 1500, link: 'up' } as const;
      this.system.handleDevice(name, info, 0);
    }
    const spec = groupSpec({ interfaces: names, spreading: 'address', neighbors: 65_536 });
    this.system.scheduler.spawn(GROUP, () => this.system.createGroup(spec));
    this.run();
    this.#attach(GROUP_PORT_BASE);
    this.system.handleGroupDevice(GROUP, { present: true, mac: GROUP_MAC, mtu: 1500, up: true }, 0);
    this.addresses(addresses);
    this.run(SETTLED_MS);
    this.forget();
  }

  get nowMs(): number {
    return this.agenda.nowMs;
  }

  /** The host lists so many addresses on the group's device. */
  addresses(count: number): void {
    const list = Array.from({ length: count }, (_, index) => ({
      address: ipv4Format(FIRST_ADDRESS + index),
      prefixLength: 16,
      family: 4 as const,
    }));
    this.system.handleHostAddresses(GROUP, list, this.nowMs);
  }

  /** The carrier watch sees the link of `nic` go; the control plane does not know yet. */
  loseCarrier(nic: number): void {
    this.datapath.setCarrier(nic, false);
  }

  /** The control plane receives it. */
  tellLost(nic: number): void {
    this.system.handleLink(`net${nic}`, { link: 'down', changes: -1 }, this.nowMs);
  }

  /** Goes on for `durationMs`, whatever is asked for in it. */
  run(durationMs = 0): void {
    const endMs = this.nowMs + durationMs;
    this.#take();
    while (this.system.pollAt() <= endMs) this.turn();
    this.agenda.advance(endMs);
  }

  /** One call of handleTime, at the moment that the system asks for, and what follows from it. */
  turn(): void {
    this.agenda.advance(Math.max(this.nowMs, this.system.pollAt()));
    this.system.handleTime(this.nowMs);
    this.#take();
  }

  /** A datagram of the host from each data address to a neighbour; the NICs that sent them. */
  sendFromAll(): number[] {
    const device = this.#port(GROUP_PORT_BASE);
    for (const { address } of this.system.describeAddresses()) {
      const [from = ''] = address.split('/');
      device.deliver(ipv4Frame({ destination: PEER_MAC, source: GROUP_MAC, from, to: PEER }));
    }
    this.datapath.breathe();
    const nics: number[] = [];
    for (const [port, { sent }] of this.#ports) {
      nics.push(...sent.splice(0).map(() => port));
    }
    return nics;
  }

  /** The NIC to which each address is bound. */
  bindings(): Map<string, string | null> {
    const rows = this.system.describeAddresses();
    return new Map(rows.map(({ address, inbound }) => [address, inbound]));
  }

  /** What was counted so far does not count. */
  forget(): void {
    for (const list of [this.published, this.sent, this.events]) list.length = 0;
    for (const port of this.#ports.values()) port.sent.length = 0;
  }

  #take(): void {
    for (let one = this.system.pollTransmit(); one; one = this.system.pollTransmit()) {
      // Frames to the host are about none of its addresses.
      if (one.port >= GROUP_PORT_BASE) continue;
      this.sent.push({ atMs: this.nowMs, nic: one.port, frame: one.frame });
    }
    while (this.system.pollHostRequest() !== undefined);
    for (let one = this.system.pollEvent(); one; one = this.system.pollEvent()) {
      this.events.push(one);
    }
  }

  #attach(port: number): void {
    const device = new MemoryPort();
    this.#ports.set(port, device);
    this.datapath.attach(port, device);
  }

  #port(port: number): MemoryPort {
    const device = this.#ports.get(port);
    if (device === undefined) throw new Error(`there is no port ${port}`);
    return device;
  }

  #counted(real: Publication): Publication {
    const noted =
      <What extends unknown[]>(kind: string, publish: (...what: What) => void) =>
      (...what: What): void => {
        this.published.push(kind);
        publish(...what);
      };
    return {
      replace: noted('replace', real.replace.bind(real)),
      setActiveMembers: noted('active', real.setActiveMembers.bind(real)),
      setCastMember: noted('cast', real.setCastMember.bind(real)),
      setPlacement: noted('placement', real.setPlacement.bind(real)),
      catchUp: real.catchUp.bind(real),
      takeRedirectUse: real.takeRedirectUse.bind(real),
    };
  }
}
