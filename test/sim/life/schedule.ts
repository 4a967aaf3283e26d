/**
 * Schedules of trouble: what is done to a world and when, as data. A seed gives a schedule; a
 * schedule can be printed, shortened by hand, and played again.
 */

import { Rng } from '../../../src/base/rng.ts';
import { type Act, HOST } from '../../../src/sim/act.ts';
import { DRIVER_MOODS } from '../../../src/sim/drivers.ts';
import type { Faults } from '../../../src/sim/lan/cable.ts';
import type { Side } from '../../../src/sim/lan/network.ts';
import { GROUP, type NicSpec, type WorldOptions } from '../../../src/sim/world.ts';
import { macFormat } from '../../../src/wire/addr.ts';
import { GATEWAY_NAME, TWO } from '../scene.ts';

/** The schedule's stream must differ from the world's own, whatever the seed. */
const SCHEDULE = 0x5eed;

/** A group without a device, so that interfaces have two groups to go to. */
export const OTHER_GROUP = 'ipmp1';
/** Data addresses that come and go. */
export const POOL = [10, 11, 12, 13, 14, 15].map((last) => `192.0.2.${last}`);
/** Of IPv6; the first is the link-local one of the group's device. */
export const POOL6 = ['fe80::10', ...[10, 11, 12, 13].map((last) => `2001:db8::${last}`)];
/** What a life begins with, and what is left when all is well: some of each family. */
export const BEGINNING = [
  ...POOL.slice(0, 4).map((text) => `${text}/24`),
  ...POOL6.slice(0, 4).map((text) => `${text}/64`),
];
/** What the gateway advertises to hosts that make themselves an address of it. */
const PREFIX = '2001:db8::';
/** The interfaces at the beginning and at the end, where a schedule has no others. */
export const NICS: readonly NicSpec[] = [...TWO, { name: 'net2', side: 'A' }];
const NAMES = NICS.map(({ name }) => name);
const TEST_ADDRESS = '192.0.2.21/24';
const TEST_ADDRESSES = [TEST_ADDRESS, '192.0.2.22/24', '192.0.2.22/25', '2001:db8::21/64'];
/** Names for groups: also some that are taken. */
const GROUP_NAMES = ['blue', 'green', GROUP, OTHER_GROUP, 'net0'];
/** Neighbours that the operator sets; no station has these addresses. */
const STRANGERS = ['192.0.2.200', '192.0.2.201', '2001:db8::200', 'fe80::200'];

const ACTS = 60;
/** Ours: many acts fall into one driver call or one duplicate detection, others into none. */
const QUICK_MS = 5;
const LONG_MS = 700;

/** An act and its time. */
export interface Step {
  readonly atMs: number;
  readonly act: Act;
}

/** A life of trouble. Times count from the beginning of the world. */
export interface Schedule {
  readonly seed: number;
  readonly settings: NonNullable<WorldOptions['settings']>;
  readonly nics: readonly NicSpec[];
  /** In order of time. */
  readonly steps: readonly Step[];
}

type Draw = (rng: Rng, nics: readonly NicSpec[]) => Act | readonly Act[];

/** The schedule of a seed. */
export function drawSchedule(seed: number): Schedule {
  const rng = new Rng(seed ^ SCHEDULE);
  const nics = drawNics(rng);
  const flapDamping = rng.below(2) === 0 ? { ups: 2, withinMs: 3000 } : null;
  // A swarm: each seed has its own mix of kinds, so that some lives are all plumbing.
  const mix = DRAWS.filter(() => rng.below(3) > 0);
  const steps: Step[] = [];
  let atMs = rng.uniform(0, 4 * LONG_MS);
  while (steps.length < ACTS && mix.length > 0) {
    const drawn = pick(rng, mix)(rng, nics);
    for (const act of Array.isArray(drawn) ? drawn : [drawn]) {
      steps.push({ atMs: Math.round(atMs * 1000) / 1000, act });
      if (rng.below(2) === 0) atMs += rng.uniform(0, QUICK_MS);
    }
    if (rng.below(3) === 0) atMs += rng.uniform(0, LONG_MS);
  }
  return { seed, settings: { ...GROUP_SETTINGS, flapDamping }, nics, steps };
}

/** A standby in some lives, a test address in others. */
function drawNics(rng: Rng): NicSpec[] {
  const standby = rng.below(4) === 0 ? NAMES[2] : undefined;
  const tested = rng.below(3) === 0 ? NAMES[1] : undefined;
  return NICS.map((spec) => ({
    ...spec,
    standby: spec.name === standby,
    testAddresses: spec.name === tested ? [TEST_ADDRESS] : [],
  }));
}

const GROUP_SETTINGS = { failback: true } as const;

function pick<T>(rng: Rng, list: readonly T[]): T {
  return list[rng.below(list.length)]!;
}

const nicOf = (rng: Rng): string => pick(rng, NAMES);
const sideOf = (rng: Rng): Side => pick(rng, ['A', 'B'] as const);
/** Mostly the group that has a device. */
const groupOf = (rng: Rng): string => (rng.below(4) === 0 ? OTHER_GROUP : GROUP);
type NicKind =
  | 'cut'
  | 'repair'
  | 'remove'
  | 'replace'
  | 'reset'
  | 'unplumb'
  | 'offline'
  | 'online'
  | 'activate';
const onNic =
  (...kinds: readonly NicKind[]): Draw =>
  (rng) => ({ kind: pick(rng, kinds), nic: nicOf(rng) });

