/**
 * What an operator sets on an existing group: neighbours, multicast memberships, forwarding. A
 * refusal of the system or of the host changes nothing.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { OperatorError } from '../../../../src/base/errors.ts';
import { ipFormat, macFormat } from '../../../../src/wire/addr.ts';
import { arpParse } from '../../../../src/wire/arp.ts';
import {
  ETHERNET_HEADER_LENGTH,
  ETHERTYPE_IPV6,
  ethernetType,
} from '../../../../src/wire/ethernet.ts';
import { columns } from '../../ip/harness.ts';
import { ndPacket } from '../../ip/nd-messages.ts';
import { Bench, describe, refusalOf } from '../bench.ts';
import { FAMILIES } from '../families.ts';

const MAC = '02:00:00:00:0a:01';
const CAST = '01:00:5e:00:00:01';
const RANGES = '224.0.0.0/4 or ff00::/8';

const served = (): Bench => Bench.settled(2, 1);

for (const { family, at, castAt } of FAMILIES) {
  test(`IPv${family}: a neighbour is set and removed; what is no neighbour is refused`, () => {
    const { system } = Bench.detecting(2, 1);
    const neighbor = (dst: string, lladdr = MAC, group = 'ipmp0'): string =>
      refusalOf(() => system.setNeighbor(group, { dst, lladdr, proxy: false }));
    equal(neighbor(at(7)), 'done');
    const rows = columns(system.describeNeighbors(), 'dst', 'lladdr', 'state');
    deepEqual(rows, [[at(7), MAC, 'PERMANENT']]);
    const before = describe(system);
    equal(neighbor(at(8), MAC, 'ipmp9'), 'ENOENT there is no group ipmp9');
    for (const [dst, lladdr, refused] of [
      [at(8), 'x', 'EINVAL "x" is not a MAC (six pairs of hexadecimal digits)'],
      [at(8), CAST, `EINVAL ${CAST} is not the MAC of one station`],
      [castAt(1), MAC, `EINVAL ${castAt(1)} is not the address of one neighbor`],
    ] as const) {
      equal(neighbor(dst, lladdr), refused);
    }
    const remove = (dst: string): string => refusalOf(() => system.deleteNeighbor('ipmp0', dst));
    equal(remove(at(8)), `ENOENT group ipmp0 has no neighbor ${at(8)}`);
    deepEqual(describe(system), before);
    equal(remove(at(7)), 'done');
    deepEqual(system.describeNeighbors(), []);
  });

  test(`IPv${family}: an address of ours is no neighbour`, () => {
    const bench = served();
    bench.addresses(at(10));
    for (const change of [
      () => bench.system.setNeighbor('ipmp0', { dst: at(10), lladdr: MAC, proxy: false }),
      () => bench.system.deleteNeighbor('ipmp0', at(10)),
    ]) {
      equal(refusalOf(change).split(' ')[0], 'EINVAL');
    }
  });

  test(`IPv${family}: static neighbours outlast the last member; the next announces them`, () => {
    const bench = Bench.settled(1, 1);
    const { system } = bench;
    const permanent = [
      [at(7), false],
      [at(8), true],
    ] as const;
    for (const [dst, proxy] of permanent) system.setNeighbor('ipmp0', { dst, lladdr: MAC, proxy });
    const shown = () => columns(system.describeNeighbors(), 'dst', 'proxy', 'state');
    const all = permanent.map((row) => [...row, 'PERMANENT']);
    bench.leave('ipmp0', 'net0');
    bench.settle();
    deepEqual(shown(), all);
    bench.join('ipmp0', 'net0');
    deepEqual(shown(), all);
    deepEqual(announcedOf(bench), [`net0 ${at(8)} 02:00:00:00:00:01`]);
  });

  test(`IPv${family}: multicast: joined once, shown with the NIC that carries it, left`, () => {
    const bench = served();
    const { system } = bench;
    const join = (address: string, group = 'ipmp0'): string =>
      bench.refusal(() => system.joinMulticast(group, address));
    const leave = (address: string): string =>
      bench.refusal(() => system.leaveMulticast('ipmp0', address));
    const [one, other] = [castAt(1), castAt(2)];
    equal(join(one), 'done');
    deepEqual(system.describeMulticast(), [{ address: one, group: 'ipmp0', inbound: 'net0' }]);
    const before = describe(system);
    equal(join(one), `EADDRINUSE group ipmp0 has joined ${one} already`);
    equal(join(other, 'ipmp9'), 'ENOENT there is no group ipmp9');
    const onMember = 'EINVAL net0 is an interface, and multicast is joined on a group';
    equal(join(other, 'net0'), onMember);
    equal(join(at(7)), `EINVAL "${at(7)}" is not a multicast address (${RANGES})`);
    equal(leave(other), `EADDRNOTAVAIL group ipmp0 has not joined ${other}`);
    deepEqual(describe(system), before);
    deepEqual(bench.asked, [`ipmp0 listens to ${one}`]);
    equal(leave(one), 'done');
    deepEqual(system.describeMulticast(), []);
    deepEqual(bench.asked, [`ipmp0 listens to ${one}`, `ipmp0 leaves ${one}`]);
    for (let n = 0; n < 64; n++) equal(join(castAt(n)), 'done');
    equal(join(castAt(64)), 'ENOBUFS group ipmp0 has joined 64 multicast addresses already');
  });
}

/** What is announced on the LAN, in either protocol: NIC, address and MAC. */
function announcedOf(bench: Bench): string[] {
  return bench.frames().flatMap(({ port, frame }) => {
    const isIpv6 = ethernetType(frame, 0) === ETHERTYPE_IPV6;
    const packet = isIpv6 ? ndPacket(frame) : arpParse(frame, ETHERNET_HEADER_LENGTH);
    if (packet?.senderAddress !== packet?.targetAddress || packet === undefined) return [];
    const [address, mac] = [ipFormat(packet.senderAddress), macFormat(packet.senderMac)];
    return [`${bench.system.nameOfPort(port)} ${address} ${mac}`];
  });
}

