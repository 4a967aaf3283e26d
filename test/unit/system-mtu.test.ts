/** The MTU of a group's device: asked for when it can be set, and again when the device is new. */

import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, groupSpec, interfaceSpec, macOf } from './system-bench.ts';

const GROUP_MAC = 0x02_00_00_00_0f_ff;

/** What has been asked of the host since the last time. */
function requests(bench: Bench): number[] {
  const all: number[] = [];
  for (let one = bench.system.pollHostRequest(); one; one = bench.system.pollHostRequest()) {
    all.push(one.mtu);
  }
  return all;
}

function groupDevice(bench: Bench, present: boolean, mtu: number): void {
  const mac = present ? GROUP_MAC : 0;
  bench.system.handleGroupDevice('ipmp0', { present, mac, mtu }, bench.nowMs);
}

/** One member of MTU 1400, and no device of the group yet. */
function benchWithoutDevice(): Bench {
  const bench = new Bench();
  bench.run(() => bench.system.createInterface(interfaceSpec('net0')));
  bench.run(() => bench.system.createGroup(groupSpec({ interfaces: ['net0'] })));
  bench.appear('net0', macOf(0), 1400);
  return bench;
}

test('members before the device: the MTU is asked for when the device is there', () => {
  const bench = benchWithoutDevice();
  deepEqual(requests(bench), [], 'nothing can be set yet');
  groupDevice(bench, true, 1500);
  deepEqual(requests(bench), [1400]);
});

test('a device made anew is given the MTU again', () => {
  const bench = benchWithoutDevice();
  groupDevice(bench, true, 1500);
  requests(bench);
  groupDevice(bench, false, 0);
  deepEqual(requests(bench), []);
  groupDevice(bench, true, 1500);
  deepEqual(requests(bench), [1400]);
});

test('another MTU set by hand stays until a member changes', () => {
  const bench = benchWithoutDevice();
  groupDevice(bench, true, 1500);
  requests(bench);
  groupDevice(bench, true, 1300);
  deepEqual(requests(bench), []);
  bench.appear('net0', macOf(0), 1450);
  deepEqual(requests(bench), [1450]);
});

test('no group goes below 1280, which the kernel needs for IPv6', () => {
  const bench = benchWithoutDevice();
  groupDevice(bench, true, 1500);
  requests(bench);
  bench.appear('net0', macOf(0), 1200);
  deepEqual(requests(bench), [1280]);
});
