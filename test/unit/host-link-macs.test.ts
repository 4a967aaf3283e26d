/** The MACs of the host: read when told to, kept while they cannot be read. */

import { deepEqual, equal } from 'node:assert/strict';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { LinkMacs } from '../../src/host/link-macs.ts';
import { macParse } from '../../src/wire/addr.ts';

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
