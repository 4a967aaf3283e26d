/** What is read from sysfs and written to /proc/sys, and on which thread. */

import { equal, rejects } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { beginServing, endServing } from '../../../src/base/serving.ts';
import { readCounters } from '../../../src/host/counters.ts';
import { sysctlRead, sysctlWrite } from '../../../src/host/silence/sysctl.ts';

/** There in every network namespace; nothing is changed by writing what it has. */
const SETTING = '/proc/sys/net/ipv4/conf/lo/forwarding';

before(beginServing);
after(endServing);

test('a thread that serves reads counters elsewhere', async () => {
  const counters = await readCounters('lo');
  const shown = readFileSync('/sys/class/net/lo/statistics/rx_errors', 'latin1');
  equal(counters.rxErrors, BigInt(shown));
});

test('a thread that serves writes settings elsewhere', async (t) => {
  const value = await sysctlRead(SETTING);
  // Not silenced: without root the kernel refuses the very call that is tested.
  if (process.getuid?.() !== 0) return t.skip('writing /proc/sys needs root');
  equal(await sysctlWrite(SETTING, value ?? ''), true);
});

test('an absent device is refused with ENODEV, an absent setting is undefined', async () => {
  await rejects(readCounters('none0'), { name: 'OperatorError', code: 'ENODEV' });
  equal(await sysctlRead('/proc/sys/net/ipv4/conf/none0/forwarding'), undefined);
  equal(await sysctlWrite('/proc/sys/net/ipv4/conf/none0/forwarding', '0'), false);
});
