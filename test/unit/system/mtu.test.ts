/** The MTU of a group's device: asked for when it can be set, and again when the device is new. */

import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, groupSpec, interfaceSpec, macOf } from './bench.ts';

const GROUP_MAC = 0x02_00_00_00_0f_ff;

/** What has been asked of the host since the last time. */
function requests(bench: Bench): number[] {
  const all: number[] = [];
  for (let one = bench.system.pollHostRequest(); one; one = bench.system.pollHostRequest()) {
    if (one.kind === 'group-mtu') all.push(one.mtu);
  }
  return all;
}

function groupDevice(bench: Bench, present: boolean, mtu: number): void {
  const mac = present ? GROUP_MAC : 0;
  bench.system.handleGroupDevice('ipmp0', { present, mac, mtu, up: present }, bench.nowMs);
}

/** One member of MTU 1400, and no device of the group yet. */
function benchWithoutDevice(mtu: number | 'auto' = 'auto'): Bench {
  const bench = new Bench();
  bench.run(() => bench.system.createInterface(interfaceSpec('net0')));
  bench.run(() => bench.system.createGroup(groupSpec({ interfaces: ['net0'], mtu })));
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

test('a number is the most that the group has, whatever its members take', () => {
  const bench = benchWithoutDevice(9000);
  groupDevice(bench, true, 9000);
  deepEqual(requests(bench), [1400]);
  bench.appear('net0', macOf(0), 9000);
  deepEqual(requests(bench), [9000]);
  const small = benchWithoutDevice(1300);
  groupDevice(small, true, 1500);
  deepEqual(requests(small), [1300]);
  bench.run(() => bench.system.setGroup('ipmp0', { mtu: 1500 }));
  deepEqual(requests(bench), [1500]);
});

test('whoever asks for more than a member takes is told, once', () => {
  const bench = benchWithoutDevice();
  groupDevice(bench, true, 1500);
  const told = (): unknown[] => {
    const events = bench.events().filter(({ event }) => event === 'group-mtu');
    return events.map(({ from, to, cause }) => [from, to, cause]);
  };
  deepEqual(told(), [[null, '1400', 'smallest-member']]);
  bench.run(() => bench.system.setGroup('ipmp0', { mtu: 9000 }));
  deepEqual(told(), [['1400', '1400', 'above-smallest-member']]);
  bench.appear('net0', macOf(0), 1450);
  deepEqual(told(), [['1400', '1450', 'above-smallest-member']]);
  deepEqual(requests(bench), [1400, 1450]);
});
