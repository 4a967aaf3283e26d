/** The checkers themselves: each notices what it is there for. */

import { doesNotThrow, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { HOST, perform } from '../../../src/sim/act.ts';
import { Station6 } from '../../../src/sim/lan/station6.ts';
import { address, address6, GROUP_MAC, type SimWorld } from '../../../src/sim/world.ts';
import { MAC_BROADCAST } from '../../../src/wire/addr.ts';
import { ARP_REPLY, ARP_REQUEST, arpFrame } from '../../../src/wire/arp.ts';
import { addGateway, GATEWAY_MAC, GATEWAY_NAME, GATEWAY6_LOCAL, ping, twoNics } from '../scene.ts';
import { ANNOUNCEMENTS_PER_SECOND, Checkers } from './checkers.ts';

const FIRST = address('192.0.2.10');
const FIRST6 = address6('2001:db8::10');
const STRANGER = 0x020000000bad;
/** Places in a frame of discovery. */
const HOP_LIMIT = 21;
const CHECKSUM = 56;

function quietWorld(): { world: SimWorld; checkers: Checkers } {
  const world = twoNics();
  const checkers = new Checkers(world);
  world.runFor(20_000);
  return { world, checkers };
}

/** A frame of ARP that leaves by the NIC of that name. */
function leave(world: SimWorld, name: string, source: number, operation: number): void {
  const packet = { operation, senderMac: source, senderAddress: FIRST, targetMac: 0 };
  const targetAddress = operation === ARP_REQUEST ? FIRST : address('192.0.2.1');
  const frame = arpFrame(MAC_BROADCAST, source, { ...packet, targetAddress });
  world.network.cables.get(name)?.transmit('a', frame);
}

test('a quiet world gives no complaint', () => {
  const { world, checkers } = quietWorld();
  world.runFor(1000);
  doesNotThrow(() => checkers.finish());
});

test('ownMacOnly: a frame with another source', () => {
  const { world } = quietWorld();
  throws(() => leave(world, 'net0', STRANGER, ARP_REPLY), /ownMacOnly/);
});

type Claimed = Parameters<Station6['discovery']['announce']>[1];

/** An advertisement of an IPv6 address of the host, which leaves by net0; `spoil` changes it. */
function advertise(world: SimWorld, claimed: Claimed, spoil?: (frame: Uint8Array) => void): void {
  const { mac } = world.nic('net0');
  const send = (frame: Uint8Array): void => {
    spoil?.(frame);
    world.network.cables.get('net0')?.transmit('a', frame);
  };
  const station = new Station6({ name: 'net0', mac, agenda: world.agenda, send });
  station.discovery.announce(FIRST6, claimed);
}

test('ownMacOnly: discovery with the MAC of the group, or of a stranger, in its option', () => {
  for (const targetMac of [GROUP_MAC, STRANGER]) {
    const { world } = quietWorld();
    throws(() => advertise(world, { targetMac }), /ownMacOnly.* sent ND with/);
  }
});

test('ownMacOnly: discovery that no station may send', () => {
  for (const [place, value, complaint] of [
    [HOP_LIMIT, 64, /beyond the link/],
    [CHECKSUM, 0x55, /wrong checksum/],
  ] as const) {
    const { world } = quietWorld();
    const spoil = (frame: Uint8Array): void => void frame.fill(value, place, place + 1);
    throws(() => advertise(world, {}, spoil), complaint);
  }
});

test('answeredByOwner: a NIC advertises an address that is not bound to it', () => {
  const { world } = quietWorld();
  world.host.addAddress('2001:db8::10/64');
  world.runFor(10);
  advertise(world, {});
  throws(() => world.runFor(1), /answeredByOwner.* sent ND/);
});

test('answeredByOwner: the wrong NIC answers for an address', () => {
  const { world } = quietWorld();
  const wrong = world.boundNic('192.0.2.10') === 'net0' ? 'net1' : 'net0';
  leave(world, wrong, world.nic(wrong).mac, ARP_REPLY);
  throws(() => world.runFor(1), /answeredByOwner/);
});

/** One announcement of a data address of each family, by the NIC that has it. */
const ANNOUNCE = {
  4: (world: SimWorld): void => {
    const name = world.boundNic('192.0.2.10') ?? '';
    leave(world, name, world.nic(name).mac, ARP_REQUEST);
  },
  6: (world: SimWorld): void => advertise(world, {}),
};

for (const family of [4, 6] as const) {
  test(`announcementsBounded: more than a series of IPv${family} within a second`, () => {
    const { world } = quietWorld();
    const announce = (): void => ANNOUNCE[family](world);
    for (let count = 0; count < ANNOUNCEMENTS_PER_SECOND[family]; count++) announce();
    throws(announce, /announcementsBounded/);
  });
}

test('routersLost: the host gets an answer for its router without the router flag', () => {
  const { world } = quietWorld();
  addGateway(world);
  world.runFor(1000);
  perform(world, { kind: 'advertise', station: GATEWAY_NAME, prefix: null, lifetimeS: 1800 });
  ping(world, HOST, GATEWAY6_LOCAL, 100);
  world.runFor(3000);
  doesNotThrow(() => world.runFor(3000));
  const send = (frame: Uint8Array): void => void world.host.station6.handleFrame(frame);
  const liar = new Station6({ name: 'liar', mac: GATEWAY_MAC, agenda: world.agenda, send });
  liar.discovery.announce(address6(GATEWAY6_LOCAL), { isRouter: false });
  throws(() => world.runFor(1), /routersLost/);
});

test('movesAnnounced: a move without an announcement', () => {
  const { world } = quietWorld();
  const name = world.boundNic('192.0.2.10');
  const cause = 'rebalanced' as const;
  const what = { group: 'ipmp0', ifname: name, from: null, to: name, detail: '192.0.2.10', cause };
  const nothing = { type: null, signature: null };
  world.events.push({ atMs: world.nowMs, event: 'address-moved', ...nothing, ...what });
  world.runFor(1);
  throws(() => world.runFor(2000), /movesAnnounced/);
});

test('framesConserved: a frame that came from nowhere', () => {
  const { world, checkers } = quietWorld();
  world.nic('net0').device.deliver(new Uint8Array(60));
  const look = (): void => {
    world.runFor(1);
    checkers.finish();
  };
  throws(look, /framesConserved/);
});

/** What the row of the group and the rows of its addresses show instead of the truth. */
for (const [invariant, ofGroup, ofAddresses] of [
  ['stateTellsTruth', { state: 'failed' }, {}],
  ['nominationStays', { nominated: 'net1' }, {}],
  ['neverUnbound', {}, { inbound: null }],
  ['boundOnce', {}, { inbound: 'net9' }],
] as const) {
  test(`${invariant}: rows that are wrong`, () => {
    const { world, checkers } = quietWorld();
    const { system } = world;
    const [groups, addresses] = [system.describeGroups(), system.describeAddresses()];
    system.describeGroups = () => groups.map((row) => ({ ...row, ...ofGroup }));
    system.describeAddresses = () => addresses.map((row) => ({ ...row, ...ofAddresses }));
    throws(() => checkers.finish(), new RegExp(invariant));
  });
}

test('countersNeverFall: a port that forgets', () => {
  const { world, checkers } = quietWorld();
  checkers.finish();
  const { datapath } = world;
  const real = datapath.portCounters.bind(datapath);
  datapath.portCounters = (port) => ({ ...real(port), transmitBytes: 0n });
  throws(() => checkers.finish(), /countersNeverFall/);
});
