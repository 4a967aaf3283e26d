/** A System in virtual time with a recording publication: the set-up of the tests of this room. */

import { equal, match } from 'node:assert/strict';
import { OperatorError } from '../../../src/base/errors.ts';
import { type Operation, sleepFor, type Task } from '../../../src/base/operation.ts';
import { Rng } from '../../../src/base/rng.ts';
import type { GroupDevice } from '../../../src/ipmp/object/group.ts';
import { LINK_COUNTERS_ZERO, type LinkCounters } from '../../../src/stats/schema.ts';
import {
  type GroupSpec,
  type InterfaceSpec,
  System,
  type SystemEvent,
  type Transmission,
} from '../../../src/system.ts';
import { ipv4Format, macFormat, macRead } from '../../../src/wire/addr.ts';
import { arpIsValid, arpParse } from '../../../src/wire/arp.ts';
import { Recorder } from './recorder.ts';

const ETHERNET_HEADER_LENGTH = 14;
/** Detection and announcements are over. */
const SETTLED_MS = 30_000;
export const GROUP_MAC = 0x02_00_00_00_0f_ff;

/** MAC of interface number `n` of a bench. */
export function macOf(n: number): number {
  return 0x02_00_00_00_00_00 + n + 1;
}

/** A group specification with the defaults of the configuration. */
export function groupSpec(changes: Partial<GroupSpec> = {}): GroupSpec {
  return {
    name: 'ipmp0',
    interfaces: [],
    failureDetectionTimeMs: 1000,
    failback: true,
    flapDamping: null,
    neighbors: 1024,
    spreading: 'flow',
    forwarding: true,
    mtu: 'auto',
    ...changes,
  };
}

/** An interface specification of a plain TAP. */
export function interfaceSpec(name: string, changes: Partial<InterfaceSpec> = {}): InterfaceSpec {
  return {
    name,
    kind: 'tap',
    uplink: null,
    bridge: null,
    standby: false,
    testAddresses: [],
    ...changes,
  };
}

/** One system and its world. */
export class Bench {
  readonly publication = new Recorder();
  readonly system: System;
  /** What the drivers answer; a name that is missing counts nothing. */
  readonly counters = new Map<string, LinkCounters>();
  /** Drivers that answer late, in milliseconds; Infinity: never. */
  readonly delaysMs = new Map<string, number>();
  /** Groups whose device the system closed, with the groups shown at that moment. */
  readonly closed: { readonly name: string; readonly shown: readonly string[] }[] = [];
  /** What the host was asked to do for a group, in words. */
  readonly asked: string[] = [];
  /** The host refuses what it is asked to do for a group. */
  hostRefuses = false;
  /** Delay of its answers. */
  hostDelayMs = 0;
  nowMs = 1_000;

  constructor(choose?: (readyCount: number) => number) {
    const { counters, delaysMs, closed } = this;
    const shown = (): string[] => this.system.describeGroups().map(({ group }) => group);
    this.system = new System({
      publication: this.publication,
      rng: new Rng(1),
      nowMs: this.nowMs,
      linkStatistics: function* (_nic, ifname): Operation<LinkCounters> {
        const delayMs = delaysMs.get(ifname) ?? 0;
        if (delayMs > 0) yield* sleepFor(Math.min(delayMs, 1e9));
        return counters.get(ifname) ?? LINK_COUNTERS_ZERO;
      },
      closeGroupDevice: function* (name): Operation<void> {
        yield* sleepFor(0);
        closed.push({ name, shown: shown() });
      },
      setGroupForwarding: (name, forwarding) => this.#ask(`${name} forwards: ${forwarding}`),
      setGroupMulticast: (name, address, isMember) =>
        this.#ask(`${name} ${isMember ? 'listens to' : 'leaves'} ${address}`),
      ...(choose === undefined ? {} : { choose }),
    });
  }

