/** Neighbour discovery ends at the LAN on both sides (RFC 4861 7, RFC 4862 5.4, RFC 7527). */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { HOST_PROBE_MS } from '../../../../src/ip/neighbor/host-probes.ts';
import { Ipif } from '../../../../src/ip/object/ipif.ts';
import {
  IPV6_ALL_NODES,
  IPV6_UNSPECIFIED,
  ipMulticastMac,
  ipv6SolicitedNode,
} from '../../../../src/wire/addr.ts';
import { GROUP_MAC, NET0, NET1, OTHER_MAC, World } from '../harness.ts';
import {
  addData,
  advertisements,
  asks,
  DATA,
  hostAsks,
  IP,
  LOCAL,
  ndWorld,
  PEER,
  ROUTER,
  solicitations,
  states,
} from './nd-world.ts';

const ALL_NODES = ipMulticastMac(IPV6_ALL_NODES);

/** PEER is confirmed with OTHER_MAC. */
function confirmPeer(world: World): void {
  hostAsks(world, PEER);
  world.wire(0, states(OTHER_MAC, PEER, { mac: NET0, address: DATA }));
  world.sent.length = 0;
}

test('a question of the host is asked on the wire, and answered with the real MAC', () => {
  const world = ndWorld();
  hostAsks(world, PEER);
  const [question] = solicitations(world);
  equal(question?.port, 'net0');
  deepEqual(
    [question?.from, question?.target, question?.destination],
    [NET0, PEER, ipv6SolicitedNode(PEER)],
  );
  equal(question?.sourceMac, NET0);
  equal(advertisements(world).length, 0);
  world.wire(0, states(OTHER_MAC, PEER, { mac: NET0, address: DATA }, { isRouter: true }));
  const [answer] = advertisements(world);
  deepEqual([answer?.port, answer?.to, answer?.targetMac], ['host', GROUP_MAC, OTHER_MAC]);
  deepEqual([answer?.destination, answer?.isSolicited, answer?.isOverride], [DATA, true, true]);
  equal(answer?.isRouter, true);
});

test('the host’s own probe of a neighbour is answered after one of ours, not from memory', () => {
  const world = ndWorld();
  confirmPeer(world);
  world.advance(2000);
  world.sent.length = 0;
  hostAsks(world, PEER, OTHER_MAC);
  equal(solicitations(world).length, 1);
  equal(advertisements(world).length, 0);
  world.wire(0, states(OTHER_MAC, PEER, { mac: NET0, address: DATA }, { targetMac: undefined }));
  deepEqual(
    advertisements(world).map(({ port, targetMac }) => [port, targetMac]),
    [['host', OTHER_MAC]],
  );
});

test('a question to all is answered by the bound NIC for its copy, with its MAC', () => {
  const world = ndWorld();
  addData(world, LOCAL, 1);
  const frame = asks(OTHER_MAC, PEER, LOCAL);
  world.wire(0, frame);
  equal(advertisements(world).length, 0);
  world.wire(2, frame);
  equal(world.dropped('not_nominated'), 1);
  world.wire(1, frame);
  const [answer, ...more] = advertisements(world);
  equal(more.length, 0);
  deepEqual([answer?.port, answer?.to, answer?.targetMac], ['net1', OTHER_MAC, NET1]);
  deepEqual([answer?.isSolicited, answer?.isOverride, answer?.isRouter], [true, true, false]);
});

test('a host that forwards is a router in its answers', () => {
  const world = ndWorld();
  world.router = true;
  world.wire(0, asks(OTHER_MAC, PEER, DATA));
  equal(advertisements(world)[0]?.isRouter, true);
});

test('detection by another station of an address of ours is answered to all nodes', () => {
  const world = ndWorld();
  world.wire(0, asks(OTHER_MAC, IPV6_UNSPECIFIED, DATA));
  const [answer] = advertisements(world);
  deepEqual(
    [answer?.to, answer?.destination, answer?.isSolicited],
    [ALL_NODES, IPV6_ALL_NODES, false],
  );
  equal(answer?.targetMac, NET0);
});

