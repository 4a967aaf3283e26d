/** Which devices the carrier watch is given, and what becomes of one that cannot be watched. */

import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { CarrierMonitor, type CarrierWatchPort } from '../../../src/host/carrier.ts';

const ETH0 = { ifindex: 7, name: 'eth0', up: true, carrier: true, carrierChanges: 3 };

/** A watch that refuses with `refusal`; what it was given is written down. */
function monitorWith(state: { refusal: Error | undefined }) {
  const added: unknown[] = [];
  const refusals: number[] = [];
  const port: CarrierWatchPort = {
    add: (nic, devices) => {
      if (state.refusal !== undefined) throw state.refusal;
      added.push([nic, ...devices.map(({ hasCarrier, changes }) => [hasCarrier, changes])]);
    },
    remove: () => true,
    refresh: () => true,
    close: () => undefined,
  };
  const monitor = new CarrierMonitor({
    open: () => port,
    words: new Int32Array(16),
    wakeFds: [],
    onChange: () => undefined,
    log: { info: () => undefined, warn: ({ nic }) => refusals.push(Number(nic)) },
  });
  return { monitor, added, refusals };
}

const failure = (code: string): Error =>
  Object.assign(new Error(code), { code, syscall: 'open', errno: 24 });

test('a watch begins with the state of rtnetlink; a device that is set down has no carrier', () => {
  const { monitor, added } = monitorWith({ refusal: undefined });
  equal(monitor.set(2, [ETH0, { ...ETH0, name: 'eth1', ifindex: 8, up: false }]), true);
  equal(monitor.set(2, [ETH0, { ...ETH0, name: 'eth1', ifindex: 8, up: false }]), false);
  deepEqual(added, [[2, [true, 3], [false, 3]]]);
  equal(monitor.isWatching(2), true);
});

test('without descriptors a NIC is not watched, which is logged once, and is tried again', () => {
  const state: { refusal: Error | undefined } = { refusal: failure('EMFILE') };
  const { monitor, added, refusals } = monitorWith(state);
  for (let time = 0; time < 3; time++) monitor.set(1, [ETH0]);
  deepEqual([refusals, added, monitor.isWatching(1), monitor.isLost(1)], [[1], [], false, false]);
  state.refusal = undefined;
  monitor.set(1, [ETH0]);
  equal(monitor.isWatching(1), true);
  monitor.set(1, []);
  state.refusal = failure('EMFILE');
  monitor.set(1, [ETH0]);
  deepEqual(refusals, [1, 1]);
});

test('a device that has just gone is no news; a mistake of ours is none of the kernel', () => {
  const state: { refusal: Error | undefined } = { refusal: failure('ENOENT') };
  const { monitor, refusals } = monitorWith(state);
  monitor.set(1, [ETH0]);
  deepEqual(refusals, []);
  state.refusal = new TypeError('ours');
  throws(() => monitor.set(1, [ETH0]), TypeError);
});