  *#ask(what: string): Operation<void> {
    yield* sleepFor(this.hostDelayMs);
    if (this.hostRefuses) throw new OperatorError('EIO', 'the host refuses');
    this.asked.push(what);
  }

  /** Runs an operation to its end, in as much virtual time as it needs; throws its refusal. */
  run<T>(body: () => Operation<T>): T {
    const { scheduler } = this.system;
    const task = this.begin(body);
    while (task.state === 'running') {
      const atMs = scheduler.pollAt();
      if (!Number.isFinite(atMs)) throw new Error('the operation waits without a deadline');
      this.nowMs = Math.max(this.nowMs, atMs);
      this.system.handleTime(this.nowMs);
    }
    if (task.state !== 'done') throw task.error;
    return task.value;
  }

  /** The refusal of an operation, as `CODE sentence`. */
  refusal(body: () => Operation<unknown>): string {
    return refusalOf(() => this.run(body));
  }

  /** A bench after `build`. */
  static of(...[count, spec, standbys]: Parameters<Bench['build']>): Bench {
    const bench = new Bench();
    bench.build(count, spec, standbys);
    return bench;
  }

  /** The same with addresses of that number from 192.0.2.10 on, which are tentative. */
  static detecting(
    members: number,
    addresses: number,
    ...[spec, standbys]: [Partial<GroupSpec>?, (readonly number[])?]
  ): Bench {
    const bench = Bench.of(members, spec, standbys);
    bench.addresses(...Array.from({ length: addresses }, (_, n) => ipv4Format(0xc000020a + n)));
    bench.drain();
    return bench;
  }

  /** The same after detection; nothing is left to announce. */
  static settled(...given: Parameters<typeof Bench.detecting>): Bench {
    const bench = Bench.detecting(...given);
    bench.settle();
    return bench;
  }

  /** Interfaces net0 .. of that number, present and up, and a group of them with a device. */
  build(count: number, spec: Partial<GroupSpec> = {}, standbys: readonly number[] = []): void {
    const names = Array.from({ length: count }, (_, n) => `net${n}`);
    names.forEach((name, n) => {
      const standby = standbys.includes(n);
      this.create(name, { standby });
      this.appear(name);
    });
    this.createGroup({ interfaces: names, ...spec });
    this.groupDevice();
    this.drain();
  }

  /** Creates an interface and makes it a member; its device is absent. */
  add(name: string): void {
    this.create(name);
    this.join('ipmp0', name);
  }

  /** Begins an operation, and goes as far as it goes without the time passing. */
  begin<T>(body: () => Operation<T>): Task<T> {
    const task = this.system.scheduler.spawn('test', body);
    this.system.scheduler.run();
    return task;
  }

  // Operations that succeed; a refusal is thrown, as by `run`

  create(name: string, changes: Partial<InterfaceSpec> = {}): void {
    this.run(() => this.system.createInterface(interfaceSpec(name, changes)));
  }

  createGroup(changes: Partial<GroupSpec> = {}): void {
    this.run(() => this.system.createGroup(groupSpec(changes)));
  }

  join(group: string, name: string): void {
    this.run(() => this.system.joinGroup(group, name));
  }

  leave(group: string, name: string): void {
    this.run(() => this.system.leaveGroup(group, name));
  }

  offline(name: string): void {
    this.run(() => this.system.offlineInterface(name));
  }

  online(name: string): void {
    this.run(() => this.system.onlineInterface(name));
  }

  // What the host reports

  groupDevice(changes: Partial<GroupDevice> = {}): void {
    const info = { present: true, mac: GROUP_MAC, mtu: 1500, up: true, ...changes };
    this.system.handleGroupDevice('ipmp0', info, this.nowMs);
  }

  appear(name: string, mac = macOf(Number(/\d+$/.exec(name)?.[0])), mtu = 1500): void {
    this.system.handleDevice(name, { present: true, mac, mtu, link: 'up' }, this.nowMs);
  }

  vanish(name: string): void {
    this.system.handleDevice(name, { present: false, mac: 0, mtu: 0 }, this.nowMs);
  }

  link(name: string, link: 'up' | 'down' | 'unknown', changes = -1): void {
    this.system.handleLink(name, { link, changes }, this.nowMs);
  }

  /** The link of an interface goes down and up. */
  flap(name: string, times = 1): void {
    for (let flap = 0; flap < times; flap++) {
      this.link(name, 'down');
      this.link(name, 'up');
    }
  }

  handleFrame(name: string, frame: Uint8Array): void {
    this.system.handleFrame(this.system.nicOf(name) ?? -1, frame, this.nowMs);
  }

  /** Sets the addresses of the group's device, each with /24 or its own length. */
  addresses(...list: readonly string[]): void {
    this.system.handleHostAddresses(
      'ipmp0',
      list.map((text) => {
        const [address = '', length] = text.split('/');
        const family = address.includes(':') ? 6 : 4;
        return { address, prefixLength: Number(length ?? 24), family };
      }),
      this.nowMs,
    );
  }

  /** Lets virtual time pass, with a call at each deadline of the system. */
  advance(durationMs: number): void {
    const endMs = this.nowMs + durationMs;
    for (let rounds = 0; ; rounds++) {
      if (rounds > 100_000) throw new Error('there is always another deadline');
      const atMs = this.system.pollAt();
      if (atMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, atMs);
      this.system.handleTime(this.nowMs);
    }
    this.nowMs = endMs;
    this.system.handleTime(endMs);
  }

  /** Detection and announcements go on to their end; what they queue is dropped. */
  settle(): void {
    this.advance(SETTLED_MS);
    this.drain();
  }

  /** Takes everything that is queued, and forgets the publication's calls. */
  drain(): void {
    this.frames();
    this.events();
    while (this.system.pollHostRequest() !== undefined);
    this.publication.calls = [];
  }

  frames(): Transmission[] {
    return takeAll(() => this.system.pollTransmit());
  }

  events(): SystemEvent[] {
    return takeAll(() => this.system.pollEvent());
  }

  /** The ARP frames that are queued. */
  arps() {
    const at = ETHERNET_HEADER_LENGTH;
    const all = this.frames().filter(({ frame }) => arpIsValid(frame, at, frame.length - at));
    return all.map(({ port, frame }) => {
      const arp = arpParse(frame, at);
      return {
        port: this.system.nameOfPort(port) ?? `port ${port}`,
        operation: arp.operation,
        spa: ipv4Format(arp.senderAddress),
        tpa: ipv4Format(arp.targetAddress),
        sha: macFormat(arp.senderMac),
        source: macFormat(macRead(frame, 6)),
      };
    });
  }

  /** `address inbound` of each data address. */
  bindings(): string[] {
    return this.system
      .describeAddresses()
      .filter((row) => row.type === 'data')
      .map((row) => `${row.address.split('/')[0]} ${row.inbound ?? '-'}`);
  }

  /** Number of data addresses bound to each interface, in order of interfaces. */
  counts(): number[] {
    const rows = this.system.describeAddresses();
    return this.system
      .describeInterfaces()
      .map(({ ifname }) => rows.filter((row) => row.inbound === ifname).length);
  }

  /** What is shown of an interface. */
  row(name: string) {
    return this.system.describeInterfaces().find(({ ifname }) => ifname === name);
  }

  /** MTUs that the host has been asked for since the last time. */
  mtuRequests(): number[] {
    const requests = takeAll(() => this.system.pollHostRequest());
    return requests.flatMap((request) => (request.kind === 'group-mtu' ? [request.mtu] : []));
  }

  /** `active (waiting) [failed] {absent} <offline>` of the group. */
  members(): string {
    const [row] = this.system.describeGroups();
    if (row === undefined) return 'no group';
    const parts = [
      ...row.active,
      ...row.inactive.map((name) => `(${name})`),
      ...row.failed.map((name) => `[${name}]`),
      ...row.absent.map((name) => `{${name}}`),
      ...row.offline.map((name) => `<${name}>`),
    ];
    return `${row.state}: ${parts.join(' ')}`;
  }

  /** Queued events of these names as `event ifname from>to cause detail`, without nulls. */
  eventLines(names = /^/): string[] {
    return this.events()
      .filter(({ event }) => names.test(event))
      .map(({ event, ifname, from, to, cause, detail }) =>
        [event, ifname, `${from ?? ''}>${to ?? ''}`, cause, detail]
          .filter((part) => part !== null)
          .join(' '),
      );
  }
}

/** The refusal that a call throws, as `CODE sentence`; `done` without one. */
export function refusalOf(body: () => void): string {
  try {
    body();
  } catch (error) {
    if (error instanceof OperatorError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'done';
}

/** A call throws this refusal. */
export function refuses(expected: string | RegExp, body: () => void): void {
  if (typeof expected === 'string') equal(refusalOf(body), expected);
  else match(refusalOf(body), expected);
}

/** Everything that an operator can see of a system. */
export function describe(system: System) {
  return {
    groups: system.describeGroups(),
    interfaces: system.describeInterfaces(),
    addresses: system.describeAddresses(),
    neighbors: system.describeNeighbors(),
    multicast: system.describeMulticast(),
  };
}

function takeAll<T>(take: () => T | undefined): T[] {
  const all: T[] = [];
  for (let one = take(); one !== undefined; one = take()) all.push(one);
  return all;
}
