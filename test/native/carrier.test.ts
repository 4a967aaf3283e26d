/**
 * The carrier watch, over a device that behaves like a real NIC: a TAP whose carrier is set by
 * TUNSETCARRIER. veth would prove nothing, because the kernel never delays its events.
 */

import { deepStrictEqual, strictEqual, throws } from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { openTap } from '../../src/host/port/tap.ts';
import { failedWith, native } from '../../src/native/addon.ts';
import { type CarrierFiles, CarrierWatch } from '../../src/native/carrier-watch.ts';
import { NetlinkSocket } from '../../src/native/notifications.ts';
import { readThreads } from '../tools/threads.ts';
import { addonWorker, namespaceTest, openFiles, plainTest, run, until } from './namespace.ts';

/** Ours: a tick is 1 ms, the kernel's delay 1 s; between them, what a busy machine may add. */
const LIMIT_MS = 100;

function sharedWords(nics: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(nics * native.carrierWordsPerNic * 4));
}

/** The files of a device, and what they show now. */
function files(name: string): CarrierFiles {
  const carrierChangesPath = `/sys/class/net/${name}/carrier_changes`;
  const carrierPath = `/sys/class/net/${name}/carrier`;
  const changes = Number(read(carrierChangesPath));
  return { carrierChangesPath, carrierPath, hasCarrier: read(carrierPath) === '1', changes };
}

/** What a file shows; nothing for a device that is set down, or absent. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch (error) {
    if (failedWith(error, 'EINVAL', 'ENOENT')) return '';
    throw error;
  }
}

/** A TAP that is up and has carrier: a NIC whose cable `plug` can pull. */
async function openNic(name: string): Promise<{ plug: (on: boolean) => void; fd: number }> {
  const fd = (await openTap(name, { queues: 1 })).fds[0] ?? -1;
  run(`ip link set ${name} up`);
  return { plug: (on) => native.tapSetCarrier(fd, on), fd };
}

/** A watch over NICs, whose callbacks are noted, and the words that it writes. */
function watchOf(nics: number) {
  const words = sharedWords(nics);
  const calls: number[] = [];
  return { words, calls, watch: new CarrierWatch(words, [], (nic) => calls.push(nic)) };
}

/** A watch of one NIC, eth0, that has carrier. */
async function watchedNic() {
  const nic = await openNic('eth0');
  const { words, calls, watch } = watchOf(1);
  watch.add(0, [files('eth0')]);
  return { nic, words, calls, watch };
}

const isDown = (words: Int32Array, nic: number): boolean =>
  Atomics.load(words, nic * native.carrierWordsPerNic) === 1;
const changesOf = (words: Int32Array, nic: number): number =>
  Atomics.load(words, nic * native.carrierWordsPerNic + 1);

namespaceTest('loss and return: word, bell and callback within milliseconds', async () => {
  const words = sharedWords(4);
  const bells = [native.eventfdCreate(), native.eventfdCreate()];
  const told: number[] = [];
  const watch = new CarrierWatch(words, bells, (nic) => told.push(nic));
  const nic = await openNic('eth0');
  watch.add(2, [files('eth0')]);
  const initially = changesOf(words, 2);
  strictEqual(isDown(words, 2), false);

  nic.plug(false);
  const loss = await until('the word', () => isDown(words, 2));
  strictEqual(loss < LIMIT_MS, true, `loss seen after ${loss} ms`);
  await until('the bells and the callback', () => told.length > 0);
  deepStrictEqual(bells.map(native.eventfdClear), [true, true]);
  deepStrictEqual(told, [2]);
  strictEqual(changesOf(words, 2), initially + 1);

  nic.plug(true);
  const back = await until('the return', () => !isDown(words, 2));
  strictEqual(back < LIMIT_MS, true, `return seen after ${back} ms`);
  await until('the second callback', () => told.length === 2);
  strictEqual(changesOf(words, 2), initially + 2);
  watch.close();
});

