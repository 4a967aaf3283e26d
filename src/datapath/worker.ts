/**
 * The thread of a worker: its descriptors, its clock, and the loop. It never returns to the event
 * loop before it stops, so nothing here may depend on events. Work from the main thread comes by
 * rings and words; reports to it go by messages, which need no event loop to leave.
 *
 * An exception ends the thread; the pool reports it. It is always a mistake of ours: packets and
 * devices never throw.
 */

import { availableParallelism } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../base/assert.ts';
import { native } from '../native/addon.ts';
import { type DeviceBursts, DevicePort, deviceBurstsCreate } from './device-port.ts';
import { Forwarder } from './forwarder.ts';
import type { PortIo } from './port.ts';
import { CommandRing, FrameRing } from './ring.ts';
import { slabCreate } from './slab.ts';
import { RingPunts, WorkerLoop, type WorkerPark } from './worker-loop.ts';
import { clockOffset, type WorkerMessage, type WorkerStart } from './worker-start.ts';

/** The token of the wake descriptor among the ports. */
const WAKE_TOKEN = -1;

/**
 * A worker stays awake for so long before it sleeps (docs/performance.md has what other times
 * gave): the next burst of a flow comes sooner than a sleeper gets up. With one processor the
 * sender could not run meanwhile.
 */
const SPIN_US = availableParallelism() > 1 ? 20 : 0;

// Called at each wake-up: taken out of the addon once, as in device-port.ts.
const { epollWait, eventfdClear } = native;

/** The descriptors and the clock of this thread. */
class NativePark implements WorkerPark {
  readonly #epoll = native.epollCreate();
  readonly #bursts: DeviceBursts;
  readonly #wakeFd: number;
  readonly #clockShiftMs: number;
  readonly #say: (message: WorkerMessage) => void;

  constructor(start: WorkerStart, bursts: DeviceBursts, say: (message: WorkerMessage) => void) {
    this.#bursts = bursts;
    this.#wakeFd = start.wakeFd;
    this.#clockShiftMs = clockOffset() - start.clockOffsetMs;
    this.#say = say;
    native.epollAdd(this.#epoll, start.wakeFd, WAKE_TOKEN);
  }

  open(fd: number): PortIo {
    return new DevicePort(this.#bursts, fd);
  }

  watch(fd: number, port: number): void {
    native.epollAdd(this.#epoll, fd, port);
  }

  unwatch(fd: number): void {
    native.epollDelete(this.#epoll, fd);
  }

  wait(timeoutMs: number, ready: Int32Array): number {
    const count = epollWait(this.#epoll, SPIN_US, timeoutMs, ready);
    let ports = 0;
    for (let i = 0; i < count; i++) {
      const token = ready[i]!;
      if (token === WAKE_TOKEN) eventfdClear(this.#wakeFd);
      else ready[ports++] = token;
    }
    return ports;
  }

  nowMs(): number {
    return performance.now() + this.#clockShiftMs;
  }

  bell(): void {
    this.#say({ kind: 'bell' });
  }

  portError(port: number, errno: number): void {
    this.#say({ kind: 'port-error', port, errno });
  }

  close(): void {
    native.deviceClose(this.#epoll);
  }
}

function workerRun(start: WorkerStart, say: (message: WorkerMessage) => void): void {
  const slab = slabCreate();
  const park = new NativePark(start, deviceBurstsCreate(slab), say);
  const punts = new RingPunts(new FrameRing(start.punts));
  const { memory, worker } = start;
  const forwarder = new Forwarder({ memory, worker, punts, nowMs: () => park.nowMs(), slab });
  const loop = new WorkerLoop({
    memory,
    worker,
    forwarder,
    park,
    commands: new CommandRing(start.commands),
    injections: new FrameRing(start.injections),
    punts,
  });
  say({ kind: 'ready', nice: native.threadRaise(`ipmpd-worker${worker}`) });
  loop.run();
  park.close();
}

const parent = parentPort;
assert(parent !== null, 'worker.ts is the entry of a thread');
workerRun(workerData as WorkerStart, (message) => parent.postMessage(message));
