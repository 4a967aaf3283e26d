/**
 * The law of conservation under everything that makes frames end early: hostile frames from wire
 * and host, devices that refuse, cables that break, more for the control plane than it takes, and a
 * group that is deleted. What came in and went out is also counted at the devices, by the test.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { Rng } from '../../src/base/rng.ts';
import type { MemoryPort } from '../../src/sim/memory-port.ts';
import { address, address6, GROUP, type SimWorld } from '../../src/sim/world.ts';
import { collectKstats, type KstatRecord } from '../../src/stats/kstat.ts';
import { MAC_BROADCAST, macFormat, macParse } from '../../src/wire/addr.ts';
import { ARP_REQUEST, arpFrame } from '../../src/wire/arp.ts';
import { hostileFrames } from '../netns/tools/frames.ts';
import { lawBreaches, statisticOf } from '../tools/conservation.ts';
import { hostileIcmpv6 } from './hostile-icmpv6.ts';
import {
  addDaemonKstats,
  addGateway,
  GATEWAY_MAC,
  GATEWAY6,
  GATEWAY6_LOCAL,
  TESTED,
  twoNics,
} from './scene.ts';

const SEED = 20_261_123;
const ROUNDS = 100;
const PER_ROUND = 300;
const PER_ROUND6 = 150;
/** More than the queue to the control plane holds. */
const FLOOD = 600;

const ADDRESSES6 = [
  ...['fe80::10', '2001:db8::10', '2001:db8::11', '2001:db8::20'],
  ...[GATEWAY6, GATEWAY6_LOCAL, '2001:db8::99', '2001:db8:9::9'],
].map(address6);

/** Errnos that devices give: mostly none, else full, down, malformed, gone. */
const ERRORS = [0, 0, 0, 0, 11, 5, 22, 77];

/** What the devices of one side were given to be read, and what was written to them. */
interface Tally {
  delivered: number;
  written: number;
}

function tallied(devices: readonly MemoryPort[]): Tally {
  const tally: Tally = { delivered: 0, written: 0 };
  for (const device of devices) {
    const { deliver, onTransmit } = device;
    device.deliver = (frame, header) => {
      tally.delivered++;
      deliver.call(device, frame, header);
    };
    device.onTransmit = (frame) => {
      tally.written++;
      onTransmit?.(frame);
    };
  }
  return tally;
}

/** A world with the kstats of a daemon, whose queue to the datapath may lose frames. */
class CountedWorld {
  readonly world: SimWorld;
  readonly wire: Tally;
  readonly host: Tally;
  #lost = 0n;
  #losing = 0;

