/** Messages between the host and routers, and redirects (RFC 4861 6, 8). */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { SOLICITATION_BURST } from '../../../../src/ip/nd/routers.ts';
import {
  IPV6_ALL_NODES,
  IPV6_ALL_ROUTERS,
  IPV6_UNSPECIFIED,
  type Ipv6,
  ipMulticastMac,
  ipv6Write,
  macWrite,
} from '../../../../src/wire/addr.ts';
import {
  ETHERTYPE_IPV6,
  ethernetDestination,
  ethernetEmit,
} from '../../../../src/wire/ethernet.ts';
import {
  ICMPV6_REDIRECT,
  ICMPV6_ROUTER_ADVERTISEMENT,
  icmpv6FillChecksum,
} from '../../../../src/wire/icmpv6.ts';
import { IPV6_PROTOCOL_ICMP, ipv6HeaderEmit } from '../../../../src/wire/ipv6.ts';
import {
  ndRefusal,
  ndRouterAdvertisementParse,
  ndRouterSolicitationParse,
} from '../../../../src/wire/nd.ts';
import { ndFrameWithSourceMac, ndRouterSolicitationFrame } from '../../../../src/wire/nd-frames.ts';
import { GROUP_MAC, NET0, NET1, OTHER_MAC, type World } from '../harness.ts';
import { addData, DATA, hostAsks, IP, LOCAL, ndWorld, PEER, ROUTER, states } from './nd-world.ts';

const MESSAGE = IP + 40;
const ALL_NODES = ipMulticastMac(IPV6_ALL_NODES);

/** A message of the router with OTHER_MAC; its head, and then its option with its MAC. */
function routerFrame(type: number, to: number, destination: Ipv6, headLength: number): Uint8Array {
  const frame = new Uint8Array(MESSAGE + headLength + 8);
  ethernetEmit(frame, 0, { destination: to, source: OTHER_MAC, type: ETHERTYPE_IPV6 });
  ipv6HeaderEmit(frame, IP, {
    trafficClass: 0,
    flowLabel: 0,
    payloadLength: headLength + 8,
    nextHeader: IPV6_PROTOCOL_ICMP,
    hopLimit: 255,
    source: ROUTER,
    destination,
  });
  frame[MESSAGE] = type;
  if (type === ICMPV6_REDIRECT) {
    ipv6Write(frame, MESSAGE + 8, PEER);
    ipv6Write(frame, MESSAGE + 24, PEER);
  } else {
    frame[MESSAGE + 4] = 64;
    frame[MESSAGE + 7] = 180;
  }
  frame[MESSAGE + headLength] = type === ICMPV6_REDIRECT ? 2 : 1;
  frame[MESSAGE + headLength + 1] = 1;
  macWrite(frame, MESSAGE + headLength + 2, OTHER_MAC);
  icmpv6FillChecksum(frame, MESSAGE, headLength + 8, IP);
  return frame;
}

/** As the kernel's router program sends it: from LOCAL, with the MAC of the group's device. */
function advertisementOfHost(): Uint8Array {
  const frame = routerFrame(ICMPV6_ROUTER_ADVERTISEMENT, ALL_NODES, IPV6_ALL_NODES, 16);
  ipv6Write(frame, IP + 8, LOCAL);
  const ends = { destination: ALL_NODES, source: GROUP_MAC };
  return ndFrameWithSourceMac(frame, ends, GROUP_MAC);
}

const ADVERTISEMENT = routerFrame(ICMPV6_ROUTER_ADVERTISEMENT, ALL_NODES, IPV6_ALL_NODES, 16);

/** What the host got; each passes the gate. */
function handedUp(world: World) {
  return world.sent
    .filter(({ port }) => port === 'host')
    .map(({ frame }) => {
      equal(ndRefusal(frame, IP, frame.length - IP), undefined);
      const { lifetimeS, sourceMac } = ndRouterAdvertisementParse(frame, IP);
      return { to: ethernetDestination(frame, 0), lifetimeS, sourceMac };
    });
}

test('an advertisement for all reaches the host once, by the nominated NIC', () => {
  const world = ndWorld();
  for (const nic of [0, 1, 2]) world.wire(nic, ADVERTISEMENT);
  deepEqual(handedUp(world), [{ to: ALL_NODES, lifetimeS: 180, sourceMac: undefined }]);
  equal(world.dropped('not_nominated'), 2);
  equal(world.lan.neighbors().length, 0, 'it adds no neighbour');
  equal(world.lan.counters.routerMessages, 1);
});

