/**
 * A System whose drivers and host answer when the test lets them, so that the life of a group or
 * an interface can be stopped and checked between any two of its steps.
 */

import { deepEqual, equal } from 'node:assert/strict';
import { OperatorError } from '../../../src/base/errors.ts';
import { external, type Operation, type Task } from '../../../src/base/operation.ts';
import { referenceCounts } from '../../../src/base/reference.ts';
import { Rng } from '../../../src/base/rng.ts';
import { LINK_COUNTERS_ZERO, type LinkCounters } from '../../../src/stats/schema.ts';
import { System } from '../../../src/system.ts';
import { describe, groupSpec, interfaceSpec, macOf } from './bench.ts';
import { Recorder } from './recorder.ts';

/** What a test may hold: a NIC's driver, or one service of the host. */
export type Gate = `driver ${string}` | 'close' | 'host';

export const GROUP = 'ipmp0';
const NICS = ['net0', 'net1'];

/** One system that can be stopped. */
export class Stage {
  readonly system: System;
  /** Groups whose device is gone from the host. */
  readonly closed: string[] = [];
  readonly #held = new Set<Gate>();
  readonly #waiting = new Map<Gate, (() => void)[]>();
  readonly #tasks: Task<unknown>[] = [];
  #nowMs = 1000;

  constructor() {
    this.system = new System({
      publication: new Recorder(),
      rng: new Rng(1),
      nowMs: this.#nowMs,
      linkStatistics: (_nic, ifname) => this.#ask(ifname),
      closeGroupDevice: (name) => this.#close(name),
      setGroupForwarding: () => this.#pass('host'),
      setGroupMulticast: () => this.#pass('host'),
    });
  }

  /** From now on an operation that comes to this gate waits there. */
  hold(gate: Gate): void {
    this.#held.add(gate);
  }

  /** From now on operations pass; those that wait go on waiting. */
  open(gate: Gate): void {
    this.#held.delete(gate);
  }

  /** All gates are open, and what waits at them goes on. */
  release(): void {
    this.#held.clear();
    for (const waiting of this.#waiting.values()) for (const go of waiting.splice(0)) go();
    this.system.scheduler.run();
    this.check();
  }

  /** Begins an operation, and goes as far as it goes without the time passing. */
  begin<T>(label: string, body: () => Operation<T>): Task<T> {
    const task = this.system.scheduler.spawn(label, body);
    this.#tasks.push(task as Task<unknown>);
    this.system.scheduler.run();
    this.check();
    return task;
  }

  /** Lets the time pass. */
  advance(durationMs: number): void {
    const endMs = this.#nowMs + durationMs;
    while (this.system.pollAt() <= endMs) {
      this.#nowMs = Math.max(this.#nowMs, this.system.pollAt());
      this.system.handleTime(this.#nowMs);
      this.check();
    }
    this.#nowMs = endMs;
  }

  /** An operation from its beginning to its end. */
  run<T>(label: string, body: () => Operation<T>): T {
    const task = this.begin(label, body);
    for (let steps = 0; task.state === 'running' && steps < 100; steps++) this.advance(10);
    if (task.state === 'failed') throw task.error;
    return task.value;
  }

  createInterface(name: string): void {
    this.run(`create ${name}`, () => this.system.createInterface(interfaceSpec(name)));
  }

  attach(name: string): void {
    const info = { present: true, mac: macOf(NICS.indexOf(name)), mtu: 1500, link: 'up' } as const;
    this.system.handleDevice(name, info, this.#nowMs);
    this.check();
  }

  createGroup(interfaces: readonly string[]): Task<void> {
    return this.begin('create', () => this.system.createGroup(groupSpec({ interfaces })));
  }

  /** The group's device with one address. */
  attachGroup(): void {
    const info = { present: true, mac: 0x02_00_00_00_0f_ff, mtu: 1500, up: true };
    this.system.handleGroupDevice(GROUP, info, this.#nowMs);
    const address = { address: '192.0.2.10', prefixLength: 24, family: 4 } as const;
    this.system.handleHostAddresses(GROUP, [address], this.#nowMs);
    this.check();
  }

  deleteGroup(): Task<void> {
    return this.begin('delete group', () => this.system.deleteGroup(GROUP));
  }

  /** Everything that can be seen of the system, as copies. */
  describe(): unknown {
    const { system } = this;
    return structuredClone({
      ...describe(system),
      kstats: system.kstats.list().map(({ module, name }) => `${module}:${name}`),
      chain: system.kstats.id,
    });
  }

  /**
   * What is found by its name is complete. A group has its port, its rows (made from its illgrp)
   * and its kstat exactly while it is listed; an interface likewise.
   */
  check(): void {
    const { system } = this;
    const groups = system.describeGroups().map(({ group }) => group);
    const isVisible = groups.includes(GROUP);
    const port = system.groupPortOf(GROUP);
    equal(port !== undefined, isVisible, 'the port of a group');
    if (port !== undefined) equal(system.nameOfPort(port), GROUP);
    equal(system.kstats.lookup('ipmp', 0, GROUP) !== undefined, isVisible, 'its kstat');
    if (!isVisible) {
      const rows = [...system.describeAddresses(), ...system.describeMulticast()];
      deepEqual([...rows, ...system.describeNeighbors()], [], 'nothing of a group without it');
    }
    const interfaces = system.describeInterfaces();
    for (const name of NICS) {
      const row = interfaces.find(({ ifname }) => ifname === name);
      equal(system.nicOf(name) !== undefined, row !== undefined, `port of ${name}`);
      equal(system.kstats.lookup('link', 0, name) !== undefined, row !== undefined, name);
      if (typeof row?.group === 'string') equal(isVisible, true, `the group of ${name}`);
    }
  }

  /** Everything goes on to its end; nothing is left behind. */
  end(): void {
    this.release();
    this.advance(1000);
    for (const task of this.#tasks) equal(task.state !== 'running', true, `${task.label} hangs`);
    deepEqual(referenceCounts(), {}, 'references');
  }

  *#ask(ifname: string): Operation<LinkCounters> {
    yield* this.#pass(`driver ${ifname}`);
    return LINK_COUNTERS_ZERO;
  }

  *#close(name: string): Operation<void> {
    yield* this.#pass('close');
    this.closed.push(name);
  }

  *#pass(gate: Gate): Operation<void> {
    this.check();
    if (!this.#held.has(gate)) return;
    yield* external<void>(gate, ({ resolve }) => {
      const waiting = this.#waiting.get(gate) ?? [];
      this.#waiting.set(gate, [...waiting, () => resolve()]);
      return undefined;
    });
    this.check();
  }
}

/** How an operation ended: `done`, or the code with which it was refused. */
export function outcomeOf(task: Task<unknown>): string {
  if (task.state === 'done') return typeof task.value === 'string' ? task.value : 'done';
  if (task.error instanceof OperatorError) return task.error.code;
  throw task.error;
}
