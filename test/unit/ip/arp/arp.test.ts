/** ARP on both sides: golden bytes, the order of checks on the wire, answers to the host. */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { MAC_BROADCAST } from '../../../../src/wire/addr.ts';
import { ARP_REPLY, ARP_REQUEST } from '../../../../src/wire/arp.ts';
import { hexFormat } from '../../../tools/hex.ts';
import { testFamilies } from '../families.ts';
import {
  beginDetection,
  columns,
  DATA,
  GATEWAY,
  GATEWAY_MAC,
  GROUP_MAC,
  HOST_OTHER,
  ip,
  mac,
  NET0,
  NET1,
  NET2,
  OTHER_MAC,
  reply,
  request,
  World,
  worldWithData,
} from '../harness.ts';

/** Both MACs, type, head of the ARP packet, sender MAC and address, target MAC and address. */
function hexOf(frame: Uint8Array): string {
  const hex = hexFormat(frame);
  return [0, 12, 24, 28, 44, 56, 64, 76].map((at, n, all) => hex.slice(at, all[n + 1])).join(' ');
}

test('golden: the question on the wire, and the answer for the host', () => {
  const world = new World();
  world.addData(DATA, 1);
  world.hostAsks(GATEWAY);
  const [question] = world.take();
  equal(question!.port, 'net1');
  equal(
    hexOf(question!.frame),
    'ffffffffffff 020000000002 0806 0001080006040001 020000000002 c000020a 000000000000 c0000201',
  );
  world.wire(1, reply(GATEWAY_MAC, GATEWAY, NET1, DATA));
  const [answer, ...rest] = world.take();
  equal(rest.length, 0);
  equal(answer!.port, 'host');
  equal(
    hexOf(answer!.frame),
    '020000000f00 525400000001 0806 0001080006040002 525400000001 c0000201 020000000f00 c000020a',
  );
});

test('golden: the answer to the wire, the probe and the announcement', () => {
  const world = new World();
  beginDetection(world, 2);
  world.advance(5000);
  const sent = world.take();
  equal(
    hexOf(sent[0]!.frame),
    'ffffffffffff 020000000003 0806 0001080006040001 020000000003 00000000 000000000000 c000020a',
  );
  equal(
    hexOf(sent[3]!.frame),
    'ffffffffffff 020000000003 0806 0001080006040001 020000000003 c000020a 000000000000 c000020a',
  );
  world.wire(2, request(GATEWAY_MAC, GATEWAY, DATA));
  const [answer, ...rest] = world.take();
  equal(rest.length, 0);
  equal(answer!.port, 'net2');
  equal(
    hexOf(answer!.frame),
    '525400000001 020000000003 0806 0001080006040002 020000000003 c000020a 525400000001 c0000201',
  );
});

testFamilies('a broadcast request is answered once, by the bound NIC, which received it', (f) => {
  const world = f.world();
  world.addData(f.DATA, 1);
  for (const nic of [0, 1, 2]) world.wire(nic, request(GATEWAY_MAC, f.GATEWAY, f.DATA));
  const sent = world.take();
  deepEqual(columns(sent, 'port', 'source', 'senderMac', 'destination'), [
    ['net1', NET1, NET1, GATEWAY_MAC],
  ]);
  equal(world.dropped('not_nominated'), 1);
  equal(world.stateOf(f.GATEWAY), 'STALE', 'learnt from the copy on the nominated NIC');
  world.wire(0, request(GATEWAY_MAC, f.NONE, f.DATA));
  equal(world.dropped(f.reason('other_interface')), 1);
  deepEqual(world.take(), [], 'what is bound elsewhere is answered there');
  // a peer's own probe goes to the MAC in its cache, here the wrong NIC by now
  world.wire(2, request(GATEWAY_MAC, f.GATEWAY, f.DATA, NET2));
  deepEqual(columns(world.take(), 'port', 'senderMac'), [['net1', NET1]]);
});

test('an answer is unicast however long ago the last one or an announcement was', () => {
  const world = new World();
  world.addData(DATA, 0);
  for (const pauseMs of [0, 14_000, 16_000, 60_000]) {
    world.advance(pauseMs);
    world.wire(0, request(GATEWAY_MAC, GATEWAY, DATA));
    deepEqual(columns(world.take(), 'port', 'destination'), [['net0', GATEWAY_MAC]]);
  }
});

