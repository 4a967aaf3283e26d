/** phyint, ill, ipif and the mirror of routes. */

import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { InvariantError } from '../../../../src/base/assert.ts';
import { Ipif } from '../../../../src/ip/object/ipif.ts';
import { ROUTE_LIMIT, type RouteRecord, RouteTable } from '../../../../src/ip/object/ire.ts';
import {
  PHYI_FAILED,
  PHYI_INACTIVE,
  PHYI_IPMP,
  PHYI_OFFLINE,
  PHYI_RUNNING,
  PHYI_STANDBY,
  PHYI_VIRTUAL,
  Phyint,
  phyintFlagNames,
  phyintIfFlags,
} from '../../../../src/ip/object/phyint.ts';
import { ip } from '../harness.ts';

test('flags: names and historical values', () => {
  const all =
    PHYI_RUNNING |
    PHYI_FAILED |
    PHYI_STANDBY |
    PHYI_INACTIVE |
    PHYI_OFFLINE |
    PHYI_VIRTUAL |
    PHYI_IPMP;
  equal(phyintIfFlags(all), 0x40n + 0xf0000000n + 0x2000000000n + 0x8000000000n);
  deepEqual(phyintFlagNames(PHYI_FAILED | PHYI_RUNNING), ['RUNNING', 'FAILED']);
  deepEqual(phyintFlagNames(0), []);
});

test('a phyint is never FAILED and INACTIVE at once', () => {
  const phyint = new Phyint({ name: 'net0', nic: 0, flags: PHYI_INACTIVE });
  throws(() => phyint.changeFlags(PHYI_FAILED, 0), InvariantError);
  equal(phyint.changeFlags(PHYI_FAILED, PHYI_INACTIVE), true);
  equal(phyint.changeFlags(PHYI_FAILED, 0), false);
  equal(phyint.hasFlag(PHYI_FAILED), true);
});

test('an unknown link counts as up', () => {
  const phyint = new Phyint({ name: 'net0', nic: 0 });
  equal(phyint.isLinkUp, true);
  phyint.link = 'down';
  equal(phyint.isLinkUp, false);
});

test('data addresses are bound to one NIC at a time, the most recent one first', () => {
  const [first, second] = [0, 1].map((nic) => new Phyint({ name: `net${nic}`, nic }).ill);
  const addresses = [1, 2, 3].map((last) => Ipif.data(ip(`192.0.2.${last}`), 24));
  for (const ipif of addresses) ipif.bind(first!);
  deepEqual(first!.boundIpifs, [...addresses].reverse());
  throws(() => addresses[0]!.bind(second!), InvariantError);
  addresses[1]!.unbind();
  addresses[1]!.unbind();
  addresses[1]!.bind(second!);
  deepEqual(first!.boundIpifs, [addresses[2], addresses[0]]);
  deepEqual(second!.boundIpifs, [addresses[1]]);
  throws(() => Ipif.data(1, 33), InvariantError);
});

test('a test address belongs to its NIC until it is removed', () => {
  const { ill } = new Phyint({ name: 'net0', nic: 0 });
  const ipif = Ipif.test(ip('192.0.2.21'), 24, ill);
  deepEqual(ill.testIpifs, [ipif]);
  equal(ipif.boundIll, ill);
  throws(() => ipif.unbind(), InvariantError);
  throws(() => ipif.bind(ill), InvariantError);
  ipif.removeTest();
  deepEqual(ill.testIpifs, []);
  equal(ipif.boundIll, undefined);
});

function route(text: string, gateway: string | null, metric = 0, table = 254): RouteRecord {
  const [network, length] = text.split('/');
  return {
    destination: ip(network!),
    prefixLength: Number(length),
    gateway: gateway === null ? null : ip(gateway),
    table,
    metric,
  };
}

test('routes: the longest prefix, then the smallest metric; tables apart', () => {
  const table = new RouteTable();
  table.replace([
    route('0.0.0.0/0', '192.0.2.1', 100),
    route('0.0.0.0/0', '192.0.2.2', 50),
    route('192.0.2.0/24', null),
    route('203.0.113.0/24', '192.0.2.3'),
    route('203.0.113.128/25', '192.0.2.4'),
    route('203.0.113.200/32', '192.0.2.5'),
    route('0.0.0.0/0', '192.0.2.9', 0, 7),
  ]);
  const via = (to: string, id?: number): string | number | null => {
    const found = table.lookup(ip(to), id);
    return found === undefined ? 'none' : found.gateway;
  };
  equal(via('192.0.2.77'), null);
  equal(via('8.8.8.8'), ip('192.0.2.2'));
  equal(via('203.0.113.1'), ip('192.0.2.3'));
  equal(via('203.0.113.129'), ip('192.0.2.4'));
  equal(via('203.0.113.200'), ip('192.0.2.5'));
  equal(via('8.8.8.8', 7), ip('192.0.2.9'));
  equal(via('8.8.8.8', 8), 'none');
  equal(via('255.255.255.255'), ip('192.0.2.2'));
  equal(table.isGateway(ip('192.0.2.9')), true);
  equal(table.gateways().length, 6);
  table.replace([route('192.0.2.0/24', null)]);
  equal(via('8.8.8.8'), 'none');
  deepEqual(table.gateways(), []);
});

test('routes are bounded, and what is left out is counted', () => {
  const table = new RouteTable();
  const one = route('192.0.2.0/24', null);
  table.replace(
    Array.from({ length: ROUTE_LIMIT + 5 }, (_, i) => ({ ...one, destination: i * 256 })),
  );
  equal(table.omitted, 5);
  equal(table.routes.length, ROUTE_LIMIT);
});
