/** The small rules of the host side: link states, use of an uplink, stable addresses, order. */

import { deepEqual, equal, notEqual, ok, rejects, throws } from 'node:assert/strict';
import { test } from 'node:test';
import type { HostAddress, HostRoute, LinkRecord } from '../../../../src/host/kernel/records.ts';
import { refuseUnfit } from '../../../../src/host/port/attach.ts';
import { type LinkEvidence, linkStateOf } from '../../../../src/host/port/link-state.ts';
import { stableMac } from '../../../../src/host/port/stable-mac.ts';
import { useOf } from '../../../../src/host/silence/silence.ts';
import { Serial } from '../../../../src/process/serial.ts';
import { macFormat } from '../../../../src/wire/addr.ts';
import { defaultRoute, linkRecord } from './link-record.ts';

/** ARPHRD_* of other devices: lo, WireGuard and a TUN, InfiniBand. */
const LOOPBACK = 772;
const WITHOUT_ADDRESS = 65_534;
const INFINIBAND = 32;

const LINK = linkRecord();
const DOWN = { ...LINK, up: false };
const CUT = { ...LINK, carrier: false };
const BRIDGE = { ...LINK, ifindex: 6 };
const PORT = { ...LINK, master: 6 };
const LISTENING = { ...PORT, forwards: false };

test('link of an interface (contract 3)', () => {
  const macvtap: LinkEvidence = {
    wiring: 'macvtap',
    device: LINK,
    lower: LINK,
    otherPorts: [],
    hasCarried: true,
    isCarrierLost: false,
  };
  const bridged: LinkEvidence = {
    ...macvtap,
    wiring: 'bridged-tap',
    device: PORT,
    lower: BRIDGE,
    otherPorts: [CUT, LINK],
  };
  const alone: LinkEvidence = { ...macvtap, wiring: 'tap', lower: undefined };
  const rows: [string, LinkEvidence, string][] = [
    ['macvtap on a NIC with carrier', macvtap, 'up'],
    ['NIC without carrier', { ...macvtap, lower: CUT }, 'down'],
    ['NIC set down', { ...macvtap, lower: DOWN }, 'down'],
    ['macvtap set down', { ...macvtap, device: DOWN }, 'down'],
    ['macvtap gone', { ...macvtap, device: undefined }, 'down'],
    ['NIC gone', { ...macvtap, lower: undefined }, 'down'],
    ['the watch is first', { ...macvtap, isCarrierLost: true }, 'down'],
    ['a macvtap just attached', { ...macvtap, device: CUT, hasCarried: false }, 'up'],
    ['the macvtap’s own carrier is still to come', { ...macvtap, device: CUT }, 'down'],
    ['one of two ports has carrier', bridged, 'up'],
    ['no port has carrier', { ...bridged, otherPorts: [CUT, CUT] }, 'down'],
    ['the port with carrier is set down', { ...bridged, otherPorts: [DOWN] }, 'down'],
    ['no other port', { ...bridged, otherPorts: [] }, 'down'],
    ['the bridge is set down', { ...bridged, lower: { ...BRIDGE, up: false } }, 'down'],
    ['the TAP left the bridge', { ...bridged, device: LINK }, 'down'],
    ['the only port is listening', { ...bridged, otherPorts: [LISTENING] }, 'down'],
    ['another port forwards', { ...bridged, otherPorts: [LISTENING, LINK] }, 'up'],
    ['the TAP’s own port is listening', { ...bridged, device: LISTENING }, 'down'],
    ['the TAP is set down', { ...bridged, device: { ...PORT, up: false } }, 'down'],
    ['TAP alone', alone, 'unknown'],
    ['TAP alone, without carrier', { ...alone, device: CUT }, 'unknown'],
    ['TAP alone, set down', { ...alone, device: DOWN }, 'down'],
  ];
  for (const [what, evidence, expected] of rows) equal(linkStateOf(evidence), expected, what);
});

test('what makes an uplink used', () => {
  const address = (family: 4 | 6, text: string, scope = 0): HostAddress => ({
    family,
    address: text,
    prefixLength: 24,
    flags: 0,
    scope,
  });
  const network = { ...defaultRoute(1), destination: '203.0.113.0', prefixLength: 24 };
  const route = (type: number, protocol: number): HostRoute => ({ ...network, type, protocol });
  equal(useOf('eth0', [], []), undefined);
  equal(useOf('eth0', [address(6, 'fe80::1', 253)], [route(5, 2), route(1, 2)]), undefined);
  const error = useOf('eth0', [address(4, '192.0.2.1'), address(6, '2001:db8::1')], [route(1, 4)]);
  equal(error?.code, 'EBUSY');
  ok(error?.message.includes('192.0.2.1/24, 2001:db8::1/24, route 203.0.113.0/24'));
  ok(useOf('eth0', [address(4, '169.254.1.1', 253)], [])?.code === 'EBUSY');
  const many = Array.from({ length: 9 }, (_, i) => address(4, `192.0.2.${i}`));
  ok(useOf('eth0', many, [])?.message.endsWith('and 5 more'));
});

test('what can be a member: an Ethernet device that can send multicast', () => {
  refuseUnfit(LINK);
  refuseUnfit(linkRecord({ noarp: true }));
  const refusals: readonly (readonly [change: Partial<LinkRecord>, expected: object])[] = [
    [{ hardware: LOOPBACK }, { code: 'EINVAL', message: /no Ethernet device .*772/ }],
    [{ hardware: WITHOUT_ADDRESS }, { code: 'EINVAL' }],
    [{ hardware: INFINIBAND, multicast: false }, { code: 'EINVAL' }],
    [{ multicast: false }, { code: 'ENOTSUP', hint: 'ip link set x multicast on' }],
  ];
  for (const [change, expected] of refusals) {
    throws(() => refuseUnfit(linkRecord(change)), expected, JSON.stringify(change));
  }
});

test('our hardware addresses: local, unicast, stable, different', () => {
  const roles = ['ill', 'group', 'port'] as const;
  const seen = new Set<number>();
  for (const machine of ['a', 'b']) {
    for (const name of ['net0', 'net1']) {
      for (const role of roles) {
        const mac = stableMac(machine, name, role);
        equal(mac, stableMac(machine, name, role));
        equal(Math.floor(mac / 2 ** 40) & 3, 2, macFormat(mac));
        seen.add(mac);
      }
    }
  }
  equal(seen.size, 12);
  notEqual(stableMac('a', 'bc', 'ill'), stableMac('ab', 'c', 'ill'));
  ok(macFormat(stableMac('a', 'net0', 'port')).startsWith('fe:ff:'));
});

test('one thing after another, whatever fails', async () => {
  const serial = new Serial();
  const order: string[] = [];
  const step = (name: string, delay: number) =>
    serial.run(async () => {
      order.push(`${name} begins`);
      await new Promise((resolve) => setTimeout(resolve, delay));
      order.push(`${name} ends`);
      if (name === 'b') throw new Error('b fails');
      return name;
    });
  const [a, b, c] = [step('a', 10), step('b', 5), step('c', 0)];
  await rejects(b, /b fails/);
  deepEqual([await a, await c], ['a', 'c']);
  deepEqual(order, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
});
