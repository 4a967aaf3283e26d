/** The mirror's questions about one device: however often it flaps, one waits and one follows. */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { hostClock } from '../../src/host/clock.ts';
import { Mirror } from '../../src/host/mirror.ts';
import type { LinkRecord } from '../../src/host/records.ts';
import type { Rtnl } from '../../src/host/rtnl.ts';

const ETH0 = { ifindex: 7, name: 'eth0', up: true, carrier: true } as LinkRecord;

/** A kernel that answers questions about devices when it is told to. */
class SlowKernel {
  asked = 0;
  link: LinkRecord = ETH0;
  readonly #waiting: ((link: LinkRecord) => void)[] = [];
  readonly told: boolean[] = [];
  readonly mirror: Mirror;

  constructor() {
    const rtnl = {
      link: () => {
        this.asked++;
        return new Promise<LinkRecord>((resolve) => this.#waiting.push(resolve));
      },
    };
    this.mirror = new Mirror({
      rtnl: rtnl as unknown as Rtnl,
      open: () => ({ close: () => undefined }),
      clock: { nowMs: hostClock.nowMs, after: () => ({ cancel: () => undefined }) },
      log: { info: () => undefined, warn: () => undefined },
      listener: {
        handleLink: (_name, link) => this.told.push(link?.carrier === true),
        handlePorts: () => undefined,
        handleAddresses: () => undefined,
        handleRoutes: () => undefined,
        handleSettings: () => undefined,
      },
    });
    this.mirror.watch('eth0');
  }

  async answer(): Promise<void> {
    this.#waiting.shift()?.(this.link);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('a link that flaps while the kernel is silent costs one question and one more', async () => {
  const kernel = new SlowKernel();
  for (let flap = 0; flap < 1000; flap++) void kernel.mirror.refreshLink('eth0');
  equal(kernel.asked, 1);
  await kernel.answer();
  equal(kernel.asked, 2, 'it may have answered before the last flap');
  kernel.link = { ...ETH0, carrier: false };
  await kernel.answer();
  deepEqual([kernel.asked, kernel.told], [2, [true, false]]);
  void kernel.mirror.refreshLink('eth0');
  equal(kernel.asked, 3);
});
