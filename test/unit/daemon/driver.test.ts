/**
 * The driver of a NIC, as statistics see it: what the kernel's counters do to ours when a device is
 * reset, replaced, gone, or silent.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { OperatorError } from '../../../src/base/errors.ts';
import { Scheduler } from '../../../src/base/operation.ts';
import { nextTurn } from '../../../src/base/turns.ts';
import { NicDrivers } from '../../../src/daemon/driver.ts';
import type { PortCounters } from '../../../src/datapath/counters.ts';
import type { DeviceCounters } from '../../../src/host/kernel/records.ts';
import { hostClock } from '../../../src/process/clock.ts';
import type { LateCall } from '../../../src/process/late.ts';
import { READ_BUDGET_MS } from '../../../src/stats/collector.ts';
import type { LinkCounters } from '../../../src/stats/schema.ts';
import { TestClock } from '../../tools/clock.ts';

const PORT = 3;

const PORT_COUNTERS: PortCounters = {
  receivePackets: 10n,
  receiveBytes: 1000n,
  receiveMulticast: 2n,
  receiveBroadcast: 1n,
  transmitPackets: 20n,
  transmitBytes: 2000n,
  transmitMulticast: 4n,
  transmitBroadcast: 3n,
  transmitErrors: 5n,
  forwarded: 0n,
  punted: 0n,
  injected: 0n,
  injectedTransmitted: 0n,
  injectedDropped: 0n,
};

const POOL = { portCounters: () => PORT_COUNTERS };
const NO_LOSSES: DeviceCounters = { rxErrors: 0n, txErrors: 0n, rxDropped: 0n, txDropped: 0n };

/** A kernel device as rtnetlink shows it; undefined: there is none. */
class FakeKernel {
  device: DeviceCounters | undefined;
  /** It answers when this has ended. */
  held: Promise<void> | undefined;
  readonly late: LateCall[] = [];
  asked = 0;
  readonly drivers = new NicDrivers(
    POOL,
    () => this.#ask(),
    hostClock,
    (call) => this.late.push(call),
  );

  /** A kernel with a device that is attached. */
  static attached(isTap = false): FakeKernel {
    const kernel = new FakeKernel();
    kernel.create();
    kernel.drivers.attached('net0', isTap);
    return kernel;
  }

  /** A new device, which may have counted before it was attached. */
  create(rxDropped = 0n, txDropped = 0n): void {
    this.device = { ...NO_LOSSES, rxDropped, txDropped };
  }

  lose(received: bigint, sent: bigint): void {
    const { device } = this;
    ok(device !== undefined);
    const rxDropped = device.rxDropped + received;
    this.device = { ...device, rxDropped, txDropped: device.txDropped + sent };
  }

  async read(): Promise<LinkCounters> {
    const scheduler = new Scheduler();
    const task = scheduler.spawn('read', () => this.drivers.statistics(PORT, 'net0'));
    scheduler.run();
    // The fake answers in a microtask; nothing else is waited for.
    await nextTurn();
    scheduler.run();
    return task.value;
  }

  async errors(): Promise<[bigint, bigint]> {
    const { ierrors, oerrors } = await this.read();
    return [ierrors, oerrors - PORT_COUNTERS.transmitErrors];
  }

  async #ask(): Promise<DeviceCounters> {
    const { device, held } = this;
    this.asked++;
    await held;
    if (device === undefined) throw new OperatorError('ENODEV', 'there is no net0');
    return device;
  }
}

test('[contract 6.3] frames are the port’s, losses the kernel’s since the attach', async () => {
  const kernel = new FakeKernel();
  kernel.create(100n, 200n);
  kernel.drivers.attached('net0', false);
  kernel.lose(7n, 9n);
  deepEqual(await kernel.read(), {
    rbytes: 1000n,
    obytes: 2000n,
    ipackets: 10n,
    opackets: 20n,
    ierrors: 7n,
    oerrors: 14n,
    multircv: 2n,
    multixmt: 4n,
    brdcstrcv: 1n,
    brdcstxmt: 3n,
  });
});

test('a macvtap shows what it lost on the way in twice, and it counts once', async () => {
  const kernel = FakeKernel.attached();
  await kernel.read();
  kernel.device = { rxErrors: 7n, txErrors: 1n, rxDropped: 7n, txDropped: 9n };
  deepEqual(await kernel.errors(), [7n, 10n]);
});

test('a counter that falls in one direction does not change the other', async () => {
  const kernel = FakeKernel.attached();
  kernel.lose(7n, 9n);
  deepEqual(await kernel.errors(), [7n, 9n]);
  kernel.device = { rxErrors: 0n, txErrors: 0n, rxDropped: 2n, txDropped: 10n };
  deepEqual(await kernel.errors(), [9n, 10n]);
});

test('an interface on the port of one that was removed begins at zero', async () => {
  const kernel = FakeKernel.attached();
  kernel.lose(7n, 9n);
  equal((await kernel.read()).rbytes, 1000n);
  kernel.drivers.released('net0');
  kernel.drivers.removed('net0', PORT);
  kernel.create();
  kernel.drivers.attached('net0', false);
  const values = Object.values(await kernel.read());
  deepEqual([...new Set(values)], [0n]);
});

