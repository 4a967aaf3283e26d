/** The worker's loop with a park that plays a script: each wait does the next step. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { CounterReader } from '../../../src/datapath/counters.ts';
import { Forwarder } from '../../../src/datapath/forwarder.ts';
import {
  CommandRing,
  commandRingCreate,
  FrameRing,
  frameRingCreate,
} from '../../../src/datapath/ring.ts';
import { BURST_MAX } from '../../../src/datapath/slab.ts';
import {
  controlMemoryCreate,
  WORD_PENDING,
  WORKER_BELL,
  WORKER_COMMANDS_DONE,
  WORKER_HELD,
  WORKER_STOP,
  workerOffset,
} from '../../../src/datapath/tables/layout.ts';
import { TablePublisher } from '../../../src/datapath/tables/publish.ts';
import {
  COMMAND_ATTACH,
  COMMAND_DETACH,
  REFUSALS_MAX,
  RingPunts,
  WAIT_MAX_MS,
  WorkerLoop,
  type WorkerPark,
  workerCall,
} from '../../../src/datapath/worker-loop.ts';
import { MemoryPort } from '../../../src/sim/memory-port.ts';
import { arpFrame } from '../../../src/wire/arp.ts';
import { BROADCAST, HOST, ipv4Frame, NET0, PEER, worldTables } from './harness.ts';

const arp = arpFrame(BROADCAST, PEER, {
  operation: 1,
  senderMac: PEER,
  senderAddress: 1,
  targetMac: 0,
  targetAddress: 2,
});

/** A loop whose descriptors are memory ports: descriptor n is `devices[n]`. */
class LoopWorld implements WorkerPark {
  readonly memory = controlMemoryCreate(1);
  readonly words = new Int32Array(this.memory);
  readonly publisher = new TablePublisher(this.memory);
  readonly counters = new CounterReader(this.memory);
  readonly commands: CommandRing;
  readonly injections: FrameRing;
  readonly punts: FrameRing;
  readonly loop: WorkerLoop;
  readonly devices = new Map<number, MemoryPort>();
  readonly watched = new Map<number, number>();
  readonly said: string[] = [];
  readonly timeouts: number[] = [];
  clockMs = 0;
  /** Calls that found the worker holding nothing, so that its wait had to be ended. */
  rings = 0;
  steps: (() => void)[] = [];

  constructor() {
    const [commands, injections] = [commandRingCreate(), frameRingCreate(4096)];
    const punts = frameRingCreate(4096);
    this.commands = new CommandRing(commands);
    this.injections = new FrameRing(injections);
    this.punts = new FrameRing(punts);
    const sink = new RingPunts(new FrameRing(punts));
    const { memory } = this;
    this.loop = new WorkerLoop({
      memory,
      worker: 0,
      forwarder: new Forwarder({ memory, worker: 0, punts: sink, nowMs: () => this.nowMs() }),
      park: this,
      commands: new CommandRing(commands),
      injections: new FrameRing(injections),
      punts: sink,
    });
    this.publisher.replace(worldTables());
    this.publisher.setActiveMembers(0, 1, 0);
    this.publisher.setCastMember(0, NET0);
  }

  /** Runs the loop: each wait takes one step, and the last one stops it. */
  run(...steps: (() => void)[]): void {
    this.steps = steps;
    Atomics.store(this.words, workerOffset(0) + WORKER_STOP, 0);
    this.loop.run();
  }

  word(offset: number): number {
    return Atomics.load(this.words, workerOffset(0) + offset);
  }

  device(fd: number): MemoryPort {
    const found = this.devices.get(fd) ?? new MemoryPort();
    this.devices.set(fd, found);
    return found;
  }

  open(fd: number): MemoryPort {
    return this.device(fd);
  }

  watch(fd: number, port: number): void {
    this.watched.set(fd, port);
  }

  unwatch(fd: number): void {
    ok(this.watched.delete(fd), `descriptor ${fd} is not watched`);
  }

  wait(timeoutMs: number, ready: Int32Array): number {
    this.timeouts.push(timeoutMs);
    const step = this.steps.shift();
    if (step === undefined) this.stop();
    step?.();
    let count = 0;
    for (const [fd, port] of this.watched) {
      const device = this.device(fd);
      if (device.waiting > 0 || device.receiveError !== 0) ready[count++] = port;
    }
    return count;
  }

