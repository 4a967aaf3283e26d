/** The MACs of the host: read after a change, kept while they cannot be read. */

import { equal } from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nextTurn } from '../../../../src/base/turns.ts';
import { LinkMacs } from '../../../../src/host/silence/link-macs.ts';
import { native } from '../../../../src/native/addon.ts';
import { hostClock } from '../../../../src/process/clock.ts';
import { macParse } from '../../../../src/wire/addr.ts';
import { TestClock } from '../../../tools/clock.ts';
import { testFolder, withoutDescriptors } from '../../../tools/folder.ts';

const NET = '/sys/class/net';

/** The MACs of this host as sysfs shows them; of a host without any, one that is nowhere. */
function someMac(): { mac: number; isHere: boolean } {
  const macs = readdirSync(NET).map((name) => {
    return macParse(readFileSync(`${NET}/${name}/address`, 'latin1').trim()) ?? 0;
  });
  const mac = macs.find((one) => one !== 0);
  return mac === undefined ? { mac: 1, isHere: false } : { mac, isHere: true };
}

test('while no file can be opened, what was known counts, and is read again later', async () => {
  const clock = new TestClock();
  const macs = new LinkMacs(clock);
  const { mac, isHere } = someMac();
  equal(macs.has(mac), false, 'nothing is known before it was read');
  await macs.read();
  equal(macs.has(mac), isHere);
  await withoutDescriptors(() => macs.read());
  equal(macs.has(mac), isHere);
  equal(clock.pending, 1);
});

test('a storm of changes costs one reading, and one more for what comes during it', async () => {
  const clock = new TestClock();
  const macs = new LinkMacs(clock);
  for (let change = 0; change < 1000; change++) macs.handleChange();
  equal(clock.pending, 1);
  clock.pass(50);
  equal(clock.pending, 0, 'the reading has begun');
  macs.handleChange();
  equal(clock.pending, 1, 'the next change is answered again');
  clock.pass(50);
  equal(clock.pending, 0, 'the reading under way is not joined by another');
  while (clock.pending === 0) await nextTurn();
});

test('hundreds of devices are read by a call; one that goes costs no other its MAC', async (t) => {
  const DEVICES = 1000;
  const folder = testFolder(t);
  const macOf = (at: number): string => `02:00:00:00:${hex(at >> 8)}:${hex(at & 255)}`;
  const hex = (octet: number): string => octet.toString(16).padStart(2, '0');
  for (let at = 0; at < DEVICES; at++) {
    mkdirSync(join(folder, `eth${at}`));
    writeFileSync(join(folder, `eth${at}`, 'address'), `${macOf(at)}\n`);
  }
  const macs = new LinkMacs(hostClock, folder);
  const reads = t.mock.method(native.later, 'filesRead');
  const known = (): number[] =>
    Array.from({ length: DEVICES }, (_, at) => at).filter((at) => {
      return macs.has(macParse(macOf(at)) ?? 0);
    });
  await macs.read();
  equal(known().length, DEVICES);
  equal(reads.mock.callCount(), Math.ceil(DEVICES / 256));
  // As a device that goes between the list and the look, and as the file bonding_masters.
  rmSync(join(folder, 'eth7', 'address'));
  writeFileSync(join(folder, 'bonding_masters'), '');
  await macs.read();
  equal(known().length, DEVICES - 1);
  equal(macs.has(macParse(macOf(7)) ?? 0), false);
});
