/** How much ARP of one station gets into the control plane. */

import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { PUNT_BURST, PUNT_INTERVAL_MS } from '../../../src/datapath/verdict/punt-limit.ts';
import type { Mac } from '../../../src/wire/addr.ts';
import { ARP_REQUEST, arpFrame } from '../../../src/wire/arp.ts';
import {
  BROADCAST,
  HOST,
  ip,
  ipv4Frame,
  NET0,
  NET1,
  NIC_MACS,
  PEER,
  PEER_NEW,
  World,
} from './harness.ts';

/** Of the second NIC, so the copies on both NICs are for the control plane. */
const ADDRESS = '192.0.2.11';

function request(destination: Mac, source: Mac): Uint8Array {
  return arpFrame(destination, source, {
    operation: ARP_REQUEST,
    senderMac: source,
    senderAddress: ip('192.0.2.1'),
    targetMac: 0,
    targetAddress: ip(ADDRESS),
  });
}

/** A world that has taken what one station may send at once. */
function flooded(frame: Uint8Array, port: number = NET0): World {
  const world = new World();
  world.nowMs = 1000;
  for (let i = 0; i < PUNT_BURST; i++) equal(world.fate(port, frame), 'punt', `${i}`);
  return world;
}

test('requests of one station beyond its rate are dropped, and pass again in time', () => {
  const frame = request(BROADCAST, PEER);
  const world = flooded(frame);
  equal(world.fate(NET0, frame), 'punt_rate_limited');
  world.nowMs += PUNT_INTERVAL_MS;
  equal(world.fate(NET0, frame), 'punt');
  equal(world.fate(NET0, frame), 'punt_rate_limited');
  world.nowMs += PUNT_INTERVAL_MS * PUNT_BURST * 2;
  for (let i = 0; i < PUNT_BURST; i++) equal(world.fate(NET0, frame), 'punt');
  equal(world.fate(NET0, frame), 'punt_rate_limited');
});

test('broadcasts beyond the rate hold up no unicast, no other station and no other NIC', () => {
  const frame = request(BROADCAST, PEER);
  const world = flooded(frame);
  equal(world.fate(NET0, request(NIC_MACS[0]!, PEER)), 'punt');
  equal(world.fate(NET0, request(BROADCAST, PEER_NEW)), 'punt');
  equal(world.fate(NET1, frame), 'punt');
  equal(world.fate(NET0, ipv4Frame({ to: '192.0.2.21' })), 'punt');
  equal(world.fate(NET0, frame), 'punt_rate_limited');
});

test('ARP of the host and datagrams to test addresses have no such rate', () => {
  const ofHost = flooded(request(BROADCAST, PEER), HOST);
  equal(ofHost.fate(HOST, request(BROADCAST, PEER)), 'punt');
  const echo = ipv4Frame({ to: '192.0.2.21' });
  equal(flooded(echo).fate(NET0, echo), 'punt');
});