test('a request of hardware type 6 (IEEE 802) is answered with type 1 (Ethernet)', () => {
  const world = new World();
  world.addData(DATA, 1);
  const question = request(GATEWAY_MAC, GATEWAY, DATA);
  question[15] = 6;
  world.wire(1, question);
  const [answer, ...rest] = world.take();
  equal(rest.length, 0);
  equal(
    hexOf(answer!.frame),
    '525400000001 020000000002 0806 0001080006040002 020000000002 c000020a 525400000001 c0000201',
  );
  equal(world.dropped('arp_malformed'), 0);
});

testFamilies(
  'a request to the group’s own MAC, which switches flood, is answered once as well',
  (f) => {
    const world = f.world();
    world.addData(f.DATA, 1);
    for (const nic of [0, 1, 2])
      world.wire(nic, request(GATEWAY_MAC, f.GATEWAY, f.DATA, GROUP_MAC));
    deepEqual(columns(world.take(), 'port', 'destination'), [['net1', GATEWAY_MAC]]);
  },
);

testFamilies('with no NIC nominated, frames of every NIC count', (f) => {
  const world = f.world();
  world.addData(f.DATA, 1);
  world.cast = undefined;
  for (const nic of [0, 1, 2]) world.wire(nic, request(GATEWAY_MAC, f.GATEWAY, f.DATA));
  equal(world.take('net1').length, 1);
});

testFamilies('test addresses answer from their own NIC, to the wire and to the host', (f) => {
  const world = f.worldWithData();
  world.addTest(f.TEST, 2);
  world.wire(2, request(GATEWAY_MAC, f.GATEWAY, f.TEST));
  deepEqual(columns(world.take(), 'port', 'senderMac'), [['net2', NET2]]);
  world.hostAsks(f.TEST);
  const [answer] = world.take('host');
  deepEqual([answer!.source, answer!.senderMac], [NET2, NET2]);
  deepEqual([answer!.destination, answer!.targetAddress], [GROUP_MAC, f.DATA]);
});

testFamilies('a test address that is not up is not answered for to the host either', (f) => {
  const world = f.world();
  world.addTest(f.TEST, 2).state = 'duplicate';
  world.hostAsks(f.TEST);
  deepEqual(world.take(), []);
  equal(world.dropped('address_tentative'), 1);
});

testFamilies('addresses that are not up, or not bound, are not answered for', (f) => {
  const world = f.world();
  const ipif = world.addData(f.DATA, 0);
  ipif.state = 'tentative';
  world.wire(0, request(GATEWAY_MAC, f.GATEWAY, f.DATA));
  ipif.state = 'duplicate';
  world.wire(0, request(GATEWAY_MAC, f.GATEWAY, f.DATA));
  equal(world.dropped('address_tentative'), 2);
  ipif.state = 'up';
  ipif.unbind();
  world.wire(0, request(GATEWAY_MAC, f.GATEWAY, f.DATA));
  equal(world.dropped('address_unbound'), 1);
  deepEqual(world.take(), []);
});

test('frames that the gate refuses', () => {
  const world = worldWithData();
  const good = (): Uint8Array => request(GATEWAY_MAC, GATEWAY, DATA);
  const spoilt = (offset: number, value: number): Uint8Array => {
    const frame = good();
    frame[offset] = value;
    return frame;
  };
  for (const frame of [spoilt(15, 7), spoilt(16, 9), spoilt(18, 8), spoilt(19, 16)]) {
    world.wire(0, frame);
  }
  world.wire(0, spoilt(21, 3));
  world.wire(0, good().subarray(0, 41));
  equal(world.dropped('arp_malformed'), 6);
  world.wire(0, request(mac('01:00:5e:00:00:01'), GATEWAY, DATA));
  world.wire(0, request(0, GATEWAY, DATA));
  world.wire(0, reply(GATEWAY_MAC, 0, NET0, DATA));
  equal(world.dropped('arp_bad_sender'), 3);
  for (const spa of ['127.0.0.1', '224.0.0.1', '239.255.255.255', '255.255.255.255']) {
    world.wire(0, request(GATEWAY_MAC, ip(spa), DATA));
    world.wire(0, request(GATEWAY_MAC, GATEWAY, ip(spa)));
  }
  equal(world.dropped('arp_martian'), 8);
  deepEqual(world.take(), []);
  deepEqual(world.lan.neighbors(), []);
});

