/** The snapshot of the daemon (docs/law.md row 106): all of one moment, whatever happens after. */

import { deepEqual, equal, notEqual } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { assert } from '../../../src/base/assert.ts';
import { ConfigStore } from '../../../src/config/store.ts';
import { Control } from '../../../src/daemon/control.ts';
import { testFolder } from '../../tools/folder.ts';
import { ChangeHarness } from '../change/harness.ts';

/** More than is copied in one turn. */
const MANY = Array.from({ length: 500 }, (_, n) => `10.0.${n >> 8}.${n & 0xff}/16`);

async function controlOf(context: TestContext) {
  const folder = testFolder(context);
  const harness = await ChangeHarness.open(folder);
  const file = join(folder, 'other.yaml');
  writeFileSync(file, '{}\n');
  const store = await ConfigStore.open(file, null);
  assert(store instanceof ConfigStore, 'an empty configuration is right');
  const { system, devices, reconfiguration, run, bench } = harness;
  const control = new Control({
    ...{ system, devices, reconfiguration, run, store },
    version: '0',
    readiness: () => ({ ready: true, reason: 'ready' }),
    isUnanswered: () => false,
    problems: () => [],
    surfaceProblems: () => [],
    refusalOf: () => undefined,
    useByHost: () => undefined,
    nowMs: () => bench.nowMs,
    wallTime: (atMs) => `${atMs}`,
    onFailure: (error) => assert(false, String(error)),
  });
  return { bench, control, devices };
}

test('a snapshot is of the moment of the request, in all its tables', async (context) => {
  const { bench, control, devices } = await controlOf(context);
  devices.setAddresses('ipmp0', MANY);
  bench.settle();
  const asked = control.snapshot();
  bench.vanish('net0');
  devices.setAddresses('ipmp0', MANY.slice(1));
  bench.advance(1000);
  const before = await asked;
  const after = await control.snapshot();
  for (const [snapshot, inbound, count] of [
    [before, 'net0', MANY.length],
    [after, null, MANY.length - 1],
  ] as const) {
    const [group] = snapshot.groups.filter((row) => row.group === 'ipmp0');
    const [nic] = snapshot.interfaces.filter(({ ifname }) => ifname === 'net0');
    const rows = snapshot.addresses.filter((row) => row.group === 'ipmp0');
    equal(rows.length, count);
    deepEqual([...new Set(rows.map((row) => row.inbound))], [inbound]);
    deepEqual(group?.active, inbound === null ? [] : [inbound]);
    equal(nic?.state, inbound === null ? 'absent' : 'ok');
  }
  notEqual(before.signature, after.signature);
  equal((await control.status()).signature, after.signature);
});

test('a snapshot has the rows that each table alone has', async (context) => {
  const { bench, control } = await controlOf(context);
  bench.settle();
  const { time, signature, ...tables } = await control.snapshot();
  deepEqual(tables, {
    groups: await control.groups(),
    interfaces: await control.interfaces(),
    addresses: await control.addresses(),
    multicast: await control.multicast(),
    targets: await control.targets(),
  });
  equal(time, `${bench.nowMs}`);
  equal(signature, (await control.status()).signature);
});