test('a stated MAC without the override flag makes an entry stale, and changes nothing', () => {
  const world = ndWorld();
  confirmPeer(world);
  world.wire(0, states(NET1 + 0x100, PEER, undefined, { isOverride: false }));
  equal(world.lan.neighbors()[0]?.state, 'STALE');
  equal(world.lan.neighbors()[0]?.mac, OTHER_MAC);
  equal(world.sent.length, 0);
});

test('a first answer must state the MAC', () => {
  const world = ndWorld();
  hostAsks(world, PEER);
  world.wire(0, states(OTHER_MAC, PEER, { mac: NET0, address: DATA }, { targetMac: undefined }));
  equal(world.dropped('nd_unsolicited'), 1);
  equal(world.lan.neighbors()[0]?.state, 'INCOMPLETE');
});

/** Detection of DATA on the first NIC, with its first probe sent. */
function detecting(): { world: World; ipif: Ipif } {
  const world = new World();
  const ipif = Ipif.data(DATA, 64);
  world.ipifs.set(DATA, ipif);
  ipif.bind(world.ill(0));
  world.lan.addressBound(ipif, 'initial', world.nowMs);
  world.advance(120);
  return { world, ipif };
}

test('detection asks without an address, with a nonce, and then the address is announced', () => {
  const { world, ipif } = detecting();
  const [probe] = solicitations(world);
  deepEqual([probe?.port, probe?.sourceMac], ['net0', undefined]);
  equal(typeof probe?.nonce, 'bigint');
  world.advance(1000);
  equal(ipif.state, 'up');
  const [announcement] = advertisements(world);
  deepEqual(
    [announcement?.port, announcement?.to, announcement?.targetMac],
    ['net0', ALL_NODES, NET0],
  );
  equal(announcement?.isSolicited, false);
});

test('a probe with our own nonce is no conflict, one with another is', () => {
  const { world, ipif } = detecting();
  const nonce = solicitations(world)[0]?.nonce ?? 0n;
  world.wire(0, asks(OTHER_MAC, IPV6_UNSPECIFIED, DATA, { nonce }));
  equal(world.dropped('nd_reflection'), 1);
  equal(ipif.state, 'tentative');
  world.wire(0, asks(OTHER_MAC, IPV6_UNSPECIFIED, DATA, { nonce: nonce ^ 1n }));
  equal(ipif.state, 'duplicate');
});

test('a rival’s probe that only the detecting NIC receives makes the address a duplicate', () => {
  const rival = asks(OTHER_MAC, IPV6_UNSPECIFIED, DATA);
  for (const kind of ['data', 'test'] as const) {
    for (const isHostUp of [true, false]) {
      const world = new World();
      const ill = world.ill(1);
      const ipif = kind === 'data' ? Ipif.data(DATA, 64) : Ipif.test(DATA, 64, ill);
      world.ipifs.set(DATA, ipif);
      if (kind === 'data') ipif.bind(ill);
      world.lan.addressBound(ipif, 'initial', world.nowMs);
      world.advance(200);
      world.hostUp = isHostUp;
      const nonce = solicitations(world)[0]?.nonce ?? 0n;
      world.wire(1, asks(OTHER_MAC, IPV6_UNSPECIFIED, DATA, { nonce }));
      world.wire(2, rival);
      equal(ipif.state, 'tentative', 'our own, and one on a NIC of no concern');
      deepEqual([world.dropped('nd_reflection'), world.dropped('not_nominated')], [1, 1]);
      world.wire(1, rival);
      equal(ipif.state, 'duplicate', `${kind}, host ${isHostUp ? 'up' : 'down'}`);
      world.wire(0, rival);
      equal(world.lan.counters.conflicts, 1, 'the copy of the nominated NIC counts no second one');
    }
  }
});

test('the host learns by an advertisement that its address is another station’s', () => {
  const { world, ipif } = detecting();
  world.sent.length = 0;
  world.wire(0, states(OTHER_MAC, DATA));
  equal(ipif.state, 'duplicate');
  const refusal = [DATA, ALL_NODES, OTHER_MAC, false, true];
  const told = () => {
    return advertisements(world).map(({ target, to, targetMac, isSolicited, isOverride }) => {
      return [target, to, targetMac, isSolicited, isOverride];
    });
  };
  deepEqual(told(), [refusal]);
  world.sent.length = 0;
  world.host(asks(GROUP_MAC, IPV6_UNSPECIFIED, DATA));
  deepEqual(told(), [refusal], 'when it detects again');
});