test('what a TAP receives is what we send', async () => {
  const kernel = FakeKernel.attached(true);
  kernel.lose(7n, 9n);
  deepEqual(await kernel.errors(), [9n, 7n]);
});

test('a device that is gone counts no more, and the next one is added', async () => {
  const kernel = FakeKernel.attached();
  kernel.lose(7n, 9n);
  deepEqual(await kernel.errors(), [7n, 9n]);
  kernel.device = undefined;
  deepEqual(await kernel.errors(), [7n, 9n], 'gone and not released yet');
  kernel.drivers.released('net0');
  deepEqual(await kernel.errors(), [7n, 9n], 'and after');
  kernel.create(1000n, 1000n);
  kernel.drivers.attached('net0', false);
  kernel.lose(1n, 2n);
  deepEqual(await kernel.errors(), [8n, 11n]);
});

test('[contract 6.2, 6.3] whatever becomes of a device, nothing falls or is lost', async () => {
  const happening = fc.oneof(
    fc.record({
      what: fc.constant('lose' as const),
      rx: fc.bigInt({ min: 0n, max: 99n }),
      tx: fc.bigInt({ min: 0n, max: 99n }),
    }),
    fc.record({ what: fc.constantFrom('reset' as const, 'replace' as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { maxLength: 30 }), async (happenings) => {
      const kernel = FakeKernel.attached();
      const lost: [bigint, bigint] = [0n, 0n];
      for (const one of happenings) {
        if (one.what === 'lose') {
          kernel.lose(one.rx, one.tx);
          lost[0] += one.rx;
          lost[1] += one.tx;
        } else {
          kernel.create();
          if (one.what === 'replace') {
            kernel.drivers.released('net0');
            kernel.drivers.attached('net0', false);
          }
        }
        deepEqual(await kernel.errors(), lost);
      }
    }),
    { numRuns: 200 },
  );
});

test('a device that is released while its driver is asked is counted once', async () => {
  const kernel = FakeKernel.attached();
  kernel.lose(7n, 9n);
  deepEqual(await kernel.errors(), [7n, 9n]);
  let answer = (): void => undefined;
  kernel.held = new Promise((resolve) => {
    answer = resolve;
  });
  const errors = kernel.errors();
  kernel.drivers.released('net0');
  answer();
  deepEqual(await errors, [7n, 9n]);
});

test('an error of the driver reaches all its readers, and the next question is put', async () => {
  let asked = 0;
  const ask = async (): Promise<DeviceCounters> => {
    if (++asked === 2) throw new OperatorError('EIO', 'no figures');
    return NO_LOSSES;
  };
  const drivers = new NicDrivers(POOL, ask, hostClock, () => undefined);
  drivers.attached('net0', false);
  const scheduler = new Scheduler();
  const read = () => scheduler.spawn('read', () => drivers.statistics(PORT, 'net0'));
  // The base is under way: both wait for the question after it, which fails.
  const readers = [read(), read()];
  scheduler.run();
  await nextTurn();
  scheduler.run();
  deepEqual(
    readers.map(({ error }) => (error as OperatorError).code),
    ['EIO', 'EIO'],
  );
  const later = read();
  scheduler.run();
  await nextTurn();
  scheduler.run();
  equal(later.state, 'done');
  equal(asked, 3);
});

test('a driver is unanswered from the time that a reader waits until it answers', async () => {
  const clock = new TestClock();
  let answer: () => void = () => undefined;
  const ask = (): Promise<DeviceCounters> =>
    new Promise((resolve) => {
      answer = () => resolve(NO_LOSSES);
    });
  const drivers = new NicDrivers(POOL, ask, clock, () => undefined);
  equal(drivers.isUnanswered('net0'), false, 'there is no such NIC');
  drivers.attached('net0', false);
  clock.pass(READ_BUDGET_MS);
  equal(drivers.isUnanswered('net0'), false);
  clock.pass(1);
  equal(drivers.isUnanswered('net0'), true);
  equal(drivers.isUnanswered('net1'), false);
  answer();
  await nextTurn();
  equal(drivers.isUnanswered('net0'), false);
});

test('a thousand drivers are not asked in one turn', async () => {
  const kernel = new FakeKernel();
  kernel.create();
  for (let nic = 0; nic < 1000; nic++) kernel.drivers.attached(`net${nic}`, false);
  ok(kernel.asked > 0 && kernel.asked <= 20, `${kernel.asked} in the first turn`);
  for (let turn = 0; turn < 1000 && kernel.asked < 1000; turn++) await nextTurn();
  equal(kernel.asked, 1000);
});

test('readers that are called off are freed, though the driver never answers', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const kernel = new FakeKernel();
  kernel.held = new Promise(() => undefined);
  kernel.drivers.attached('net0', false);
  const scheduler = new Scheduler();
  const readers: WeakRef<object>[] = [];
  for (let read = 0; read < 1000; read++) {
    const task = scheduler.spawn('read', () => kernel.drivers.statistics(PORT, 'net0'));
    scheduler.run();
    task.cancel();
    readers.push(new WeakRef(task));
  }
  await nextTurn();
  collectGarbage();
  const kept = readers.filter((reader) => reader.deref() !== undefined).length;
  ok(kept < 10, `${kept} readers are kept`);
});
