/** The IPv6 side of the simulated host alone: its device is plugged straight into a switch. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { Rng } from '../../src/base/rng.ts';
import {
  IFA_F_DADFAILED,
  IFA_F_NODAD,
  IFA_F_PERMANENT,
  IFA_F_TENTATIVE,
} from '../../src/model/address-flags.ts';
import { Agenda } from '../../src/sim/agenda.ts';
import { SimHost } from '../../src/sim/host.ts';
import { Network } from '../../src/sim/lan/network.ts';
import { address6, GROUP_MAC } from '../../src/sim/world.ts';
import { GATEWAY_MAC, GATEWAY6, GATEWAY6_LOCAL } from './scene.ts';

const LOCAL = 'fe80::10/64';
const DATA = '2001:db8::10/64';
const GATEWAY = address6(GATEWAY6);
const PERMANENT_TENTATIVE = IFA_F_PERMANENT | IFA_F_TENTATIVE;

/** What an ICMPv6 message that leaves the host is, by its type. */
const NAMES: Readonly<Record<number, string>> = {
  133: 'router solicitation',
  135: 'solicitation',
  143: 'report',
};

/** The host's device at switch B, a router at switch A. */
function plugged() {
  const agenda = new Agenda();
  const network = new Network(agenda, new Rng(1));
  const host = new SimHost(GROUP_MAC, agenda);
  const nic = network.addNic('ipmp0', GROUP_MAC, 'B');
  host.device.deliver = (frame) => nic.cable.transmit('a', frame);
  nic.device.deliver = (frame) => host.device.onTransmit?.(frame);
  const addresses6 = [GATEWAY6_LOCAL, GATEWAY6].map((text) => {
    return { address: address6(text), prefixLength: 64 };
  });
  network.addStation({ name: 'gw', mac: GATEWAY_MAC, side: 'A', addresses: [], addresses6 });
  const gateway = network.station6('gw');
  const run = (durationMs: number): void => agenda.advance(agenda.nowMs + durationMs);
  run(2000);
  const sent: string[] = [];
  network.taps.push((cable, from, frame) => {
    if (cable !== nic.cable || from !== 'a') return;
    const name = NAMES[frame[20] === 0 ? frame[62]! : frame[54]!];
    if (name !== undefined) sent.push(name);
  });
  const flagsOf = (text: string): number | undefined =>
    host.listAddresses().find(({ address }) => `${address}/64` === text)?.flags;
  return { host, gateway, run, sent, flagsOf };
}

test('an address is tentative for a second, and its group is reported first', () => {
  const { host, run, sent, flagsOf } = plugged();
  let changes = 0;
  host.onAddresses = () => changes++;
  host.setDevice(true);
  host.addAddress(DATA);
  run(1);
  deepEqual(sent, ['report', 'solicitation']);
  equal(flagsOf(DATA), PERMANENT_TENTATIVE);
  run(1100);
  equal(flagsOf(DATA), IFA_F_PERMANENT);
  equal(changes, 2);
  host.deleteAddress(DATA);
  equal(flagsOf(DATA), undefined);
});

test('an address that another station has is listed as failed', () => {
  const { host, run, flagsOf } = plugged();
  host.setDevice(true);
  host.addAddress(`${GATEWAY6}/64`);
  run(2000);
  equal(flagsOf(`${GATEWAY6}/64`), PERMANENT_TENTATIVE | IFA_F_DADFAILED);
});

test('an address without detection is usable at once', () => {
  const { host, run, sent, flagsOf } = plugged();
  host.setDevice(true);
  host.addAddress(DATA, true);
  run(1);
  deepEqual(sent, ['report']);
  equal(flagsOf(DATA), IFA_F_PERMANENT | IFA_F_NODAD);
});

test('routers are asked for with the first link-local address; a prefix makes an address', () => {
  const { host, gateway, run, sent, flagsOf } = plugged();
  const prefix = address6('2001:db8:5::');
  const fixed = { prefixLength: 64, isOnLink: true, isAutonomous: true, validS: 3600 };
  gateway.discovery.role = { lifetimeS: 1800, prefixes: [{ prefix, ...fixed }] };
  host.setDevice(true);
  host.addAddress(LOCAL);
  run(900);
  ok(!sent.includes('router solicitation'));
  run(200);
  ok(sent.includes('router solicitation'));
  const automatic = '2001:db8:5::ff:fe00:1000/64';
  equal(flagsOf(automatic), IFA_F_TENTATIVE);
  run(1100);
  equal(flagsOf(automatic), 0);
  host.setDevice(false);
  equal(flagsOf(automatic), undefined, 'what a router gave goes with the device');
});

test('echoes go both ways through the device; a new device means new detection', () => {
  const { host, gateway, run, sent, flagsOf } = plugged();
  host.addAddress(DATA);
  run(2000);
  equal(flagsOf(DATA), PERMANENT_TENTATIVE, 'there is no device yet');
  host.setDevice(true);
  run(1100);
  const streams = [host.station6.ping(GATEWAY, 10), gateway.ping(address6('2001:db8::10'), 10)];
  run(1000);
  for (const stream of streams) stream.stop();
  run(10);
  for (const stream of streams) equal(stream.result().lost, 0);
  host.setDevice(false);
  equal(host.station6.nd.lookUp(GATEWAY), undefined);
  equal(flagsOf(DATA), PERMANENT_TENTATIVE);
  sent.length = 0;
  run(2000);
  deepEqual(sent, []);
  host.setDevice(true);
  run(1);
  deepEqual(sent, ['solicitation']);
});