test('what the host detects and states of its own addresses is absorbed', () => {
  const world = ndWorld();
  world.host(asks(GROUP_MAC, IPV6_UNSPECIFIED, DATA));
  world.host(states(GROUP_MAC, PEER, { mac: OTHER_MAC, address: ROUTER }));
  equal(world.dropped('host_detection'), 1);
  equal(world.dropped('host_advertisement'), 1);
  equal(world.sent.length, 0);
  world.host(states(GROUP_MAC, DATA));
  deepEqual(
    advertisements(world).map(({ port, targetMac }) => [port, targetMac]),
    [['net0', NET0]],
    'announced by us, with the MAC of the NIC',
  );
});

test('what concerns an address that a program of the host detects is handed to it', () => {
  const others = { mac: NET0, address: DATA };
  const rows = [
    [asks(OTHER_MAC, IPV6_UNSPECIFIED, PEER), 'question'],
    [states(OTHER_MAC, PEER), ALL_NODES],
    [states(OTHER_MAC, PEER, others), GROUP_MAC],
    [asks(OTHER_MAC, PEER, ROUTER), ALL_NODES],
  ] as const;
  for (const [frame, to] of rows) {
    const world = ndWorld();
    world.wire(0, frame);
    deepEqual(world.take('host'), [], 'not before it asks');
    world.host(asks(GROUP_MAC, IPV6_UNSPECIFIED, PEER));
    const probed = solicitations(world).map(({ port, target, source }) => [port, target, source]);
    deepEqual(probed, [['net0', PEER, IPV6_UNSPECIFIED]]);
    world.sent.length = 0;
    world.wire(0, frame);
    const got = world.sent.filter(({ port }) => port === 'host');
    equal(got.length, 1);
    if (to === 'question') deepEqual(got[0]?.frame, frame, 'a rival’s probe as it is');
    else {
      const [told] = advertisements(world);
      deepEqual([told?.target, told?.targetMac, told?.to], [PEER, OTHER_MAC, to]);
    }
    equal(world.lan.counters.handedUp, 1);
    world.advance(HOST_PROBE_MS + 1);
    world.sent.length = 0;
    world.wire(0, frame);
    deepEqual(world.take('host'), [], 'nor after its time');
  }
});

test('a move of a global address is a notice to the router, whose address is link-local', () => {
  const world = ndWorld();
  hostAsks(world, ROUTER);
  world.wire(0, states(OTHER_MAC, ROUTER, { mac: NET0, address: DATA }));
  world.sent.length = 0;
  world.move(world.ipifs.get(DATA)!, 1);
  world.advance(10);
  const notices = solicitations(world).filter(({ target }) => target === ROUTER);
  deepEqual(
    notices.map(({ port, sourceMac }) => [port, sourceMac]),
    [['net1', NET1]],
  );
});

test('a proxy entry is answered by the nominated NIC, without overriding', () => {
  const world = ndWorld();
  world.lan.addStatic(PEER, OTHER_MAC, true, world.nowMs);
  const [announcement] = advertisements(world);
  deepEqual([announcement?.port, announcement?.targetMac], ['net0', NET0]);
  world.sent.length = 0;
  world.wire(0, asks(NET1 + 0x100, ROUTER, PEER));
  const [answer] = advertisements(world);
  deepEqual([answer?.targetMac, answer?.isOverride, answer?.isSolicited], [NET0, false, true]);
});

test('neighbour discovery from another link, or in part, is dropped for its reason', () => {
  const world = ndWorld();
  const far = asks(OTHER_MAC, PEER, DATA);
  far[IP + 7] = 254;
  world.wire(0, far);
  equal(world.dropped('nd_bad_hop_limit'), 1);
  const wrong = asks(OTHER_MAC, PEER, DATA);
  wrong[IP + 42]! ^= 1;
  world.wire(0, wrong);
  equal(world.dropped('nd_checksum'), 1);
  equal(world.sent.length, 0);
});
