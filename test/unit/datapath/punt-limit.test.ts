/** How much ARP and neighbour discovery of one station gets into the control plane. */

import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { PUNT_BURST, PUNT_INTERVAL_MS } from '../../../src/datapath/verdict/punt-limit.ts';
import {
  FAMILIES,
  HOST,
  ipv6Frame,
  mac,
  NET0,
  NET1,
  NIC_MACS,
  PEER,
  PEER_NEW,
  World,
} from './harness.ts';

/** A world that has taken what one station may send at once. */
function flooded(frame: Uint8Array, port: number = NET0): World {
  const world = new World();
  world.nowMs = 1000;
  for (let i = 0; i < PUNT_BURST; i++) equal(world.fate(port, frame), 'punt', `${i}`);
  return world;
}

for (const { name, own1, test: tested, fromWire, request } of FAMILIES) {
  test(`${name}: requests of one station beyond its rate are dropped, and pass in time`, () => {
    const frame = request(own1);
    const world = flooded(frame);
    equal(world.fate(NET0, frame), 'punt_rate_limited');
    world.nowMs += PUNT_INTERVAL_MS;
    equal(world.fate(NET0, frame), 'punt');
    equal(world.fate(NET0, frame), 'punt_rate_limited');
    world.nowMs += PUNT_INTERVAL_MS * PUNT_BURST * 2;
    for (let i = 0; i < PUNT_BURST; i++) equal(world.fate(NET0, frame), 'punt');
    equal(world.fate(NET0, frame), 'punt_rate_limited');
  });

  test(`${name}: requests to all hold up no unicast, no other station and no other NIC`, () => {
    // For an address of the second NIC, so the copies on both NICs are for the control plane.
    const frame = request(own1);
    const world = flooded(frame);
    equal(world.fate(NET0, request(own1, PEER, NIC_MACS[0]!)), 'punt');
    equal(world.fate(NET0, request(own1, PEER_NEW)), 'punt');
    equal(world.fate(NET1, frame), 'punt');
    equal(world.fate(NET0, fromWire({ to: tested })), 'punt');
    equal(world.fate(NET0, frame), 'punt_rate_limited');
  });

  test(`${name}: requests of the host and datagrams to test addresses have no such rate`, () => {
    const ofHost = flooded(request(own1), HOST);
    equal(ofHost.fate(HOST, request(own1)), 'punt');
    const echo = fromWire({ to: tested });
    equal(flooded(echo).fate(NET0, echo), 'punt');
  });
}

test('listener queries of one station have the rate of its requests', () => {
  const payload = new Uint8Array(24);
  payload[0] = 130;
  const ends = { to: 'ff02::1', destination: mac('33:33:00:00:00:01'), from: 'fe80::1' };
  const query = ipv6Frame({ ...ends, protocol: 58, payload });
  equal(flooded(query).fate(NET0, query), 'punt_rate_limited');
});