testFamilies('our own MAC as sender is a reflection, never a conflict', (f) => {
  const world = f.world();
  const ipif = world.addData(f.DATA, 0);
  for (const own of [NET0, NET1, GROUP_MAC]) {
    world.wire(0, request(own, f.DATA, f.DATA));
    world.wire(0, request(own, f.NONE, f.DATA));
  }
  const leaked = request(OTHER_MAC, f.DATA, f.DATA);
  leaked.set([2, 0, 0, 0, 0, 1], 6);
  world.wire(0, leaked);
  equal(world.dropped(f.reason('reflection')), 7);
  equal(ipif.state, 'up');
  equal(world.lan.counters.conflicts, 0);
});

testFamilies('another device of this host that answers for our address is no conflict', (f) => {
  const world = f.world();
  const ipif = world.addData(f.DATA, 0);
  world.wire(0, request(HOST_OTHER, f.DATA, f.DATA));
  equal(world.dropped(f.reason('reflection')), 1);
  equal(ipif.state, 'up');
  equal(world.lan.counters.conflicts, 0);
});

testFamilies('a proxy entry is answered by the nominated NIC with its MAC', (f) => {
  const world = f.world();
  const proxied = f.ip('192.0.2.77');
  world.lan.addStatic(proxied, NET1, false, world.nowMs);
  world.advance(10_000);
  world.take();
  world.wire(0, request(GATEWAY_MAC, f.GATEWAY, proxied));
  world.cast = world.ill(2);
  world.wire(2, request(GATEWAY_MAC, f.GATEWAY, proxied));
  deepEqual(columns(world.take(), 'port', 'senderMac', 'senderAddress'), [
    ['net0', NET0, proxied],
    ['net2', NET2, proxied],
  ]);
});

test('the host detects a foreign address on the wire, and receives its claims', () => {
  const world = new World();
  const wanted = ip('192.0.2.50');
  world.host(request(GROUP_MAC, 0, wanted));
  const [probe] = world.take();
  deepEqual(
    [probe!.port, probe!.senderAddress, probe!.senderMac, probe!.destination],
    ['net0', 0, NET0, MAC_BROADCAST],
  );
  world.advance(1);
  world.wire(0, reply(OTHER_MAC, wanted, NET0, 0));
  world.wire(0, request(GATEWAY_MAC, 0, wanted));
  const heard = world.take();
  deepEqual(columns(heard, 'port', 'destination', 'source', 'arp'), [
    [
      'host',
      GROUP_MAC,
      OTHER_MAC,
      {
        operation: ARP_REPLY,
        senderMac: OTHER_MAC,
        senderAddress: wanted,
        targetMac: GROUP_MAC,
        targetAddress: 0,
      },
    ],
    [
      'host',
      MAC_BROADCAST,
      GATEWAY_MAC,
      {
        operation: ARP_REQUEST,
        senderMac: GATEWAY_MAC,
        senderAddress: 0,
        targetMac: 0,
        targetAddress: wanted,
      },
    ],
  ]);
  deepEqual(world.lan.neighbors(), []);
  world.advance(3001);
  world.wire(0, reply(OTHER_MAC, wanted, NET0, 0));
  deepEqual(world.take(), []);
  equal(world.dropped('arp_unsolicited'), 1);
});

test('the host’s own detection and announcements are absorbed', () => {
  const world = new World();
  world.addData(DATA, 1);
  world.host(request(GROUP_MAC, 0, DATA));
  deepEqual(world.take(), []);
  world.host(request(GROUP_MAC, DATA, DATA));
  const announced = world.take();
  deepEqual(columns(announced, 'port', 'source', 'senderMac'), [['net1', NET1, NET1]]);
  world.host(request(GROUP_MAC, DATA, DATA));
  world.host(reply(GROUP_MAC, DATA, MAC_BROADCAST, DATA));
  deepEqual(world.take(), []);
  equal(world.dropped('host_detection'), 4);
  world.host(reply(GROUP_MAC, DATA, GATEWAY_MAC, GATEWAY));
  equal(world.dropped('host_arp_reply'), 1);
  world.hostAsks(DATA, ip('192.0.2.11'));
  equal(world.dropped('host_own_target'), 1);
});
