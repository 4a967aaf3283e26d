/** Taking interfaces offline and bringing them online: what the tests of it share. */

import type { Task } from '../../../src/base/operation.ts';
import type { GroupSpec } from '../../../src/system.ts';
import { Bench } from './bench.ts';

/** Detection and announcements are over. */
export const SETTLED_MS = 30_000;

/** How an operation ends: `done`, or `CODE sentence`. */
export function offline(bench: Bench, name: string): string {
  return bench.refusal(() => bench.system.offlineInterface(name));
}

export function online(bench: Bench, name: string): string {
  return bench.refusal(() => bench.system.onlineInterface(name));
}

/** Begins to take `name` offline and stops before any time has passed. */
export function beginOffline(bench: Bench, name: string): Task<void> {
  const { scheduler } = bench.system;
  const task = scheduler.spawn('offline', () => bench.system.offlineInterface(name));
  scheduler.run();
  return task;
}

/** What is shown of an interface. */
export function interfaceRow(bench: Bench, name: string) {
  return bench.system.describeInterfaces().find(({ ifname }) => ifname === name);
}

/** A settled group with as many addresses as asked for. */
export function settledBench(
  members: number,
  addresses: number,
  spec: Partial<GroupSpec> = {},
  standbys: readonly number[] = [],
): Bench {
  const bench = new Bench();
  bench.build(members, spec, standbys);
  bench.addresses(...Array.from({ length: addresses }, (_, n) => `192.0.2.${10 + n}`));
  bench.advance(SETTLED_MS);
  bench.drain();
  return bench;
}