  constructor() {
    const world = twoNics({ seed: SEED, nics: TESTED });
    this.world = world;
    const before = world.datapath.counters.totals();
    this.wire = tallied([...world.nics.values()].map((nic) => nic.device));
    this.host = tallied([world.host.device]);
    this.wire.delivered += Number(before.receivedWire);
    this.wire.written += Number(before.transmittedWire);
    this.host.delivered += Number(before.receivedHost);
    this.host.written += Number(before.transmittedHost);
    const inject = world.datapath.inject.bind(world.datapath);
    world.datapath.inject = (port, frame) => {
      if (this.#losing === 0) return inject(port, frame);
      this.#losing--;
      this.#lost++;
    };
    addDaemonKstats(world, () => this.#lost);
    addGateway(world);
  }

  /** The next `count` frames of the control plane find no room. */
  lose(count: number): void {
    this.#losing = count;
  }

  /** Reads the kstats when nothing waits to be read by the datapath. */
  read(): KstatRecord[] {
    const { world } = this;
    ok(world.runUntil(() => this.#isAtRest(), 1000));
    return world.operate('read kstats', () => {
      return collectKstats(world.system.kstats, ({ module }) => module === 'ipmpd');
    });
  }

  #isAtRest(): boolean {
    const { host, nics } = this.world;
    const devices = [...nics.values()].map((nic) => nic.device);
    if (host.hasDevice) devices.push(host.device);
    return devices.every((device) => device.waiting === 0);
  }
}

function attack({ world }: CountedWorld, rng: Rng): void {
  const nicMacs = [...world.nics.values()].map((nic) => macFormat(nic.mac));
  const stations = {
    own: [macFormat(world.host.mac), ...nicMacs],
    others: [macFormat(GATEWAY_MAC), 'ff:ff:ff:ff:ff:ff', '01:00:5e:01:02:03'],
    addresses: ['192.0.2.1', '192.0.2.10', '192.0.2.11', '192.0.2.20', '192.0.2.99', '8.8.8.8'],
  };
  const devices = [world.host.device, ...[...world.nics.values()].map((nic) => nic.device)];
  for (const device of devices) device.transmitError = ERRORS[rng.below(ERRORS.length)]!;
  for (const frame of hostileFrames(rng, stations, PER_ROUND)) {
    devices[rng.below(devices.length)]?.deliver(frame);
  }
  const macs = [...stations.own, ...stations.others].map((text) => macParse(text)!);
  for (let sent = 0; sent < PER_ROUND6; sent++) {
    const frame = hostileIcmpv6({ rng, macs, addresses: ADDRESSES6 });
    devices[rng.below(devices.length)]?.deliver(frame);
  }
}

/** The host asks for one neighbour again and again, faster than the control plane takes it. */
function flood({ world }: CountedWorld): void {
  const question = arpFrame(MAC_BROADCAST, world.host.mac, {
    operation: ARP_REQUEST,
    senderMac: world.host.mac,
    senderAddress: address('192.0.2.10'),
    targetMac: 0,
    targetAddress: address('192.0.2.99'),
  });
  for (let i = 0; i < FLOOD; i++) world.host.device.deliver(question);
}

test(`conserved: ${ROUNDS} rounds of hostile frames, seed ${SEED}`, (t) => {
  const counted = new CountedWorld();
  const { world, wire, host } = counted;
  const rng = new Rng(SEED);
  world.runFor(12_000);
  for (let round = 0; round < ROUNDS; round++) {
    attack(counted, rng);
    if (rng.below(10) === 0) flood(counted);
    if (rng.below(8) === 0) world.cut('net0');
    if (rng.below(3) === 0) world.repair('net0');
    if (rng.below(5) === 0) counted.lose(rng.below(20));
    world.runFor(rng.below(100));
    deepEqual(lawBreaches(counted.read()), [], `round ${round}`);
  }
  const rows = counted.read();
  for (const { name, data } of rows) {
    const shown = Object.entries(data).map(([statistic, value]) => `${statistic} ${value}`);
    t.diagnostic(`${name}: ${shown.join(', ')}`);
  }
  for (const [name, atDevices] of Object.entries({
    received_wire: wire.delivered,
    received_host: host.delivered,
    transmitted_wire: wire.written,
    transmitted_host: host.written,
  })) {
    equal(statisticOf(rows, 'datapath', name), BigInt(atDevices), name);
  }
  for (const [kstat, names] of Object.entries({
    control: ['answered', 'consumed', 'dropped', 'lost', 'questions', 'wire_answers'],
    datapath: ['forwarded', 'punted', 'injected_transmitted', 'injected_dropped'],
    drops: [
      ...['punt_full', 'inject_full', 'transmit_full', 'transmit_gone'],
      ...['nd_bad_sender', 'nd_unsolicited', 'nd_redirect', 'host_advertisement'],
    ],
  })) {
    for (const name of names) ok(statisticOf(rows, kstat, name) > 0n, `no ${name}`);
  }
});

test('conserved: what the LAN of a deleted group had counted stays', () => {
  const counted = new CountedWorld();
  const { world } = counted;
  const rng = new Rng(SEED);
  world.runFor(12_000);
  for (let round = 0; round < 10; round++) {
    attack(counted, rng);
    world.runFor(100);
  }
  const before = counted.read();
  for (const name of ['net0', 'net1']) {
    world.operate(`leave ${name}`, () => world.system.leaveGroup(GROUP, name));
  }
  world.operate('delete', () => world.system.deleteGroup(GROUP));
  attack(counted, rng);
  world.runFor(100);
  const after = counted.read();
  deepEqual(lawBreaches(after), []);
  for (const name of ['taken', 'answered', 'consumed', 'sent']) {
    const [early, late] = [before, after].map((rows) => statisticOf(rows, 'control', name));
    ok(early! > 0n && late! >= early!, `${name}: ${early} -> ${late}`);
  }
});
