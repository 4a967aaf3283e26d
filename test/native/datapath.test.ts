/**
 * The datapath over real devices: the pool with its threads, two TAPs, the kernel on both sides.
 *
 *   this namespace            the pool                  namespace "peer"
 *   ipmp0 192.0.2.10/24  <->  HOST   NET0, NET1  <->    net0, net1 in a bridge, 192.0.2.1/24
 *
 * The test plays the control plane: it answers the ARP requests that are punted.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import { DatapathPool } from '../../src/datapath/pool.ts';
import { closeDevice, type Device, openTap } from '../../src/host/port/tap.ts';
import {
  type PingOptions,
  type PingResult,
  pingCommand,
  pingResult,
} from '../../src/lab/measure/ping.ts';
import { GROUP_PORT_BASE } from '../../src/model/limits.ts';
import { native } from '../../src/native/addon.ts';
import { type Mac, macParse } from '../../src/wire/addr.ts';
import { ARP_REPLY, ARP_REQUEST, arpFrame, arpParse } from '../../src/wire/arp.ts';
import { ETHERNET_HEADER_LENGTH, ETHERTYPE_ARP, ethernetType } from '../../src/wire/ethernet.ts';
import { namespaceTest, run, until } from './namespace.ts';

const HOST = GROUP_PORT_BASE;
const NICS = [0, 1] as const;
const GROUP_MAC = 0x020000000f00;
const NIC_MACS = [0x020000000100, 0x020000000101] as const;
const DATA = 0xc000020a;

const exec = promisify(execFile);

/** Both sides and the pool between them. */
class Bench implements AsyncDisposable {
  readonly pool: DatapathPool;
  readonly group: Device;
  readonly nics: Device[];
  readonly errors: string[] = [];
  readonly lateMs: number[] = [];
  readonly #peerMac: Mac;

  private constructor(workers: number, group: Device, nics: Device[]) {
    this.group = group;
    this.nics = nics;
    run('ip netns add peer');
    run('ip -n peer link add br0 type bridge mcast_snooping 0');
    for (const { name } of this.nics) {
      run(`ip link set ${name} netns peer`);
      run(`ip -n peer link set ${name} master br0 up`);
    }
    run('ip -n peer link set br0 address 52:54:00:aa:bb:01 up');
    run('ip -n peer addr add 192.0.2.1/24 dev br0');
    run('ip link set ipmp0 address 02:00:00:00:0f:00');
    run('ip addr add 192.0.2.10/24 dev ipmp0');
    this.#peerMac = macParse('52:54:00:aa:bb:01') ?? 0;
    this.pool = new DatapathPool({ workers });
    this.pool.onPunts = (frames) => {
      for (const { port, frame, atMs } of frames) this.#answer(port, frame, atMs);
    };
    this.pool.onPortError = (port, errno) => this.errors.push(`${port}: ${errno}`);
  }

  static async start(workers = 1, queues = workers): Promise<Bench> {
    const group = await openTap('ipmp0', { queues: workers });
    const nics = await Promise.all(NICS.map((nic) => openTap(`net${nic}`, { queues })));
    const bench = new Bench(workers, group, nics);
    await bench.pool.start();
    await bench.pool.attach(HOST, bench.group.fds);
    for (const nic of NICS) await bench.pool.attach(nic, bench.nics[nic]!.fds);
    bench.publish();
    // Only now: with a link up and no reader the kernel's first frames would be lost.
    run('ip link set ipmp0 up');
    return bench;
  }