namespaceTest('two losses 20 ms apart, while rtnetlink holds the second back', async () => {
  const { words, watch } = watchOf(2);
  const nics = [await openNic('eth0'), await openNic('eth1')] as const;
  watch.add(0, [files('eth0')]);
  watch.add(1, [files('eth1')]);
  let notifications = 0;
  const socket = new NetlinkSocket({
    protocol: 0,
    groups: [1],
    receiveBufferBytes: 1 << 20,
    onMessages: () => {
      notifications++;
    },
    onOverrun: () => {},
  });

  nics[0].plug(false);
  const first = await until('the first loss', () => isDown(words, 0));
  await new Promise((resolve) => setTimeout(resolve, 20));
  nics[1].plug(false);
  const second = await until('the second loss', () => isDown(words, 1));
  strictEqual(first < LIMIT_MS, true, `first loss seen after ${first} ms`);
  strictEqual(second < LIMIT_MS, true, `second loss seen after ${second} ms`);
  // The verifier's look at the true state makes the kernel send what it held back.
  const event = await until('both notifications', () => notifications >= 2);
  strictEqual(event < 500, true, `notified after ${event} ms`);
  socket.close();
  watch.close();
});

namespaceTest('a flap shorter than a tick is counted, and the state is the true one', async () => {
  const { nic, words, calls, watch } = await watchedNic();
  const initially = changesOf(words, 0);
  for (let flap = 0; flap < 25; flap++) {
    nic.plug(false);
    nic.plug(true);
  }
  await until('all changes', () => changesOf(words, 0) === initially + 50);
  strictEqual(isDown(words, 0), false);
  nic.plug(false);
  await until('the loss', () => isDown(words, 0));
  await until('a callback', () => calls.length > 0);
  watch.close();
});

namespaceTest('a NIC of several devices is down only when none has carrier', async () => {
  const { words, watch } = watchOf(1);
  const ports = [await openNic('port0'), await openNic('port1')] as const;
  watch.add(0, [files('port0'), files('port1')]);
  const initially = changesOf(words, 0);
  ports[0].plug(false);
  await until('the change', () => changesOf(words, 0) === initially + 1);
  strictEqual(isDown(words, 0), false);
  ports[1].plug(false);
  await until('the loss', () => isDown(words, 0));
  ports[0].plug(true);
  await until('the return', () => !isDown(words, 0));
  watch.close();
});

namespaceTest('set down and up by an administrator: seen after a refresh', async () => {
  const { nic, words, watch } = await watchedNic();
  run('ip link set eth0 down');
  strictEqual(watch.refresh(0), true);
  await until('down', () => isDown(words, 0));

  // While it is set down its carrier has no meaning, however often it changes.
  const before = changesOf(words, 0);
  nic.plug(false);
  nic.plug(true);
  nic.plug(false);
  await until('the changes', () => changesOf(words, 0) === before + 3);
  strictEqual(isDown(words, 0), true);
  nic.plug(true);
  run('ip link set eth0 up');
  watch.refresh(0);
  await until('up', () => !isDown(words, 0));
  watch.close();
});

namespaceTest('a device without carrier, or set down, is down from the start', async () => {
  const { words, watch } = watchOf(2);
  (await openNic('eth0')).plug(false);
  await openTap('eth1', { queues: 1 });
  watch.add(0, [files('eth0')]);
  watch.add(1, [files('eth1')]);
  strictEqual(isDown(words, 0), true);
  strictEqual(isDown(words, 1), true);
  watch.close();
});

