/** The MTU of a group's device: requested when it can be set, and again when the device is new. */

import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, GROUP_MAC, macOf } from './bench.ts';

function groupDevice(bench: Bench, present: boolean, mtu: number): void {
  const mac = present ? GROUP_MAC : 0;
  bench.system.handleGroupDevice('ipmp0', { present, mac, mtu, up: present }, bench.nowMs);
}

/** One member of MTU 1400, and no device of the group yet. */
function benchWithoutDevice(mtu: number | 'auto' = 'auto'): Bench {
  const bench = new Bench();
  bench.create('net0');
  bench.createGroup({ interfaces: ['net0'], mtu });
  bench.appear('net0', macOf(0), 1400);
  return bench;
}

test('members before the device: the MTU is requested when the device is there', () => {
  const bench = benchWithoutDevice();
  deepEqual(bench.mtuRequests(), [], 'nothing can be set yet');
  groupDevice(bench, true, 1500);
  deepEqual(bench.mtuRequests(), [1400]);
});

test('the MTU is requested again for a new device', () => {
  const bench = benchWithoutDevice();
  groupDevice(bench, true, 1500);
  bench.mtuRequests();
  groupDevice(bench, false, 0);
  deepEqual(bench.mtuRequests(), []);
  groupDevice(bench, true, 1500);
  deepEqual(bench.mtuRequests(), [1400]);
});

test('another MTU set by hand stays until a member changes', () => {
  const bench = benchWithoutDevice();
  groupDevice(bench, true, 1500);
  bench.mtuRequests();
  groupDevice(bench, true, 1300);
  deepEqual(bench.mtuRequests(), []);
  bench.appear('net0', macOf(0), 1450);
  deepEqual(bench.mtuRequests(), [1450]);
});

test('a number is the upper limit, whatever the members support', () => {
  const bench = benchWithoutDevice(9000);
  groupDevice(bench, true, 9000);
  deepEqual(bench.mtuRequests(), [1400]);
  bench.appear('net0', macOf(0), 9000);
  deepEqual(bench.mtuRequests(), [9000]);
  const small = benchWithoutDevice(1300);
  groupDevice(small, true, 1500);
  deepEqual(small.mtuRequests(), [1300]);
  bench.run(() => bench.system.setGroup('ipmp0', { mtu: 1500 }));
  deepEqual(bench.mtuRequests(), [1500]);
});

test('a number above the MTU of a member is one event', () => {
  const bench = benchWithoutDevice();
  groupDevice(bench, true, 1500);
  const lines = (): string[] => bench.eventLines(/^group-mtu/);
  deepEqual(lines(), ['group-mtu >1400 smallest-member']);
  bench.run(() => bench.system.setGroup('ipmp0', { mtu: 9000 }));
  deepEqual(lines(), ['group-mtu 1400>1400 above-smallest-member']);
  bench.appear('net0', macOf(0), 1450);
  deepEqual(lines(), ['group-mtu 1400>1450 above-smallest-member']);
  deepEqual(bench.mtuRequests(), [1400, 1450]);
});
