/** TAPs: attaching, what persists, frames through a bridge, and how they end. */

import { deepStrictEqual, ok, rejects, strictEqual, throws } from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import {
  closeDevice,
  IFF_MULTI_QUEUE,
  IFF_TAP,
  IFF_VNET_HDR,
  interfaceBehind,
  openTap,
  TUN_F_CSUM,
  TUN_F_TSO4,
  TUN_F_TSO6,
} from '../../src/host/port/tap.ts';
import { native } from '../../src/native/addon.ts';
import { HEADER, TestBurst, testFrame, vnetHeaderLength } from './frames.ts';
import { namespaceTest, openFiles, run, until } from './namespace.ts';

const ALICE = 0x02_00_00_00_00_0a;
const BOB = 0x02_00_00_00_00_0b;

function tunFlags(name: string): number {
  return Number.parseInt(readFileSync(`/sys/class/net/${name}/tun_flags`, 'latin1'), 16);
}

/** Two TAPs as ports of one bridge that forwards at once. */
async function openBridged() {
  run('ip link add br0 type bridge forward_delay 0 mcast_snooping 0');
  run('ip link set br0 up');
  const fds: number[] = [];
  for (const name of ['tap0', 'tap1']) {
    const device = await openTap(name, { queues: 1 });
    run(`ip link set ${name} master br0`);
    run(`ip link set ${name} up`);
    fds.push(device.fds[0] ?? -1);
  }
  return { alice: fds[0] ?? -1, bob: fds[1] ?? -1 };
}

namespaceTest('a new TAP has a queue per request, our header and the best offloads', async () => {
  const one = await openTap('one', { queues: 1 });
  strictEqual(one.multiQueue, false);
  strictEqual(tunFlags('one') & (IFF_MULTI_QUEUE | IFF_TAP), IFF_TAP);
  const four = await openTap('four', { queues: 4 });
  strictEqual(four.fds.length, 4);
  strictEqual(four.multiQueue, true);
  for (const fd of [...one.fds, ...four.fds]) {
    strictEqual(vnetHeaderLength(fd), HEADER);
    strictEqual((native.tapQuery(fd).flags & IFF_VNET_HDR) !== 0, true);
  }
  const needed = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
  strictEqual(one.offloads & needed, needed);
  strictEqual(native.tapQuery(four.fds[3] ?? -1).name, 'four');
  await closeDevice(four);
  strictEqual(existsSync('/sys/class/net/four'), false);
});

namespaceTest('frames cross a bridge with their header, in bursts and in order', async () => {
  const { alice, bob } = await openBridged();
  const out = new TestBurst(64);
  const back = new TestBurst(128);
  out.put(0, testFrame(ALICE, BOB, 0));
  native.writeBurst(out.handle, bob, 0, 1);
  await until('the bridge to learn', () => back.receive(alice).length === 1);

  for (let i = 0; i < 64; i++) out.put(i, testFrame(BOB, ALICE, i, 60 + i));
  native.writeBurst(out.handle, alice, 0, 64);
  deepStrictEqual([...new Set(out.status)], [0]);
  const received: Uint8Array[] = [];
  await until('all frames', () => {
    received.push(...back.receive(bob));
    return received.length >= 64;
  });
  deepStrictEqual(
    received,
    Array.from({ length: 64 }, (_, i) => out.entry(i).slice(HEADER)),
  );
  deepStrictEqual(back.receive(bob), []);
});

namespaceTest('a frame that the kernel refuses does not stop the burst', async () => {
  const { alice, bob } = await openBridged();
  const out = new TestBurst(3);
  const back = new TestBurst(8);
  out.put(0, testFrame(BOB, ALICE, 1));
  out.put(1, testFrame(BOB, ALICE, 2));
  out.put(2, testFrame(BOB, ALICE, 3));
  out.entry(1)[1] = 0x7f; // no such gso_type
  native.writeBurst(out.handle, alice, 0, 3);
  deepStrictEqual([...out.status], [0, native.errno.EINVAL, 0]);
  const fills: (number | undefined)[] = [];
  await until('the other two', () => {
    fills.push(...back.receive(bob).map((frame) => frame[20]));
    return fills.length === 2;
  });
  deepStrictEqual(fills, [1, 3]);
});