test('what is no address is no neighbour, and no multicast address', () => {
  const bench = served();
  const { system } = bench;
  for (const wrong of ['192.0.2', '2001:db8::g', 'fe80::1%eth0', '']) {
    for (const change of [
      () => system.setNeighbor('ipmp0', { dst: wrong, lladdr: MAC, proxy: false }),
      () => system.deleteNeighbor('ipmp0', wrong),
    ]) {
      equal(refusalOf(change), `EINVAL "${wrong}" is not an IPv4 or IPv6 address`);
    }
    const join = bench.refusal(() => system.joinMulticast('ipmp0', wrong));
    equal(join, `EINVAL "${wrong}" is not a multicast address (${RANGES})`);
  }
  for (const nobody of ['0.0.0.0', '127.0.0.1', '255.255.255.255', '::', '::1', '::ffff:1.2.3.4']) {
    const set = refusalOf(() =>
      system.setNeighbor('ipmp0', { dst: nobody, lladdr: MAC, proxy: false }),
    );
    equal(set, `EINVAL ${nobody} is not the address of one neighbor`);
  }
  deepEqual(bench.asked, []);
});

test('forwarding: the host is asked only for what changes', () => {
  const bench = served();
  const set = (forwarding: boolean): string =>
    bench.refusal(() => bench.system.setGroup('ipmp0', { forwarding }));
  equal(set(true), 'done');
  deepEqual(bench.asked, []);
  equal(set(false), 'done');
  deepEqual(bench.asked, ['ipmp0 forwards: false']);
  equal(bench.system.describeGroups()[0]?.forwarding, false);
});

test('a refusal of the host changes nothing', () => {
  const bench = served();
  const { system } = bench;
  bench.run(() => system.joinMulticast('ipmp0', '239.1.2.3'));
  const before = describe(system);
  bench.hostRefuses = true;
  for (const change of [
    () => system.setGroup('ipmp0', { forwarding: false, failback: false }),
    () => system.joinMulticast('ipmp0', '239.1.2.4'),
    () => system.leaveMulticast('ipmp0', '239.1.2.3'),
  ]) {
    equal(bench.refusal(change), 'EIO the host refuses');
  }
  deepEqual(describe(system), before);
});

test('other operations on the group go on while the host has not answered', () => {
  const bench = served();
  const { system } = bench;
  bench.hostDelayMs = 60_000;
  const changing = [
    bench.begin(() => system.setGroup('ipmp0', { forwarding: false })),
    bench.begin(() => system.joinMulticast('ipmp0', '224.0.0.5')),
  ];
  const beganMs = bench.nowMs;
  bench.offline('net0');
  bench.online('net0');
  bench.run(() => system.setInterface('net1', { standby: true, testAddresses: [] }));
  ok(bench.nowMs - beganMs < bench.hostDelayMs, 'they did not wait for the host');
  deepEqual(columns(changing, 'state'), [['running'], ['running']]);
  bench.hostDelayMs = 0;
  bench.nowMs = beganMs + 60_000;
  system.handleTime(bench.nowMs);
  deepEqual(columns(changing, 'state'), [['done'], ['done']]);
  deepEqual(columns(system.describeMulticast(), 'address'), [['224.0.0.5']]);
});

test('the checks are repeated after the answer of the host', () => {
  const bench = served();
  const { system } = bench;
  bench.hostDelayMs = 1000;
  const joins = [1, 2].map(() => bench.begin(() => system.joinMulticast('ipmp0', '224.0.0.5')));
  bench.nowMs += 1000;
  system.handleTime(bench.nowMs);
  deepEqual(columns(joins, 'state'), [['done'], ['failed']]);
  equal((joins[1]?.error as OperatorError | undefined)?.code, 'EADDRINUSE');
});
