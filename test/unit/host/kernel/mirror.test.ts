/**
 * The mirror of one device. Its questions: however often it flaps, one waits and one follows. What
 * it tells again after the device was down, and after notifications were lost.
 */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { linkSet } from '../../../../src/host/kernel/link-message.ts';
import { Mirror } from '../../../../src/host/kernel/mirror.ts';
import { messageEmit } from '../../../../src/host/kernel/netlink-message.ts';
import type { LinkRecord } from '../../../../src/host/kernel/records.ts';
import type { Rtnl } from '../../../../src/host/kernel/rtnl.ts';
import { hostClock } from '../../../../src/process/clock.ts';

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

/** A kernel that answers at once; the calls of the mirror, in their order. */
class QuickKernel {
  link: LinkRecord = ETH0;
  addresses = ['192.0.2.1'];
  routes = ['192.0.2.0'];
  readonly #told: string[] = [];
  readonly mirror: Mirror;
  readonly #after: (() => void)[] = [];
  received: (bytes: Buffer) => void = () => undefined;
  overrun: () => void = () => undefined;

  constructor() {
    const rtnl = {
      link: async () => this.link,
      addresses: async () => this.addresses.map((address) => ({ address })),
      routes: async () => this.routes.map((destination) => ({ destination })),
    };
    this.mirror = new Mirror({
      rtnl: rtnl as unknown as Rtnl,
      open: (_protocol, _groups, handlers) => {
        Object.assign(this, handlers);
        return { close: () => undefined };
      },
      clock: {
        nowMs: hostClock.nowMs,
        after: (_delayMs, body) => {
          this.#after.push(body);
          return { cancel: () => undefined };
        },
      },
      log: { info: () => undefined, warn: () => undefined },
      listener: {
        handleLink: (_name, link, hasBounced) =>
          this.#told.push(`${link?.up ? 'up' : 'down'}${hasBounced ? ' again' : ''}`),
        handlePorts: () => undefined,
        handleAddresses: (_name, list) =>
          this.#told.push(list.map(({ address }) => address).join(' ')),
        handleRoutes: (_name, list) =>
          this.#told.push(list.map(({ destination }) => destination).join(' ')),
        handleSettings: () => this.#told.push('settings'),
      },
    });
    this.mirror.watch('eth0', { addresses: true, routes: true });
  }

  /** Lets what the mirror has planned happen, and answers what it told since the last time. */
  async told(): Promise<string[]> {
    for (let turn = 0; turn < 8; turn++) {
      for (const body of this.#after.splice(0)) body();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return this.#told.splice(0);
  }
}

test('after down and up the lists are told again although they are the same', async () => {
  const kernel = new QuickKernel();
  deepEqual(await kernel.told(), ['up', '192.0.2.1', '192.0.2.0']);
  await kernel.mirror.refresh();
  deepEqual(await kernel.told(), []);
  kernel.received(messageEmit(linkSet(ETH0.ifindex, { up: false }), 0));
  deepEqual(await kernel.told(), ['up again', '192.0.2.1', '192.0.2.0']);
  await kernel.mirror.refresh();
  deepEqual(await kernel.told(), [], 'once');
  kernel.link = { ...ETH0, up: false };
  await kernel.mirror.refresh();
  deepEqual(await kernel.told(), ['down']);
  kernel.link = ETH0;
  await kernel.mirror.refresh();
  deepEqual(await kernel.told(), ['up', '192.0.2.1', '192.0.2.0'], 'no notification told of it');
});

test('lost notifications are made up for: those of settings too', async () => {
  const kernel = new QuickKernel();
  await kernel.told();
  kernel.addresses = ['192.0.2.2'];
  kernel.overrun();
  deepEqual(await kernel.told(), ['settings', '192.0.2.2']);
  await kernel.mirror.refresh();
  deepEqual(await kernel.told(), [], 'once');
});