namespaceTest('a frame longer than the slot is cut, and its length shows it', async () => {
  const { alice, bob } = await openBridged();
  const small = new TestBurst(4, 128);
  const out = new TestBurst(1);
  out.put(0, testFrame(BOB, ALICE, 7, 500));
  native.writeBurst(out.handle, alice, 0, 1);
  await until('the cut frame', () => {
    native.readBurst(small.handle, bob, 0, 1);
    return small.slab[HEADER + 20] === 7 && small.lengths[0] === 128;
  });
});

namespaceTest('one set down: EIO for writing, nothing to read; deleted: EBADFD', async () => {
  const device = await openTap('tap0', { queues: 1 });
  const fd = device.fds[0] ?? -1;
  const burst = new TestBurst(2);
  burst.put(0, testFrame(BOB, ALICE, 1));
  native.writeBurst(burst.handle, fd, 0, 1);
  strictEqual(burst.status[0], native.errno.EIO);
  strictEqual(native.readBurst(burst.handle, fd, 0, 1), 0);
  ok((await interfaceBehind(fd)) !== undefined);

  run('ip link delete tap0');
  strictEqual(await interfaceBehind(fd), undefined);
  strictEqual(native.readBurst(burst.handle, fd, 0, 1), -native.errno.EBADFD);
  burst.put(0, testFrame(BOB, ALICE, 1));
  native.writeBurst(burst.handle, fd, 0, 1);
  strictEqual(burst.status[0], native.errno.EBADFD);
  await closeDevice(device);
});

namespaceTest('an existing TAP decides: multi-queue or one queue, whatever is asked', async () => {
  run('ip tuntap add single mode tap');
  const single = await openTap('single', { queues: 4 });
  deepStrictEqual([single.fds.length, single.multiQueue], [1, false]);
  await rejects(openTap('single', { queues: 1 }), { code: 'EBUSY' });

  run('ip tuntap add queues mode tap multi_queue');
  const multi = await openTap('queues', { queues: 1 });
  deepStrictEqual([multi.fds.length, multi.multiQueue], [1, true]);
  const more = await openTap('queues', { queues: 2 });
  strictEqual(more.fds.length, 2);

  const plain = native.deviceOpen('/dev/net/tun');
  const wrong = IFF_TAP | IFF_VNET_HDR;
  throws(() => native.tapAttach(plain, 'queues', wrong), { code: 'EINVAL' });
  await closeDevice(single);
  throws(() => native.tapAttach(plain, 'single', wrong | IFF_MULTI_QUEUE), { code: 'EINVAL' });
});

namespaceTest('what another owner left on a persistent TAP is set anew', async () => {
  run('ip tuntap add left mode tap');
  const before = await openTap('left', { queues: 1 });
  const fd = before.fds[0] ?? -1;
  native.tapSetVnetHeaderLength(fd, 12);
  native.tapSetOffload(fd, 0);
  await closeDevice(before);

  const after = await openTap('left', { queues: 1 });
  strictEqual(vnetHeaderLength(after.fds[0] ?? -1), 10);
  strictEqual(after.offloads, before.offloads);
});

namespaceTest('what is not a TAP, and a number of queues out of range, is refused', async () => {
  run('ip tuntap add tun0 mode tun');
  run('ip link add veth0 type veth peer name veth1');
  await rejects(openTap('tun0', { queues: 1 }), {
    code: 'EINVAL',
    message: /is a TUN, not a TAP/,
  });
  await rejects(openTap('veth0', { queues: 1 }), { code: 'EINVAL', message: /is not a TAP/ });
  await rejects(openTap('none', { queues: 0 }), { code: 'ERANGE' });
  await rejects(openTap('none', { queues: 257 }), { code: 'ERANGE' });
  strictEqual(existsSync('/sys/class/net/none'), false);
});

namespaceTest('a failure half-way closes what was opened', async () => {
  run('ip tuntap add queues mode tap multi_queue');
  const held = await openTap('queues', { queues: 250 });
  await rejects(openTap('queues', { queues: 10 }), { code: 'E2BIG' });
  strictEqual(openFiles('/dev/net/tun'), 250);
  await closeDevice(held);
  strictEqual((await openTap('queues', { queues: 256 })).fds.length, 256);
});