  nowMs(): number {
    return this.clockMs;
  }

  bell(): void {
    this.said.push('bell');
  }

  portError(port: number, errno: number): void {
    this.said.push(`port ${port}: ${errno}`);
  }

  attachBoth(): void {
    this.command(COMMAND_ATTACH, NET0, 10, 1);
    this.command(COMMAND_ATTACH, HOST, 20, 1);
  }

  command(what: number, port: number, fd: number, option: number): void {
    ok(this.commands.push(what, port, fd, option));
    this.#call();
  }

  inject(frame: Uint8Array, length = frame.length): void {
    ok(this.injections.push(NET0, frame, 0, length, 0));
    this.#call();
  }

  stop(): void {
    Atomics.store(this.words, workerOffset(0) + WORKER_STOP, 1);
    this.#call();
  }

  #call(): void {
    workerCall(this.words, 0, () => {
      this.rings++;
    });
  }
}

test('frames flow once their ports are attached, and the worker sleeps holding nothing', () => {
  const world = new LoopWorld();
  world.attachBoth();
  let heldAsleep = -1;
  world.run(
    () => world.device(10).deliver(ipv4Frame()),
    () => {
      heldAsleep = world.word(WORKER_HELD);
    },
  );
  equal(world.device(20).sent.length, 1);
  equal(world.counters.port(NET0).forwarded, 1n);
  equal(heldAsleep, 0);
  equal(world.word(WORKER_HELD), 0);
  equal(world.word(WORKER_COMMANDS_DONE), 2);
  deepEqual(world.said, ['bell']);
  ok(world.timeouts.includes(WAIT_MAX_MS));
});

test('a worker with something in its rings does not sleep', () => {
  const world = new LoopWorld();
  world.attachBoth();
  world.run(() => {
    world.inject(arp);
  });
  equal(world.device(10).sent.length, 1);
  deepEqual(world.device(10).sent[0], arp);
  world.timeouts.length = 0;
  world.inject(arp);
  for (let i = 0; i < 70; i++) world.inject(arp, 20);
  world.run(() => undefined);
  equal(world.timeouts[0], 0);
  equal(world.counters.port(NET0).injected, 72n);
});

test('a call ends the wait of a worker, and rings none that carries frames', () => {
  const world = new LoopWorld();
  world.attachBoth();
  world.run(() => world.inject(arp));
  equal(world.rings, 4, 'two devices, a frame and the stop found it waiting');
  world.rings = 0;
  world.device(20).onTransmit = () => world.inject(arp);
  world.run(() => world.device(10).deliver(ipv4Frame()));
  equal(world.rings, 1, 'the stop alone');
  equal(world.device(10).sent.length, 2);
});

test('punts carry the time of the worker, and ring once until they are looked at', () => {
  const world = new LoopWorld();
  world.attachBoth();
  world.run(() => undefined);
  Atomics.store(world.words, workerOffset(0) + WORKER_BELL, 0);
  world.said.length = 0;
  world.run(
    () => {
      world.clockMs = 17.25;
      world.device(10).deliver(arp);
    },
    () => world.device(10).deliver(arp),
  );
  deepEqual(world.said, ['bell']);
  ok(world.punts.next());
  deepEqual([world.punts.port, world.punts.atMs, world.punts.length], [NET0, 17.25, arp.length]);
});

test('a detached device is not touched again', () => {
  const world = new LoopWorld();
  world.attachBoth();
  world.run(() => {
    world.command(COMMAND_DETACH, NET0, -1, 0);
    world.device(10).deliver(ipv4Frame());
  });
  equal(world.device(10).waiting, 1);
  equal(world.watched.has(10), false);
  equal(world.word(WORKER_COMMANDS_DONE), 3);
  world.command(COMMAND_DETACH, NET0, -1, 0);
  world.command(COMMAND_ATTACH, NET0, 11, 0);
  world.device(11).deliver(ipv4Frame());
  world.run();
  equal(world.device(11).waiting, 1, 'a queue that another worker reads');
});

