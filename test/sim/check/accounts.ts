/**
 * The kstats beside what the cables carried, over a stretch in which all drivers answer;
 * and the law of conservation over the whole life.
 */

import { GROUP, type SimWorld } from '../../../src/sim/world.ts';
import { collectKstats, type KstatRecord } from '../../../src/stats/kstat.ts';
import { lawBreaches } from '../../tools/conservation.ts';

/** A moment without a frame on its way comes within this time. */
const REST_WITHIN_MS = 2000;
const TRIES = 20;

/** Frames of one NIC or of the group, as read by the datapath and as written by it. */
interface Frames {
  readonly received: bigint;
  readonly sent: bigint;
}

/** Kstats and cables at one moment. */
export interface Account {
  readonly kstats: readonly KstatRecord[];
  /** By NIC. */
  readonly wire: ReadonlyMap<string, Frames>;
}

/** Reads kstats and cables at a moment between which and the reading nothing moved. */
export function openAccount(world: SimWorld): Account {
  for (let tries = 0; tries < TRIES; tries++) {
    world.runUntil(() => isAtRest(world), REST_WITHIN_MS);
    const before = wireFrames(world);
    const kstats = world.operate('read all', () => collectKstats(world.system.kstats));
    const wire = wireFrames(world);
    if (isAtRest(world) && [...wire].every(([name, now]) => same(now, before.get(name)))) {
      return { kstats, wire };
    }
  }
  throw new Error('the world does not become idle');
}

/**
 * What does not agree since `opening`. Where a driver began anew, counters show less than was
 * carried and never more (`hadResets`).
 */
export function accountBreaches(world: SimWorld, opening: Account, hadResets: boolean): string[] {
  const closing = openAccount(world);
  const found = lawBreaches(closing.kstats);
  let total: Frames = { received: 0n, sent: 0n };
  const compare = (what: string, said: Frames, wire: Frames): void => {
    const isRight = hadResets
      ? said.received <= wire.received && said.sent <= wire.sent
      : same(said, wire);
    if (!isRight) found.push(`${what}: counted ${show(said)}, carried ${show(wire)}`);
  };
  for (const [name, now] of closing.wire) {
    const carried = minus(now, opening.wire.get(name));
    total = { received: total.received + carried.received, sent: total.sent + carried.sent };
    compare(`link ${name}`, growth(opening, closing, 'link', name), carried);
  }
  compare(`group ${GROUP}`, growth(opening, closing, 'ipmp', GROUP), total);
  return found;
}

function growth(opening: Account, closing: Account, module: string, name: string): Frames {
  const [before, after] = [opening, closing].map(({ kstats }) => {
    const row = kstats.find((one) => one.module === module && one.name === name);
    const value = (statistic: string): bigint => BigInt(row?.data[statistic] ?? 0);
    return { received: value('ipackets64'), sent: value('opackets64') };
  });
  return minus(after!, before);
}

function wireFrames(world: SimWorld): Map<string, Frames> {
  return new Map(
    [...world.nics].map(([name, { device, overflowed, cable }]) => {
      const received = cable.counts.b.delivered - device.waiting - overflowed;
      return [name, { received: BigInt(received), sent: BigInt(cable.counts.a.sent) }];
    }),
  );
}

function isAtRest({ host, nics }: SimWorld): boolean {
  const waiting = [...nics.values()].reduce((sum, { device }) => sum + device.waiting, 0);
  return waiting + (host.hasDevice ? host.device.waiting : 0) === 0;
}

function minus(after: Frames, before: Frames | undefined): Frames {
  const { received, sent } = before ?? { received: 0n, sent: 0n };
  return { received: after.received - received, sent: after.sent - sent };
}

const same = (one: Frames, other: Frames | undefined): boolean =>
  one.received === other?.received && one.sent === other.sent;

const show = ({ received, sent }: Frames): string => `${received} in and ${sent} out`;
