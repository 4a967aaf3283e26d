/**
 * Opening TAP and macvtap devices.
 *
 * Both are character devices that carry Ethernet frames with a virtio net header in front. Three
 * things differ from what one expects, and are decided here:
 *
 * 1. A TAP refuses a queue whose IFF_MULTI_QUEUE differs from the interface's own, so the flags
 *    of an existing interface are read first. A macvtap takes as many queues as are opened.
 * 2. Header length and offload mask belong to the device and outlive their owner. They are set
 *    at every attach, never assumed.
 * 3. /dev/tap<ifindex> names an index, and every network namespace counts its own. The node is
 *    therefore found by the major:minor in the interface's own sysfs folder; if /dev shows
 *    another device under that name, a private node is made, opened and unlinked. What was
 *    opened is asked for its name and address before it is used.
 *
 * Every step may wait for the kernel's configuration lock, so each is made on another thread.
 *
 * Errors are the addon's (`code` is an errno name): ENODEV no such interface, EINVAL not of this
 * kind or flags do not match, EBUSY all queues taken, ENXIO the descriptor leads to another
 * interface.
 */

import { mkdtemp, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { OperatorError } from '../../base/errors.ts';
import { failedWith, native } from '../../native/addon.ts';

const { later } = native;

// From linux/if_tun.h.
export const IFF_TAP = 0x0002;
export const IFF_MULTI_QUEUE = 0x0100;
const IFF_NO_PI = 0x1000;
export const IFF_VNET_HDR = 0x4000;
export const TUN_F_CSUM = 0x01;
export const TUN_F_TSO4 = 0x02;
export const TUN_F_TSO6 = 0x04;
const TUN_F_TSO_ECN = 0x08;
// Newer than some installed headers (Linux 6.2); the kernel takes them only together.
const TUN_F_USO4 = 0x20;
const TUN_F_USO6 = 0x40;

const TSO = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;

/** Ours: offload masks from the best down; the first that the kernel takes is used. */
const OFFLOAD_STEPS: readonly number[] = [
  TSO | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6,
  TSO | TUN_F_TSO_ECN,
  TSO,
  TUN_F_CSUM,
  0,
];

/** What TUNSETIFF takes; the other bits of tun_flags are a state. */
const SETTABLE = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE;

const TUN_NODE = '/dev/net/tun';
const SYSFS_NETWORK = '/sys/class/net';

/** Ours: where a private node may be made; file systems mounted `nodev` refuse to open it. */
const NODE_FOLDERS: readonly string[] = ['/dev', '/run', '/tmp'];

/** What the kernel takes of one interface (MAX_TAP_QUEUES in drivers/net/tun.c). */
const QUEUE_LIMIT = 256;

/** An open TAP or macvtap; `fds` are its queues, non-blocking; the opener closes them. */
export interface Device {
  readonly name: string;
  readonly fds: readonly number[];
  readonly multiQueue: boolean;
  /** TUN_F_* in force: which super-frames may be read from it. */
  readonly offloads: number;
}

export interface OpenOptions {
  /** Queues wanted, 1 to 256; a TAP that exists without multi-queue gives one. */
  readonly queues: number;
}

/** Opens the TAP `name`, which is created if it does not exist (and dies with its last queue). */
export async function openTap(name: string, options: OpenOptions): Promise<Device> {
  checkQueues(name, options.queues);
  const existing = await tunFlags(name);
  if (existing !== undefined && (existing & IFF_TAP) === 0) {
    throw new OperatorError('EINVAL', `${name} is a TUN, not a TAP`);
  }
  const multiQueue =
    existing === undefined ? options.queues > 1 : (existing & IFF_MULTI_QUEUE) !== 0;
  const count = multiQueue ? options.queues : 1;
  const flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (multiQueue ? IFF_MULTI_QUEUE : 0);
  return await openQueues(name, count, multiQueue, async () =>
    attach(await later.deviceOpen(TUN_NODE), name, flags),
  );
}

/** Opens the macvtap `name` of this network namespace; `/sys` must show the same namespace. */
export async function openMacvtap(name: string, options: OpenOptions): Promise<Device> {
  checkQueues(name, options.queues);
  const node = await macvtapNode(name);
  const flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  return await openQueues(name, options.queues, true, async () => {
    const fd = await attach(await openNode(node), name, flags);
    return closingOnFailure(fd, () => verifyAddress(fd, name));
  });
}

/**
 * Closes every queue of a device, all together. No worker may be using them any more: the kernel
 * lets the last readers of a queue finish first, which takes it some hundredths of a second, but no
 * longer for many queues than for one.
 */
export async function closeDevice(device: Device): Promise<void> {
  await Promise.all(device.fds.map((fd) => later.deviceClose(fd)));
}

/**
 * The name of the interface behind a queue; undefined if it is gone. A deleted macvtap shows
 * neither an error nor an end of file to readers and writers: only this question finds it out.
 */
export async function interfaceBehind(fd: number): Promise<string | undefined> {
  try {
    return (await later.tapQuery(fd)).name;
  } catch (error) {
    if (failedWith(error, 'ENOLINK', 'EBADFD', 'ENODEV')) return undefined;
    throw error;
  }
}

/** IFF_* with which a TUN or TAP exists; undefined if there is no interface of that name. */
async function tunFlags(name: string): Promise<number | undefined> {
  try {
    return Number.parseInt(await later.filesRead(join(SYSFS_NETWORK, name), 'tun_flags'), 16);
  } catch (error) {
    if (!failedWith(error, 'ENOENT')) throw error;
    // The folder is there, but not the file.
    if (error.syscall === 'read') throw new OperatorError('EINVAL', `${name} is not a TAP`);
    return undefined;
  }
}

/** IFF_* of a TAP; undefined if the device is none. */
export async function tapFlags(name: string): Promise<number | undefined> {
  try {
    return await tunFlags(name);
  } catch (error) {
    if (error instanceof OperatorError && error.code === 'EINVAL') return undefined;
    throw error;
  }
}

/**
 * Gives a TAP that no process holds the flags it had, and no offloads: a program that opens it
 * without a vnet header must not be handed super-frames. EBUSY if a process holds it.
 */
export async function resetTap(name: string, flags: number): Promise<void> {
  const fd = await later.deviceOpen(TUN_NODE);
  try {
    await later.tapAttach(fd, name, flags & SETTABLE);
    await later.tapSetOffload(fd, 0);
  } catch (error) {
    if (!failedWith(error, 'EBUSY', 'EINVAL', 'EPERM')) throw error;
    throw new OperatorError('EBUSY', `${name} keeps the settings of a TAP of ours: ${error}`);
  } finally {
    await later.deviceClose(fd);
  }
}

function checkQueues(name: string, queues: number): void {
  if (!Number.isInteger(queues) || queues < 1 || queues > QUEUE_LIMIT) {
    throw new OperatorError('ERANGE', `${name}: ${queues} queues (1 to ${QUEUE_LIMIT})`);
  }
}

/** Opens `count` queues and makes the device ready; on any failure all of them are closed. */
async function openQueues(
  name: string,
  count: number,
  multiQueue: boolean,
  openQueue: () => Promise<number>,
): Promise<Device> {
  const fds: number[] = [];
  try {
    let offloads = 0;
    for (let queue = 0; queue < count; queue++) {
      const fd = await openQueue();
      fds.push(fd);
      await later.tapSetVnetHeaderLength(fd, native.vnetHeaderLength);
      offloads = await setOffloads(fd);
    }
    return { name, fds, multiQueue, offloads };
  } catch (error) {
    await Promise.all(fds.map((fd) => later.deviceClose(fd)));
    throw error;
  }
}

/** Runs `body`; closes `fd` if it fails, else the result is `fd`. */
async function closingOnFailure(fd: number, body: () => Promise<void>): Promise<number> {
  try {
    await body();
    return fd;
  } catch (error) {
    await later.deviceClose(fd);
    throw error;
  }
}

async function attach(fd: number, name: string, flags: number): Promise<number> {
  return await closingOnFailure(fd, async () => {
    await later.tapAttach(fd, name, flags);
    const actual = (await later.tapQuery(fd)).name;
    if (actual !== name) {
      throw new OperatorError('ENXIO', `the device opened for ${name} belongs to ${actual}`);
    }
  });
}

/** Two namespaces may give one name to different interfaces; their addresses differ. */
async function verifyAddress(fd: number, name: string): Promise<void> {
  // One after the other: the descriptor is closed if one fails, and must be in no call then.
  const named = await later.interfaceHardwareAddress(name);
  const behind = await later.tapHardwareAddress(fd);
  if (behind !== named) {
    throw new OperatorError(
      'ENXIO',
      `the device opened for ${name} belongs to another network namespace`,
      'mount /sys anew after changing the network namespace (ip netns exec does)',
    );
  }
}

/** Sets the best mask that the kernel takes, and returns it. */
async function setOffloads(fd: number): Promise<number> {
  for (const mask of OFFLOAD_STEPS) {
    try {
      await later.tapSetOffload(fd, mask);
      return mask;
    } catch (error) {
      if (!failedWith(error, 'EINVAL')) throw error;
    }
  }
  throw new OperatorError('EINVAL', 'the device refuses every offload mask');
}

interface NodeNumber {
  readonly index: number;
  readonly major: number;
  readonly minor: number;
}

/** The device number that a macvtap's own sysfs folder names (`tap<ifindex>/dev`). */
async function macvtapNode(name: string): Promise<NodeNumber> {
  const folder = join(SYSFS_NETWORK, name);
  const entry = (await entriesOf(folder, name)).find((candidate) => /^tap\d+$/.test(candidate));
  if (entry === undefined) throw new OperatorError('EINVAL', `${name} is not a macvtap`);
  const text = (await later.filesRead(join(folder, entry), 'dev')).trim();
  const [major, minor] = text.split(':').map(Number);
  if (major === undefined || minor === undefined || Number.isNaN(major + minor)) {
    throw new OperatorError('EINVAL', `${name}: its device number reads ${text}`);
  }
  return { index: Number(entry.slice('tap'.length)), major, minor };
}

async function entriesOf(folder: string, name: string): Promise<string[]> {
  try {
    return (await later.folderList(folder)).split('\n');
  } catch (error) {
    if (!failedWith(error, 'ENOENT')) throw error;
    throw new OperatorError('ENODEV', `there is no interface ${name}`);
  }
}

/** Opens /dev/tap<ifindex> if it is the device, else a private node that no other program sees. */
async function openNode(node: NodeNumber): Promise<number> {
  const path = `/dev/tap${node.index}`;
  return (await isNode(path, node)) ? await later.deviceOpen(path) : await openPrivateNode(node);
}

/** Looks before opening: a foreign macvtap that is opened hands us a share of its frames. */
async function isNode(path: string, node: NodeNumber): Promise<boolean> {
  try {
    const found = await later.deviceNode(path);
    return found.isCharacter && found.major === node.major && found.minor === node.minor;
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return false;
    throw error;
  }
}

async function openPrivateNode(node: NodeNumber): Promise<number> {
  let refusal: unknown;
  for (const folder of NODE_FOLDERS) {
    try {
      return await openPrivateNodeIn(folder, node);
    } catch (error) {
      if (!failedWith(error, 'EACCES', 'EPERM', 'EROFS', 'ENOENT')) throw error;
      refusal = error;
    }
  }
  throw refusal;
}

async function openPrivateNodeIn(parent: string, node: NodeNumber): Promise<number> {
  const folder = await mkdtemp(join(parent, '.ipmpd-'));
  const path = join(folder, 'tap');
  try {
    await later.deviceMakeNode(path, node.major, node.minor);
    try {
      return await later.deviceOpen(path);
    } finally {
      await unlink(path);
    }
  } finally {
    await rmdir(folder);
  }
}