test('a device that cannot be read is reported once and left alone', () => {
  const world = new LoopWorld();
  world.attachBoth();
  world.run(
    () => {
      world.device(10).receiveError = 77;
    },
    () => undefined,
    () => undefined,
  );
  deepEqual(
    world.said.filter((said) => said !== 'bell'),
    [`port ${NET0}: 77`],
  );
  equal(world.watched.has(10), false);
  world.device(12).deliver(ipv4Frame());
  world.command(COMMAND_ATTACH, NET0, 12, 1);
  world.run(() => undefined);
  equal(world.device(20).sent.length, 1);
});

test('a read that fails for once loses a frame, and the next one is read', () => {
  const world = new LoopWorld();
  world.attachBoth();
  world.run(
    () => {
      world.device(10).receiveError = 22;
    },
    () => {
      world.device(10).receiveError = 0;
      world.device(10).deliver(ipv4Frame());
    },
    () => undefined,
  );
  deepEqual(
    world.said.filter((said) => said !== 'bell'),
    [],
  );
  equal(world.watched.has(10), true);
  equal(world.device(20).sent.length, 1);
  equal(world.counters.portDrops(NET0).get('receive_refused'), 1n);
  equal(world.counters.port(NET0).receivePackets, 2n);
});

test('a read that fails behind others of its burst loses a frame as well', () => {
  const world = new LoopWorld();
  world.attachBoth();
  const device = world.device(10);
  const read = device.receive.bind(device);
  let errno = 22;
  device.receive = (burst, count) => {
    const done = read(burst, count);
    if (done > 0) burst.status[done] = errno;
    return done;
  };
  world.run(
    () => device.deliver(ipv4Frame()),
    () => {
      errno = 77;
      device.deliver(ipv4Frame());
    },
    () => undefined,
  );
  equal(world.device(20).sent.length, 2);
  equal(world.counters.portDrops(NET0).get('receive_refused'), 1n, 'one that is gone lost none');
  equal(world.counters.port(NET0).receivePackets, 3n);
  equal(world.watched.has(10), true);
});

test('a device that refuses every read is reported in the end', () => {
  const world = new LoopWorld();
  world.attachBoth();
  const steps = Array.from({ length: 2 * REFUSALS_MAX }, () => () => undefined);
  world.run(
    () => {
      world.device(10).receiveError = 22;
    },
    ...steps,
  );
  deepEqual(
    world.said.filter((said) => said !== 'bell'),
    [`port ${NET0}: 22`],
  );
  equal(world.watched.has(10), false);
  equal(world.counters.portDrops(NET0).get('receive_refused'), BigInt(REFUSALS_MAX));
});

test('refusals with full bursts between them are not in a row', () => {
  const world = new LoopWorld();
  world.attachBoth();
  const device = world.device(10);
  const refusals = Array.from({ length: REFUSALS_MAX - 2 }, () => () => undefined);
  // The read after the burst is refused before anything else is looked at.
  world.device(20).onTransmit = () => {
    device.receiveError = 22;
  };
  world.run(
    () => {
      device.receiveError = 22;
    },
    ...refusals,
    () => {
      device.receiveError = 0;
      for (let i = 0; i < BURST_MAX; i++) device.deliver(ipv4Frame());
    },
    () => {
      device.receiveError = 0;
    },
  );
  equal(world.counters.portDrops(NET0).get('receive_refused'), BigInt(REFUSALS_MAX));
  deepEqual(
    world.said.filter((said) => said !== 'bell'),
    [],
  );
  equal(world.watched.has(10), true);
});

test('a busy port does not starve another', () => {
  const world = new LoopWorld();
  world.attachBoth();
  for (let i = 0; i < 6_400; i++) world.device(10).deliver(ipv4Frame());
  let servedAt = -1;
  world.device(10).onTransmit = () => {
    if (servedAt < 0) servedAt = world.device(10).waiting;
  };
  world.device(20).onTransmit = () => undefined;
  const host = ipv4Frame({ destination: PEER, from: '192.0.2.10', to: '192.0.2.1' });
  world.run(
    () => undefined,
    () => world.device(20).deliver(host),
    ...new Array<() => void>(40).fill(() => undefined),
  );
  equal(world.device(10).waiting, 0);
  ok(servedAt > 3_000, `served when ${servedAt} frames were left`);
});

test('a publication that waits makes the worker ring when it lets go', () => {
  const world = new LoopWorld();
  world.run(() => {
    Atomics.store(world.words, WORD_PENDING, 1);
  });
  deepEqual(world.said, ['bell']);
});