/** At either switch, otherwise as it was at the beginning. */
const plumb: Draw = (rng, nics) => ({
  kind: 'plumb',
  spec: { ...pick(rng, nics), side: sideOf(rng) },
});
const add: Draw = (rng) => ({ kind: 'add', nic: nicOf(rng), side: sideOf(rng) });
const membership: Draw = (rng) => ({
  kind: pick(rng, ['join', 'join', 'leave'] as const),
  group: groupOf(rng),
  nic: nicOf(rng),
});
const plumbGroup: Draw = (rng) => ({
  kind: 'plumb-group',
  group: groupOf(rng),
  nics: NAMES.filter(() => rng.below(2) === 0),
});
/** All members leave, and the group goes; often too early, which is refused. */
const unplumbGroup: Draw = (rng) => {
  const group = groupOf(rng);
  const leaves = NAMES.map((nic) => ({ kind: 'leave', group, nic }) as const);
  const unplumb = { kind: 'unplumb-group', group } as const;
  return rng.below(3) === 0 ? unplumb : [...leaves, unplumb, unplumb];
};
const set: Draw = (rng) => ({
  kind: 'set',
  group: groupOf(rng),
  settings: pick(rng, [
    { spreading: pick(rng, ['flow', 'destination', 'address'] as const) },
    { failback: rng.below(2) === 0 },
    { forwarding: rng.below(2) === 0 },
  ]),
});
const setInterface: Draw = (rng) => {
  const standby = rng.below(2) === 0;
  const testAddresses = TEST_ADDRESSES.filter(() => rng.below(3) === 0);
  return {
    kind: 'set-interface',
    nic: nicOf(rng),
    changes: pick(rng, [{ standby }, { standby }, { testAddresses }, { standby, testAddresses }]),
  };
};
/** A standby waits, as a rule, and is activated. */
const activation: Draw = (rng) => {
  const nic = nicOf(rng);
  return [
    { kind: 'set-interface', nic, changes: { standby: true } },
    { kind: 'activate', nic },
  ];
};
const rename: Draw = (rng) => ({
  kind: 'rename',
  group: groupOf(rng),
  to: pick(rng, GROUP_NAMES),
});
const addresses: Draw = (rng) => ({
  kind: pick(rng, ['add-address', 'delete-address'] as const),
  address: pick(rng, [...POOL.map((text) => `${text}/24`), ...POOL6.map((text) => `${text}/64`)]),
});
const advertise: Draw = (rng) => ({
  kind: 'advertise',
  station: GATEWAY_NAME,
  prefix: rng.below(2) === 0 ? PREFIX : null,
  lifetimeS: rng.below(2) * 1800,
});
const neighbor: Draw = (rng) => {
  const dst = pick(rng, STRANGERS);
  if (rng.below(2) === 0) return { kind: 'delete-neighbor', dst };
  return { kind: 'set-neighbor', dst, lladdr: macFormat(0x020000000300 + rng.below(200)) };
};
const read: Draw = (rng) => {
  if (rng.below(2) === 0) return { kind: 'read', module: 'link', name: nicOf(rng) };
  return { kind: 'read', module: 'ipmp', name: groupOf(rng) };
};
const mood: Draw = (rng) => ({ kind: 'mood', nic: nicOf(rng), mood: pick(rng, DRIVER_MOODS) });
const host: Draw = (rng) => ({
  kind: 'host',
  answerMs: rng.below(300),
  refuses: rng.below(4) === 0,
});
const FAULTS: readonly Partial<Faults>[] = [
  { lossPerMille: 200 },
  { duplicatePerMille: 200 },
  { reorderPerMille: 200 },
  { flipPerMille: 100 },
  { jitterMs: 3 },
  { latencyMs: 20 },
  { isSilent: true },
  { isSilent: false, lossPerMille: 0, flipPerMille: 0, latencyMs: 0.05 },
];
const faults: Draw = (rng) => ({
  kind: 'faults',
  cable: pick(rng, [...NAMES, GATEWAY_NAME, 'link']),
  end: pick(rng, ['a', 'b'] as const),
  faults: pick(rng, FAULTS),
});
const part: Draw = (rng) => ({ kind: pick(rng, ['part', 'unite'] as const) });
const switches: Draw = (rng) => ({
  kind: pick(rng, ['switch-off', 'switch-on', 'forget-stations'] as const),
  side: sideOf(rng),
});
const junk: Draw = (rng) => ({
  kind: 'junk',
  at: pick(rng, [HOST, ...NAMES]),
  seed: rng.nextU32(),
});
const move: Draw = (rng) => ({
  kind: 'move',
  station: GATEWAY_NAME,
  mac: macFormat(0x020000000100 + rng.below(200)),
});

/** What may be drawn, each as often as its number says. */
const WEIGHTED: readonly (readonly [number, ...Draw[]])[] = [
  [2, onNic('cut', 'repair')],
  [1, onNic('remove', 'replace', 'reset')],
  [2, onNic('unplumb')],
  [1, onNic('offline'), onNic('offline', 'online'), onNic('online', 'activate')],
  [1, onNic('activate')],
  [2, setInterface],
  [1, activation, rename],
  [2, plumb],
  [1, add],
  [3, membership],
  [2, plumbGroup],
  [1, unplumbGroup, set],
  [2, addresses],
  [1, neighbor],
  [3, read],
  [2, mood],
  [1, host, faults, part, switches, junk, move, advertise],
];
const DRAWS = WEIGHTED.flatMap(([times, ...draws]) =>
  draws.flatMap((draw) => new Array<Draw>(times).fill(draw)),
);
