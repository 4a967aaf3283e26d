/** A burst of slots with frames in it, as tests of devices use them. */

import { execFileSync, type StdioOptions } from 'node:child_process';
import { type BurstHandle, native } from '../../src/native/addon.ts';

export const HEADER = native.vnetHeaderLength;

/** A slab of `count` slots bound to one burst handle. */
export class TestBurst {
  readonly slab: Uint8Array;
  readonly slots: Int32Array;
  readonly lengths: Int32Array;
  readonly status: Int32Array;
  readonly handle: BurstHandle;
  readonly slotLength: number;

  constructor(count: number, slotLength = native.slotLength) {
    this.slotLength = slotLength;
    this.slab = new Uint8Array(new SharedArrayBuffer(count * slotLength));
    this.slots = Int32Array.from({ length: count }, (_, index) => index);
    this.lengths = new Int32Array(count);
    this.status = new Int32Array(count).fill(-1);
    this.handle = native.burstCreate(this.slab, this.slots, this.lengths, this.status, slotLength);
  }

  /** The octets of an entry, virtio net header included. */
  entry(position: number): Uint8Array {
    const start = (this.slots[position] ?? 0) * this.slotLength;
    return this.slab.subarray(start, start + (this.lengths[position] ?? 0));
  }

  /** Puts an Ethernet frame behind an empty virtio net header. */
  put(position: number, frame: Uint8Array): void {
    const start = (this.slots[position] ?? 0) * this.slotLength;
    this.slab.fill(0, start, start + HEADER);
    this.slab.set(frame, start + HEADER);
    this.lengths[position] = HEADER + frame.length;
  }

  /** Ethernet frames of the experimental EtherType that `fd` has waiting, in order. */
  receive(fd: number): Uint8Array[] {
    const count = native.readBurst(this.handle, fd, 0, this.slots.length);
    if (count < 0) throw new Error(`read: ${count}`);
    return Array.from({ length: count }, (_, i) => this.entry(i).slice(HEADER)).filter(isTestFrame);
  }
}

/** From RFC 5342, appendix B: local experimental EtherType 1. */
const ETHERTYPE = 0x88b5;

/** A frame of `length` octets between two addresses (48-bit numbers), its payload `fill`. */
export function testFrame(to: number, from: number, fill: number, length = 60): Uint8Array {
  const frame = new Uint8Array(length).fill(fill);
  for (let i = 0; i < 6; i++) {
    frame[i] = Math.floor(to / 2 ** (40 - 8 * i));
    frame[6 + i] = Math.floor(from / 2 ** (40 - 8 * i));
  }
  frame[12] = ETHERTYPE >> 8;
  frame[13] = ETHERTYPE & 0xff;
  return frame;
}

/** TUNGETVNETHDRSZ of linux/if_tun.h. */
const ASK_HEADER = `
import fcntl, sys
print(int.from_bytes(fcntl.ioctl(3, 0x800454d7, bytes(4)), sys.byteorder))
`;

/** The length of the header that a device puts before each frame, as its driver has it. */
export function vnetHeaderLength(fd: number): number {
  const stdio: StdioOptions = ['ignore', 'pipe', 'inherit', fd];
  return Number(execFileSync('python3', ['-c', ASK_HEADER], { stdio, encoding: 'utf8' }));
}

function isTestFrame(frame: Uint8Array): boolean {
  return frame[12] === ETHERTYPE >> 8 && frame[13] === (ETHERTYPE & 0xff);
}
