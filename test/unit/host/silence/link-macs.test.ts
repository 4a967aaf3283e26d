/** The MACs of the host: read when told to, kept while they cannot be read. */

import { deepEqual, equal } from 'node:assert/strict';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LinkMacs } from '../../../../src/host/silence/link-macs.ts';
import { native } from '../../../../src/native/addon.ts';
import { hostClock } from '../../../../src/process/clock.ts';
import { macParse } from '../../../../src/wire/addr.ts';

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
  const delays: number[] = [];
  const macs = new LinkMacs({
    nowMs: () => 0,
    after: (delayMs) => {
      delays.push(delayMs);
      return { cancel: () => undefined };
    },
  });
  const { mac, isHere } = someMac();
  equal(macs.has(mac), false, 'nothing is known before it was read');
  await macs.read();
  equal(macs.has(mac), isHere);
  const opened: number[] = [];
  try {
    for (;;) opened.push(openSync('/dev/null', 'r'));
  } catch (error) {
    equal((error as NodeJS.ErrnoException).code, 'EMFILE');
    await macs.read();
    equal(macs.has(mac), isHere);
    equal(delays.length, 1);
  } finally {
    for (const fd of opened) closeSync(fd);
  }
});

test('a storm of changes costs one reading, and one more for what comes during it', async () => {
  const bodies: (() => void)[] = [];
  const macs = new LinkMacs({
    nowMs: () => 0,
    after: (_delayMs, body) => {
      bodies.push(body);
      return { cancel: () => undefined };
    },
  });
  for (let change = 0; change < 1000; change++) macs.handleChange();
  deepEqual(bodies.length, 1);
  bodies[0]?.();
  macs.handleChange();
  deepEqual(bodies.length, 2, 'the next change is answered again');
  bodies[1]?.();
  deepEqual(bodies.length, 2, 'the reading under way is not joined by another');
  while (bodies.length < 3) await new Promise((resolve) => setImmediate(resolve));
});

test('hundreds of devices are read by a call; one that goes costs no other its MAC', async (t) => {
  const DEVICES = 1000;
  const folder = mkdtempSync(join(tmpdir(), 'ipmpd-macs-'));
  const macOf = (at: number): string => `02:00:00:00:${hex(at >> 8)}:${hex(at & 255)}`;
  const hex = (octet: number): string => octet.toString(16).padStart(2, '0');
  try {
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
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