namespaceTest('a deleted device is down, also if another takes its name', async () => {
  const { nic, words, watch } = await watchedNic();
  native.deviceClose(nic.fd);
  await until('down', () => isDown(words, 0));
  await openNic('eth0');
  watch.refresh(0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  strictEqual(isDown(words, 0), true);

  strictEqual(watch.remove(0), true);
  strictEqual(watch.remove(0), false);
  strictEqual(watch.refresh(0), false);
  strictEqual(isDown(words, 0), false);
  watch.add(0, [files('eth0')]);
  strictEqual(isDown(words, 0), false);
  watch.close();
});

namespaceTest(
  'refusals: a second watch, a missing device, a NIC outside, a closed watch',
  async () => {
    const watch = new CarrierWatch(sharedWords(1), [], () => {});
    watch.add(0, [files('lo')]);
    throws(() => watch.add(0, [files('lo')]), { code: 'EEXIST' });
    strictEqual(watch.remove(0), true);
    throws(() => watch.add(0, [files('none')]), { code: 'ENOENT' });
    watch.add(0, [files('lo'), files('none')]);
    strictEqual(watch.remove(0), true);
    throws(() => watch.add(1, [files('lo')]), RangeError);
    throws(() => watch.add(-1, [files('lo')]), RangeError);
    throws(() => watch.add(0, []), RangeError);
    watch.close();
    watch.close();
    throws(() => watch.add(0, [files('lo')]), { code: 'EBADF' });
    throws(() => new CarrierWatch(sharedWords(1), [-1], () => {}), { code: 'EBADF' });
  },
);

namespaceTest('removing and closing from the callback, and an error in it', async () => {
  const words = sharedWords(2);
  const nics = [await openNic('eth0'), await openNic('eth1')] as const;
  const told: number[] = [];
  const uncaught: string[] = [];
  process.on('uncaughtException', (error) => uncaught.push(error.message));
  const watch = new CarrierWatch(words, [], (nic) => {
    told.push(nic);
    watch.remove(nic);
    if (nic === 0) throw new Error('thrown in onChange');
    watch.close();
  });
  watch.add(0, [files('eth0')]);
  watch.add(1, [files('eth1')]);
  nics[0].plug(false);
  await until('the exception', () => uncaught.length > 0);
  deepStrictEqual(uncaught, ['thrown in onChange']);
  nics[1].plug(false);
  await until('the other NIC', () => told.includes(1));
  deepStrictEqual(told, [0, 1]);
});

namespaceTest('churn: watches come and go while their carrier flaps, no file is left', async () => {
  const { watch } = watchOf(4);
  const nic = await openNic('eth0');
  for (let round = 0; round < 300; round++) {
    for (let n = 0; n < 4; n++) watch.add(n, [files('eth0'), files('lo')]);
    strictEqual(openFiles('/carrier') >= 16, true);
    nic.plug(round % 2 === 0);
    for (let n = 0; n < 4; n++) watch.refresh(n);
    if (round % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    for (let n = 0; n < 4; n++) strictEqual(watch.remove(n), true);
  }
  await until('files to be closed', () => openFiles('/carrier') === 0);
  watch.close();
});

function threadTimes(name: string): number[] {
  return readThreads(process.pid, 'status').flatMap((status) => {
    if (/^Name:\s*(\S+)/m.exec(status)?.[1] !== name) return [];
    return [Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(status)?.[1])];
  });
}

/** The kernel shows a thread for some moments after it was joined. */
async function threadsEnd(name: string): Promise<void> {
  await until(`the threads ${name} to end`, () => threadTimes(name).length === 0);
}

plainTest('without watches no thread wakes up; the threads end with close', async () => {
  const watch = new CarrierWatch(sharedWords(1), [], () => {});
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  await pause(20);
  const before = [...threadTimes('ipmpd-carrier'), ...threadTimes('ipmpd-verify')];
  strictEqual(before.length, 2);
  await pause(100);
  const after = [...threadTimes('ipmpd-carrier'), ...threadTimes('ipmpd-verify')];
  deepStrictEqual(after, before);
  watch.add(0, [files('lo')]);
  await pause(100);
  const [ticks = 0] = threadTimes('ipmpd-carrier');
  strictEqual(ticks - (before[0] ?? 0) > 50, true, `${ticks} ticks in 100 ms`);
  watch.close();
  await threadsEnd('ipmpd-carrier');
});

for (const end of ['is terminated', 'exits', 'has nothing left to do'] as const) {
  plainTest(`a watch does not hold up a worker that ${end}`, async () => {
    const { carrierChangesPath, carrierPath } = files('lo');
    const { worker, exit } = addonWorker(
      `const words = new Int32Array(new SharedArrayBuffer(64));
      const watch = native.carrierCreate(words, new Int32Array(0), () => {});
      native.carrierAdd(watch, 0, data.paths, Int32Array.of(1, 0));
      post('watches');
      if (data.end === 'exits') process.exit(3);
      if (data.end === 'is terminated') setInterval(() => {}, 1000);`,
      { end, paths: [carrierChangesPath, carrierPath] },
    );
    await once(worker, 'message');
    if (end === 'is terminated') await worker.terminate();
    strictEqual(await exit, { 'is terminated': 1, exits: 3, 'has nothing left to do': 0 }[end]);
    await threadsEnd('ipmpd-carrier');
  });
}