test('one for the host alone reaches it by the NIC that received it, to the group’s MAC', () => {
  const world = ndWorld();
  addData(world, LOCAL, 1);
  world.wire(1, routerFrame(ICMPV6_ROUTER_ADVERTISEMENT, NET1, LOCAL, 16));
  deepEqual(handedUp(world), [{ to: GROUP_MAC, lifetimeS: 180, sourceMac: undefined }]);
});

test('the router’s MAC stays in its advertisement once it is confirmed', () => {
  const world = ndWorld();
  hostAsks(world, ROUTER);
  world.wire(0, states(OTHER_MAC, ROUTER, { mac: NET0, address: DATA }, { isRouter: true }));
  world.sent.length = 0;
  world.wire(0, ADVERTISEMENT);
  deepEqual(handedUp(world), [{ to: ALL_NODES, lifetimeS: 180, sourceMac: OTHER_MAC }]);
});

test('of a host that is a router the advertisement has the MAC of the NIC of its address', () => {
  const world = ndWorld();
  world.router = true;
  const local = addData(world, LOCAL, 1);
  const frame = advertisementOfHost();
  world.host(frame);
  deepEqual(
    world.take().map((one) => {
      const { source, lifetimeS, sourceMac } = ndRouterAdvertisementParse(one.frame, IP);
      equal(ndRefusal(one.frame, IP, one.frame.length - IP), undefined);
      return [one.port, one.source, source, lifetimeS, sourceMac];
    }),
    [['net1', NET1, LOCAL, 180, NET1]],
  );
  world.unbind(local);
  world.host(frame);
  local.state = 'duplicate';
  world.host(frame);
  equal(world.dropped('address_unbound'), 2, 'without a NIC, or as another’s, it does not leave');
  equal(world.sent.length, 0);
});

test('redirects end here, for a reason, in both directions', () => {
  const world = ndWorld();
  world.wire(0, routerFrame(ICMPV6_REDIRECT, NET0, DATA, 40));
  equal(world.dropped('nd_redirect'), 1);
  world.host(routerFrame(ICMPV6_REDIRECT, OTHER_MAC, PEER, 40));
  equal(world.dropped('host_redirect'), 1);
  equal(world.sent.length, 0);
});

function solicitation(source: Ipv6): Uint8Array {
  const to = ipMulticastMac(IPV6_ALL_ROUTERS);
  const sourceMac = source === IPV6_UNSPECIFIED ? undefined : GROUP_MAC;
  const message = { source, destination: IPV6_ALL_ROUTERS, sourceMac };
  return ndRouterSolicitationFrame(to, GROUP_MAC, message);
}

/** What a solicitation of the host from `source` leaves as: NIC, sources, MAC in the option. */
function solicited(world: World, source: Ipv6) {
  world.host(solicitation(source));
  return world.take().map(({ port, frame, source: from }) => {
    const parsed = ndRouterSolicitationParse(frame, IP);
    return [port, from, parsed.source, parsed.sourceMac];
  });
}

test('a solicitation of the host leaves with the MAC that its address has, or with none', () => {
  const world = ndWorld();
  const local = addData(world, LOCAL, 1);
  deepEqual(solicited(world, LOCAL), [['net1', NET1, LOCAL, NET1]]);
  deepEqual(solicited(world, IPV6_UNSPECIFIED), [['net0', NET0, IPV6_UNSPECIFIED, undefined]]);
  local.state = 'tentative';
  deepEqual(solicited(world, LOCAL), [['net0', NET0, IPV6_UNSPECIFIED, undefined]]);
});

test('solicitations of the host are limited, and need a NIC', () => {
  const world = ndWorld();
  for (let sent = 0; sent < SOLICITATION_BURST; sent++) {
    equal(solicited(world, IPV6_UNSPECIFIED).length, 1);
  }
  equal(solicited(world, IPV6_UNSPECIFIED).length, 0);
  equal(world.dropped('neighbor_rate_limited'), 1);
  world.cast = undefined;
  equal(solicited(world, IPV6_UNSPECIFIED).length, 0);
  equal(world.dropped('no_active_member'), 1);
});

test('solicitations of the wire are for a host that is a router', () => {
  const world = ndWorld();
  const to = ipMulticastMac(IPV6_ALL_ROUTERS);
  const message = { source: PEER, destination: IPV6_ALL_ROUTERS, sourceMac: OTHER_MAC };
  const frame = ndRouterSolicitationFrame(to, OTHER_MAC, message);
  world.wire(0, frame);
  equal(world.dropped('nd_router_solicitation'), 1);
  world.router = true;
  world.wire(0, frame);
  equal(world.sent.filter(({ port }) => port === 'host').length, 1);
});
