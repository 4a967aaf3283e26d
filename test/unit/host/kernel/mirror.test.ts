/**
 * The mirror of one device. Its questions: however often it flaps, one waits and one follows. What
 * it passes on again after the device was down, and after notifications were lost.
 */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { nextTurn } from '../../../../src/base/turns.ts';
import { linkSet } from '../../../../src/host/kernel/link-message.ts';
import { messageEmit } from '../../../../src/host/kernel/netlink-message.ts';
import type { HostAddress, HostRoute, LinkRecord } from '../../../../src/host/kernel/records.ts';
import { linkRecord } from '../port/link-record.ts';
import { mirrorOf } from './mirror-of.ts';

const ETH0 = linkRecord({ ifindex: 7, name: 'eth0' });

test('a link that flaps while the kernel is silent costs one question and one more', async () => {
  const waiting: ((link: LinkRecord) => void)[] = [];
  let asked = 0;
  const ask = (): Promise<LinkRecord> => {
    asked++;
    return new Promise((resolve) => waiting.push(resolve));
  };
  const { mirror, reports } = mirrorOf({ link: ask });
  mirror.watch('eth0');
  const answer = async (link: LinkRecord): Promise<void> => {
    waiting.shift()?.(link);
    await nextTurn();
  };
  for (let flap = 0; flap < 1000; flap++) void mirror.refreshLink('eth0');
  equal(asked, 1);
  await answer(ETH0);
  equal(asked, 2, 'it may have answered before the last flap');
  await answer({ ...ETH0, carrier: false });
  deepEqual([asked, reports], [2, ['up', 'cut']]);
  void mirror.refreshLink('eth0');
  equal(asked, 3);
});

/** A kernel that answers at once, and its mirror. */
class QuickKernel {
  link: LinkRecord = ETH0;
  address = '192.0.2.1';
  readonly #world = mirrorOf({
    link: async () => this.link,
    addresses: async () => [{ address: this.address } as HostAddress],
    routes: async () => [{ destination: '192.0.2.0' } as HostRoute],
  });
  readonly mirror = this.#world.mirror;
  readonly handlers = this.#world.handlers;

  constructor() {
    this.mirror.watch('eth0', { addresses: true, routes: true });
  }

  /** Lets what the mirror has planned happen; what it has reported since the last time. */
  async reported(): Promise<string[]> {
    for (let turn = 0; turn < 8; turn++) {
      this.#world.clock.pass(1000);
      await nextTurn();
    }
    return this.#world.reports.splice(0);
  }
}

test('after down and up the lists are passed on again although they are the same', async () => {
  const kernel = new QuickKernel();
  deepEqual(await kernel.reported(), ['up', '192.0.2.1', '192.0.2.0']);
  await kernel.mirror.refresh();
  deepEqual(await kernel.reported(), []);
  kernel.handlers.received(messageEmit(linkSet(ETH0.ifindex, { up: false }), 0));
  deepEqual(await kernel.reported(), ['up again', '192.0.2.1', '192.0.2.0']);
  await kernel.mirror.refresh();
  deepEqual(await kernel.reported(), [], 'once');
  kernel.link = { ...ETH0, up: false };
  await kernel.mirror.refresh();
  deepEqual(await kernel.reported(), ['down']);
  kernel.link = ETH0;
  await kernel.mirror.refresh();
  deepEqual(await kernel.reported(), ['up', '192.0.2.1', '192.0.2.0'], 'without a notification');
});

test('after lost notifications everything is looked at, and settings are asserted', async () => {
  const kernel = new QuickKernel();
  await kernel.reported();
  kernel.address = '192.0.2.2';
  kernel.handlers.overrun();
  deepEqual(await kernel.reported(), ['settings', '192.0.2.2']);
  await kernel.mirror.refresh();
  deepEqual(await kernel.reported(), [], 'once');
});