  publish(): void {
    const { publication } = this.pool;
    publication.replace({
      nics: NICS.map((nic) => ({ nic, group: 0, member: nic, mac: NIC_MACS[nic], mtu: 1500 })),
      groups: [{ group: 0, mac: GROUP_MAC, spreading: 'flow' }],
      addresses: [{ address: DATA, group: 0, kind: 'data', slot: 0, nic: -1 }],
      redirects: [],
    });
    publication.setActiveMembers(0, 0b11, 0);
    publication.setCastMember(0, 0);
    publication.setPlacement(0, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.stop();
    for (const device of [this.group, ...this.nics]) await closeDevice(device);
  }

  #answer(port: number, frame: Uint8Array, atMs: number): void {
    this.lateMs.push(performance.now() - atMs);
    if (ethernetType(frame, 0) !== ETHERTYPE_ARP) return;
    const asked = arpParse(frame, ETHERNET_HEADER_LENGTH);
    if (asked.operation !== ARP_REQUEST) return;
    const isHost = port === HOST;
    const own = isHost ? this.#peerMac : NIC_MACS[port as 0 | 1];
    const source = isHost ? this.#peerMac : own;
    const sender = { senderMac: own, senderAddress: asked.targetAddress };
    const target = { targetMac: asked.senderMac, targetAddress: asked.senderAddress };
    const reply = { operation: ARP_REPLY, ...sender, ...target };
    equal(this.pool.inject(port, arpFrame(asked.senderMac, source, reply)), 'taken');
  }
}

/** Pings both kernels' addresses: the peer's from here, or ours from the peer. */
const ping = async (count: number, options: PingOptions = {}, isPeer = false) => {
  const command = pingCommand(isPeer ? '192.0.2.10' : '192.0.2.1', {
    intervalS: 0.01,
    ...options,
    count,
  });
  const inside = isPeer ? ['ip', 'netns', 'exec', 'peer'] : [];
  const [program = '', ...args] = [...inside, ...command];
  return pingResult((await exec(program, args)).stdout, count);
};
const all = (answered: number): PingResult => ({ answered, duplicates: 0 });

for (const workers of [1, 2]) {
  namespaceTest(`ping in both directions, workers: ${workers}`, async () => {
    await using bench = await Bench.start(workers);
    deepEqual(await ping(20), all(20));
    deepEqual(await ping(20, {}, true), all(20));
    const drops = [...bench.pool.dropCounters(HOST)].filter(([, count]) => count > 0n);
    deepEqual(drops, [], 'nothing of the host is lost, of either family');
    ok(bench.lateMs.length > 0);
    for (const late of bench.lateMs) ok(late > -1 && late < 2_000, `punt ${late} ms late`);
  });
}

namespaceTest('a NIC with one queue and two workers', async () => {
  await using _bench = await Bench.start(2, 1);
  deepEqual(await ping(20), all(20));
  deepEqual(await ping(20, {}, true), all(20));
});

namespaceTest('TCP super-frames pass whole, and every octet arrives', async () => {
  await using bench = await Bench.start(2);
  const octets = 64 * 1024 * 1024;
  let received = 0;
  const server = createServer((socket) => {
    socket.on('data', (data) => {
      received += data.length;
    });
  });
  await new Promise<void>((resolve) => server.listen(5001, '192.0.2.10', resolve));
  const script = `const s = require('net').connect(5001, '192.0.2.10');
    s.end(Buffer.alloc(${octets}, 7)); s.on('close', () => process.exit(0))`;
  await exec('ip', ['netns', 'exec', 'peer', process.execPath, '-e', script]);
  await until('the last octet', () => received === octets);
  server.close();
  const counters = NICS.map((nic) => bench.pool.portCounters(nic));
  const bytes = counters.reduce((sum, each) => sum + each.receiveBytes, 0n);
  const packets = counters.reduce((sum, each) => sum + each.receivePackets, 0n);
  ok(bytes > BigInt(octets));
  ok(bytes / packets > 4_000n, `${bytes / packets} octets a frame`);
});

