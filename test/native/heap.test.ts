/**
 * The addon's calls of a worker's thread allocate nothing: a burst is written, waited for and read,
 * time and again, and the heap stays flat. A FIFO stands for the device, since it loses nothing.
 * What lies between the calls is in unit/datapath/heap.test.ts.
 */

import { ok } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { DevicePort, deviceBurstsCreate } from '../../src/datapath/device-port.ts';
import { BURST_MAX, slabCreate } from '../../src/datapath/slab.ts';
import { native } from '../../src/native/addon.ts';
import { testFolder } from '../tools/folder.ts';

const { epollWait } = native;

/** Ours: frames of a round, rounds until the compiler is done, and those that must be flat then. */
const FRAMES = 10_000;
const ROUNDS_MAX = 60;
const FLAT_ROUNDS = 3;
/** Less than an object for each hundred frames. */
const FLAT_BYTES = 1024;
const FRAME_LENGTH = 10 + 60;
const WAIT_MS = 1000;

const SLAB = slabCreate();
const READY = new Int32Array(BURST_MAX);

/** Carries frames through the FIFO; returns by how many bytes the heap grew. */
function round(port: DevicePort, epoll: number): number {
  const before = process.memoryUsage().heapUsed;
  let arrived = 0;
  for (let i = 0; i < FRAMES; i++) {
    port.transmit(SLAB.transmit, 0, 1);
    if (epollWait(epoll, 0, WAIT_MS, READY) !== 1) break;
    arrived += port.receive(SLAB.receive, BURST_MAX);
  }
  const grown = process.memoryUsage().heapUsed - before;
  ok(arrived === FRAMES, `${arrived} of ${FRAMES} frames arrived`);
  return grown;
}

test('a burst written, waited for and read allocates nothing', (t) => {
  const fifo = join(testFolder(t), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const epoll = native.epollCreate();
  const grown: number[] = [];
  const port = new DevicePort(deviceBurstsCreate(SLAB), native.deviceOpen(fifo));
  native.epollAdd(epoll, port.fd, 7);
  SLAB.transmit.lengths[0] = FRAME_LENGTH;
  const isFlat = (): boolean => {
    const last = grown.slice(-FLAT_ROUNDS);
    return last.length === FLAT_ROUNDS && last.every((n) => n >= 0 && n < FLAT_BYTES);
  };
  while (!isFlat() && grown.length < ROUNDS_MAX) grown.push(round(port, epoll));
  for (const fd of [port.fd, epoll]) native.deviceClose(fd);
  ok(isFlat(), `${grown.join(', ')} bytes in rounds of ${FRAMES} frames`);
});
