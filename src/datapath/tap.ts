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
 * Errors are the addon's (`code` is an errno name): ENODEV no such interface, EINVAL not of this
 * kind or flags do not match, EBUSY all queues taken, ENXIO the descriptor leads to another
 * interface.
 */

import {
  close,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { OperatorError } from '../base/errors.ts';
import { failedWith, native } from './native.ts';

// From linux/if_tun.h.
export const IFF_TUN = 0x0001;
export const IFF_TAP = 0x0002;
export const IFF_MULTI_QUEUE = 0x0100;
export const IFF_NO_PI = 0x1000;
export const IFF_VNET_HDR = 0x4000;
export const TUN_F_CSUM = 0x01;
export const TUN_F_TSO4 = 0x02;
export const TUN_F_TSO6 = 0x04;
export const TUN_F_TSO_ECN = 0x08;
// Newer than some installed headers (Linux 6.2); the kernel takes them only together.
export const TUN_F_USO4 = 0x20;
export const TUN_F_USO6 = 0x40;

const TSO = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;

/** Ours: offload masks from the best down; the first that the kernel takes is used. */
const OFFLOAD_STEPS: readonly number[] = [
  TSO | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6,
  TSO | TUN_F_TSO_ECN,
  TSO,
  TUN_F_CSUM,
  0,
];

const TUN_NODE = '/dev/net/tun';
const SYSFS_NETWORK = '/sys/class/net';

/** Ours: where a private node may be made; file systems mounted `nodev` refuse to open it. */
const NODE_FOLDERS: readonly string[] = ['/dev', '/run', '/tmp'];

/** What the kernel takes of one interface (MAX_TAP_QUEUES in drivers/net/tun.c). */
export const QUEUE_LIMIT = 256;

/** An open TAP or macvtap; `fds` are its queues, non-blocking, owned by whoever opened it. */
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

export interface OpenTapOptions extends OpenOptions {
  /** False: the TAP must exist already (ENODEV). Default true. */
  readonly create?: boolean;
}

/** Opens the TAP `name`, which is created if it does not exist (and dies with its last queue). */
export function openTap(name: string, options: OpenTapOptions): Device {
  checkQueues(name, options.queues);
  const existing = tunFlags(name);
  if (existing === undefined && options.create === false) {
    throw new OperatorError('ENODEV', `there is no interface ${name}`);
  }
  if (existing !== undefined && (existing & IFF_TAP) === 0) {
    throw new OperatorError('EINVAL', `${name} is a TUN, not a TAP`);
  }
  const multiQueue =
    existing === undefined ? options.queues > 1 : (existing & IFF_MULTI_QUEUE) !== 0;
  const count = multiQueue ? options.queues : 1;
  const flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (multiQueue ? IFF_MULTI_QUEUE : 0);
  return openQueues(name, count, multiQueue, () =>
    attach(native.deviceOpen(TUN_NODE), name, flags),
  );
}

/** Opens the macvtap `name` of this network namespace; `/sys` must show the same namespace. */
export function openMacvtap(name: string, options: OpenOptions): Device {
  checkQueues(name, options.queues);
  const node = macvtapNode(name);
  const flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  return openQueues(name, options.queues, true, () => {
    const fd = attach(openNode(node), name, flags);
    return closingOnFailure(fd, () => verifyAddress(fd, name));
  });
}

/** Closes every queue of a device. No worker may be using them any more. */
export function closeDevice(device: Device): void {
  for (const fd of device.fds) native.deviceClose(fd);
}

/**
 * The same on other threads: the kernel lets the last readers of a queue finish first, which takes
 * it some hundredths of a second, but no longer for many queues than for one.
 */
export async function releaseDevice(device: Device): Promise<void> {
  await Promise.all(device.fds.map((fd) => promisify(close)(fd)));
}

/**
 * True while the interface behind a queue exists. A deleted macvtap shows neither an error nor an
 * end of file to readers and writers: only this question finds it out.
 */
export function deviceIsAlive(fd: number): boolean {
  try {
    native.tapQuery(fd);
    return true;
  } catch (error) {
    if (failedWith(error, 'ENOLINK', 'EBADFD', 'ENODEV')) return false;
    throw error;
  }
}

function checkQueues(name: string, queues: number): void {
  if (!Number.isInteger(queues) || queues < 1 || queues > QUEUE_LIMIT) {
    throw new OperatorError('ERANGE', `${name}: ${queues} queues (1 to ${QUEUE_LIMIT})`);
  }
}

/** Opens `count` queues and makes the device ready; on any failure all of them are closed. */
function openQueues(
  name: string,
  count: number,
  multiQueue: boolean,
  openQueue: () => number,
): Device {
  const fds: number[] = [];
  try {
    let offloads = 0;
    for (let queue = 0; queue < count; queue++) {
      const fd = openQueue();
      fds.push(fd);
      native.tapSetVnetHeaderLength(fd, native.vnetHeaderLength);
      offloads = setOffloads(fd);
    }
    return { name, fds, multiQueue, offloads };
  } catch (error) {
    for (const fd of fds) native.deviceClose(fd);
    throw error;
  }
}

/** Runs `body`; closes `fd` if it throws, else returns `fd`. */
function closingOnFailure(fd: number, body: () => void): number {
  try {
    body();
    return fd;
  } catch (error) {
    native.deviceClose(fd);
    throw error;
  }
}

function attach(fd: number, name: string, flags: number): number {
  return closingOnFailure(fd, () => {
    native.tapAttach(fd, name, flags);
    const actual = native.tapQuery(fd).name;
    if (actual !== name) {
      throw new OperatorError('ENXIO', `the device opened for ${name} belongs to ${actual}`);
    }
  });
}

/** Two namespaces may give one name to different interfaces; their addresses differ. */
function verifyAddress(fd: number, name: string): void {
  if (native.tapHardwareAddress(fd) !== native.interfaceHardwareAddress(name)) {
    throw new OperatorError(
      'ENXIO',
      `the device opened for ${name} belongs to another network namespace`,
      'mount /sys anew after changing the network namespace (ip netns exec does)',
    );
  }
}

/** Sets the best mask that the kernel takes, and returns it. */
function setOffloads(fd: number): number {
  for (const mask of OFFLOAD_STEPS) {
    try {
      native.tapSetOffload(fd, mask);
      return mask;
    } catch (error) {
      if (!failedWith(error, 'EINVAL')) throw error;
    }
  }
  throw new OperatorError('EINVAL', 'the device refuses every offload mask');
}

/** IFF_* with which a TUN or TAP exists; undefined if there is no interface of that name. */
function tunFlags(name: string): number | undefined {
  const folder = join(SYSFS_NETWORK, name);
  if (!existsSync(folder)) return undefined;
  const file = join(folder, 'tun_flags');
  if (!existsSync(file)) throw new OperatorError('EINVAL', `${name} is not a TAP`);
  return Number.parseInt(readFileSync(file, 'latin1'), 16);
}

interface NodeNumber {
  readonly index: number;
  readonly major: number;
  readonly minor: number;
}

/** The device number that a macvtap's own sysfs folder names (`tap<ifindex>/dev`). */
function macvtapNode(name: string): NodeNumber {
  const folder = join(SYSFS_NETWORK, name);
  if (!existsSync(folder)) throw new OperatorError('ENODEV', `there is no interface ${name}`);
  const entry = readdirSync(folder).find((candidate) => /^tap\d+$/.test(candidate));
  if (entry === undefined) throw new OperatorError('EINVAL', `${name} is not a macvtap`);
  const text = readFileSync(join(folder, entry, 'dev'), 'latin1').trim();
  const [major, minor] = text.split(':').map(Number);
  if (major === undefined || minor === undefined || Number.isNaN(major + minor)) {
    throw new OperatorError('EINVAL', `${name}: its device number reads ${text}`);
  }
  return { index: Number(entry.slice('tap'.length)), major, minor };
}

/** Opens /dev/tap<ifindex> if it is the device, else a private node that nobody else sees. */
function openNode(node: NodeNumber): number {
  const path = `/dev/tap${node.index}`;
  return isNode(path, node) ? native.deviceOpen(path) : openPrivateNode(node);
}

/** Looks before opening: a foreign macvtap that is opened hands us a share of its frames. */
function isNode(path: string, node: NodeNumber): boolean {
  try {
    const found = native.deviceNode(path);
    return found.isCharacter && found.major === node.major && found.minor === node.minor;
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return false;
    throw error;
  }
}

function openPrivateNode(node: NodeNumber): number {
  let refusal: unknown;
  for (const folder of NODE_FOLDERS) {
    try {
      return openPrivateNodeIn(folder, node);
    } catch (error) {
      if (!failedWith(error, 'EACCES', 'EPERM', 'EROFS', 'ENOENT')) throw error;
      refusal = error;
    }
  }
  throw refusal;
}

function openPrivateNodeIn(parent: string, node: NodeNumber): number {
  const folder = mkdtempSync(join(parent, '.ipmpd-'));
  const path = join(folder, 'tap');
  try {
    native.deviceMakeNode(path, node.major, node.minor);
    try {
      return native.deviceOpen(path);
    } finally {
      unlinkSync(path);
    }
  } finally {
    rmdirSync(folder);
  }
}