namespaceTest('structure flips and links die under traffic without a loss', async () => {
  await using bench = await Bench.start(2);
  await ping(1);
  const traffic = ping(300, { intervalS: 0.005 });
  let flips = 0;
  let isDone = false;
  void traffic.finally(() => {
    isDone = true;
  });
  while (!isDone) {
    bench.publish();
    const nic = flips++ & 1;
    Atomics.store(bench.pool.carrierWords, nic * 4, 1);
    await new Promise((resolve) => setTimeout(resolve, 2));
    Atomics.store(bench.pool.carrierWords, nic * 4, 0);
  }
  deepEqual(await traffic, all(300));
  ok(flips > 20, `${flips} flips`);
});

namespaceTest('after a detach the descriptor is not touched', async () => {
  await using bench = await Bench.start(2);
  await ping(2);
  await bench.pool.detach(1);
  await closeDevice(bench.nics[1]!);
  // The number is given to something else at once: a worker that still used it would show.
  const bell = native.eventfdCreate();
  bench.pool.publication.setActiveMembers(0, 0b01, 0);
  deepEqual(await ping(20), all(20));
  equal(native.eventfdClear(bell), false);
  bench.nics[1] = await openTap('net9', { queues: 2 });
  await bench.pool.attach(1, bench.nics[1].fds);
  deepEqual(bench.errors, []);
});

namespaceTest('a device deleted under the pool is reported, the others work', async () => {
  await using bench = await Bench.start(1);
  await ping(2);
  run('ip -n peer link delete net1');
  await until('the report', () => bench.errors.length > 0);
  deepEqual(bench.errors, [`1: ${native.errno.EBADFD}`]);
  await bench.pool.detach(1);
  bench.pool.publication.setActiveMembers(0, 0b01, 0);
  deepEqual(await ping(10), all(10));
});

namespaceTest('a device that is down costs its frames and no others', async () => {
  await using bench = await Bench.start(1);
  await ping(2);
  run('ip -n peer link set net0 down');
  run('ip -n peer link set net1 down');
  await ping(3, { intervalS: 0.2, silenceS: 1 }).catch(() => undefined);
  const drops = bench.pool.dropCounters(HOST);
  ok((drops.get('transmit_down') ?? 0n) > 0n);
  const counters = bench.pool.portCounters(HOST);
  const dropped = [...drops.values()].reduce((sum, count) => sum + count, 0n);
  const taken = counters.receivePackets + counters.injected;
  const written = counters.forwarded + counters.injectedTransmitted;
  equal(taken, written + counters.punted + dropped);
});

namespaceTest('stopping takes no longer than a wake-up', async () => {
  const bench = await Bench.start(2);
  const began = performance.now();
  await bench[Symbol.asyncDispose]();
  const took = performance.now() - began;
  ok(took < 500, `${took} ms`);
});

namespaceTest('a stopped pool refuses frames and touches no descriptor', async () => {
  const pool = new DatapathPool({ workers: 1 });
  await pool.start();
  const [wakeFd] = pool.wakeFds;
  await pool.stop();
  // The next descriptor that is opened gets the number of the bell.
  const other = native.eventfdCreate();
  equal(other, wakeFd);
  equal(pool.inject(HOST, new Uint8Array(60)), 'refused');
  equal(native.eventfdClear(other), false, 'nothing was written to it');
  await pool.attach(HOST, [other]);
  await pool.detach(HOST);
  native.deviceClose(other);
});

namespaceTest('a worker that dies is reported with its error', async () => {
  const pool = new DatapathPool({ workers: 1 });
  let failure: Error | undefined;
  pool.onFailure = (_worker, error) => {
    failure = error;
  };
  await pool.start();
  // No such descriptor: the worker cannot watch it.
  const attached = pool.attach(0, [9_999]);
  await until('the report', () => failure !== undefined);
  ok(String(failure).includes('EBADF') || String(failure).includes('epoll'), String(failure));
  await attached;
  await pool.stop();
});

namespaceTest('an idle worker takes no processor time', async () => {
  await using _bench = await Bench.start(2);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const before = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const { user, system } = process.cpuUsage(before);
  ok(user + system < 100_000, `${user + system} microseconds in a second`);
});
