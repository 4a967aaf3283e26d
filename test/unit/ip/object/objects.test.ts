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
} from '../../../../src/ip/object/phyint.ts';
import { type IpAddress, ipParse } from '../../../../src/wire/addr.ts';
import { ip } from '../harness.ts';

test('flags: names', () => {
  deepEqual(
    phyintFlagNames(PHYI_STANDBY | PHYI_INACTIVE | PHYI_OFFLINE | PHYI_VIRTUAL | PHYI_IPMP),
    ['STANDBY', 'INACTIVE', 'OFFLINE', 'VIRTUAL', 'IPMP'],
  );
  deepEqual(phyintFlagNames(PHYI_FAILED | PHYI_RUNNING), ['RUNNING', 'FAILED']);
  deepEqual(phyintFlagNames(0), []);
});

test('a phyint is never FAILED and INACTIVE at once', () => {
  const phyint = new Phyint({ name: 'net0', nic: 0 });
  phyint.flags = PHYI_INACTIVE;
  throws(() => {
    phyint.flags = PHYI_FAILED | PHYI_INACTIVE;
  }, InvariantError);
  equal(phyint.flags, PHYI_INACTIVE);
});

test('an unknown link counts as up', () => {
  const phyint = new Phyint({ name: 'net0', nic: 0 });
  equal(phyint.isLinkUp, true);
  phyint.link = 'down';
  equal(phyint.isLinkUp, false);
});

/** A family, what its addresses begin with, and the longest prefix. */
const FAMILIES = [
  [4, '192.0.2.', 32],
  [6, '2001:db8::', 128],
] as const;

for (const [family, network, most] of FAMILIES) {
  const addressOf = (last: number): IpAddress => ipParse(`${network}${last}`)!;
  test(`IPv${family} data addresses are bound to one NIC at a time, the most recent first`, () => {
    const [first, second] = [0, 1].map((nic) => new Phyint({ name: `net${nic}`, nic }).ill);
    const addresses = [1, 2, 3].map((last) => Ipif.data(addressOf(last), 24));
    for (const ipif of addresses) ipif.bind(first!);
    deepEqual(first!.boundIpifs[family], [...addresses].reverse());
    throws(() => addresses[0]!.bind(second!), InvariantError);
    addresses[1]!.unbind();
    addresses[1]!.unbind();
    addresses[1]!.bind(second!);
    deepEqual(first!.boundIpifs[family], [addresses[2], addresses[0]]);
    deepEqual(second!.boundIpifs[family], [addresses[1]]);
    equal(addresses[0]!.family, family);
    equal(Ipif.data(addressOf(1), most).prefixLength, most);
    throws(() => Ipif.data(addressOf(1), most + 1), InvariantError);
  });
}

test('the lists of the two families are apart, and counted together', () => {
  const { ill } = new Phyint({ name: 'net0', nic: 0 });
  const addresses = ['192.0.2.1', '2001:db8::1', '192.0.2.2'].map((text) => {
    return Ipif.data(ipParse(text)!, 24);
  });
  for (const ipif of addresses) ipif.bind(ill);
  deepEqual(ill.boundIpifs, { 4: [addresses[2], addresses[0]], 6: [addresses[1]] });
  equal(ill.boundCount, 3);
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

function route(gateway: string | null): RouteRecord {
  const via = gateway === null ? null : ip(gateway);
  return { destination: 0, prefixLength: 0, gateway: via, table: 254, metric: 0 };
}

test('routes: the next hops of the present list are gateways', () => {
  const table = new RouteTable();
  table.replace([route('192.0.2.1'), route(null), route('192.0.2.9')]);
  equal(table.isGateway(ip('192.0.2.9')), true);
  equal(table.isGateway(ip('192.0.2.1')), true);
  equal(table.isGateway(0), false);
  table.replace([route(null)]);
  equal(table.isGateway(ip('192.0.2.9')), false);
});

test('routes are bounded: those beyond the limit are not mirrored', () => {
  const table = new RouteTable();
  const routes = Array.from({ length: ROUTE_LIMIT + 1 }, () => route('192.0.2.1'));
  routes[ROUTE_LIMIT - 1] = route('192.0.2.2');
  routes[ROUTE_LIMIT] = route('192.0.2.3');
  table.replace(routes);
  equal(table.isGateway(ip('192.0.2.2')), true);
  equal(table.isGateway(ip('192.0.2.3')), false);
});
