/** macvtaps: the node is found by number, frames pass, and deletion is found out. */

import { deepStrictEqual, ok, rejects, strictEqual, throws } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { closeDevice, type Device, interfaceBehind, openMacvtap } from '../../src/host/port/tap.ts';
import { native } from '../../src/native/addon.ts';
import { HEADER, TestBurst, testFrame, vnetHeaderLength } from './frames.ts';
import { namespaceTest, run, until } from './namespace.ts';

const PEER = 0x02_00_00_00_00_0b;
const BROADCAST = 0xff_ff_ff_ff_ff_ff;

/** A macvtap `net0` in passthru mode on the veth `eth0`; `far0` is the other end. */
function addMacvtap(netns = ''): void {
  const ip = netns === '' ? 'ip' : `ip -n ${netns}`;
  run(`${ip} link add eth0 type veth peer name far0`);
  run(`${ip} link set eth0 up`);
  run(`${ip} link set far0 up`);
  run(`${ip} link add link eth0 name net0 type macvtap mode passthru`);
  run(`${ip} link set net0 up`);
}

/** The far end as a second macvtap, so that frames can be exchanged without sockets. */
async function addFarMacvtap(): Promise<Device> {
  run('ip link add link far0 name net1 type macvtap mode passthru');
  run('ip link set net1 up');
  return await openMacvtap('net1', { queues: 1 });
}

namespaceTest('frames pass both ways between two macvtaps, with their header', async () => {
  addMacvtap();
  const near = await openMacvtap('net0', { queues: 1 });
  const far = await addFarMacvtap();
  const address = native.interfaceHardwareAddress('net0');
  strictEqual(address, native.tapHardwareAddress(near.fds[0] ?? -1));
  strictEqual(vnetHeaderLength(near.fds[0] ?? -1), HEADER);
  strictEqual(near.offloads, far.offloads);
  strictEqual((near.offloads & 0x07) === 0x07, true);

  const out = new TestBurst(2);
  const back = new TestBurst(32);
  const frames = [testFrame(address, PEER, 3), testFrame(BROADCAST, PEER, 4)];
  frames.forEach((frame, i) => void out.put(i, frame));
  native.writeBurst(out.handle, far.fds[0] ?? -1, 0, 2);
  deepStrictEqual([...out.status], [0, 0]);
  const received: Uint8Array[] = [];
  await until('both frames', () => {
    received.push(...back.receive(near.fds[0] ?? -1));
    return received.length === 2;
  });
  deepStrictEqual(
    received.sort((a, b) => (a[20] ?? 0) - (b[20] ?? 0)),
    frames,
  );

  out.put(0, testFrame(BROADCAST, address, 5));
  native.writeBurst(out.handle, near.fds[0] ?? -1, 0, 1);
  await until('the answer', () => back.receive(far.fds[0] ?? -1).some((frame) => frame[20] === 5));
});

namespaceTest('each open is a queue; a broadcast comes out of one of them', async () => {
  addMacvtap();
  const near = await openMacvtap('net0', { queues: 3 });
  const far = await addFarMacvtap();
  strictEqual(near.fds.length, 3);
  const out = new TestBurst(1);
  const back = new TestBurst(8);
  out.put(0, testFrame(BROADCAST, PEER, 9));
  native.writeBurst(out.handle, far.fds[0] ?? -1, 0, 1);
  let count = 0;
  await until('the frame', () => {
    for (const fd of near.fds) count += back.receive(fd).length;
    return count > 0;
  });
  await new Promise((resolve) => setTimeout(resolve, 10));
  for (const fd of near.fds) count += back.receive(fd).length;
  strictEqual(count, 1);
});

namespaceTest('deleted: reading and writing show nothing, asking does', async () => {
  addMacvtap();
  const device = await openMacvtap('net0', { queues: 1 });
  const fd = device.fds[0] ?? -1;
  const burst = new TestBurst(1);
  ok((await interfaceBehind(fd)) !== undefined);
  run('ip link delete net0');
  burst.put(0, testFrame(BROADCAST, PEER, 1));
  native.writeBurst(burst.handle, fd, 0, 1);
  strictEqual(burst.status[0], 0);
  strictEqual(native.readBurst(burst.handle, fd, 0, 1), 0);
  throws(() => native.tapQuery(fd), { code: 'ENOLINK' });
  strictEqual(await interfaceBehind(fd), undefined);
  await closeDevice(device);
});

namespaceTest('what is not a macvtap, or is not there, is refused', async () => {
  run('ip link add eth0 type veth peer name far0');
  await rejects(openMacvtap('eth0', { queues: 1 }), { code: 'EINVAL', message: /not a macvtap/ });
  await rejects(openMacvtap('net0', { queues: 1 }), { code: 'ENODEV', message: /no interface/ });
});

/** Opens net0 in this process's namespace and prints what is behind the descriptor. */
const OPEN_AND_TELL = `
  const [native, tap] = await Promise.all(process.argv.slice(1).map((url) => import(url)));
  const { fds } = await tap.openMacvtap('net0', { queues: 2 });
  const query = native.native.tapQuery(fds[1]);
  process.stdout.write(query.name + ' ' + native.native.tapHardwareAddress(fds[1]));`;

/** What OPEN_AND_TELL prints when started through the command line `enter`. */
function openThrough(enter: string): string {
  const modules = ['native/addon', 'host/port/tap'].map((name) =>
    import.meta.resolve(`../../src/${name}.js`),
  );
  const node = [process.execPath, '--input-type=module', '-e', OPEN_AND_TELL, '--', ...modules];
  const [program = '', ...args] = [...enter.split(' '), ...node];
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

const openIn = (netns: string): string => openThrough(`ip netns exec ${netns}`);

function addressIn(netns: string): number {
  const mac = /link\/ether (\S+)/.exec(run(`ip -n ${netns} -o link show net0`))?.[1] ?? '';
  return Number.parseInt(mac.replaceAll(':', ''), 16);
}

namespaceTest('one index in two namespaces: each opens its own, by a private node', async () => {
  for (const netns of ['one', 'two']) {
    run(`ip netns add ${netns}`);
    addMacvtap(netns);
  }
  const index = (netns: string) => run(`ip -n ${netns} -o link show net0`).split(':')[0];
  strictEqual(index('one'), index('two'));
  strictEqual(existsSync(`/dev/tap${index('one')}`), true);
  strictEqual(openIn('one'), `net0 ${addressIn('one')}`);
  strictEqual(openIn('two'), `net0 ${addressIn('two')}`);

  // The node of the shared /dev goes with its first owner; the other goes on.
  run('ip -n one link delete net0');
  run('ip -n two link set net0 down');
  strictEqual(openIn('two'), `net0 ${addressIn('two')}`);
  deepStrictEqual(
    readdirSync('/dev').filter((name) => name.startsWith('.ipmpd-')),
    [],
  );
});

namespaceTest('a /sys of another namespace is noticed before a frame is read', async () => {
  addMacvtap();
  run('ip netns add other');
  addMacvtap('other');
  const index = readFileSync('/sys/class/net/net0/ifindex', 'latin1').trim();
  strictEqual(run('ip -n other -o link show net0').split(':')[0], index);
  // nsenter changes the namespace and leaves /sys as it was.
  throws(
    () => openThrough('nsenter --net=/run/netns/other'),
    /belongs to another network namespace/,
  );
});
