/**
 * The acts on a world, as data: the words of which schedules are made. An act that makes
 * no sense at the moment (cutting a cable that is not there) does nothing; one that the system
 * refuses is refused. Both are written into the transcript, as is the end of every operation.
 */

import { isMistake, OperatorError } from '../base/errors.ts';
import type { Task } from '../base/operation.ts';
import { Rng } from '../base/rng.ts';
import type { GroupSettings, InterfaceChanges } from '../system.ts';
import { ipv6Parse, macParse } from '../wire/addr.ts';
import type { DriverMood } from './drivers.ts';
import type { End, Faults } from './lan/cable.ts';
import type { Side } from './lan/network.ts';
import { readKstat } from './read-kstat.ts';
import type { NicSpec, SimWorld } from './world.ts';

/** One act. Names of NICs, groups and stations are those of the schedule. */
export type Act =
  | { readonly kind: 'cut' | 'repair' | 'remove' | 'replace' | 'reset'; readonly nic: string }
  | { readonly kind: 'add'; readonly nic: string; readonly side: Side }
  | { readonly kind: 'plumb'; readonly spec: NicSpec }
  | { readonly kind: 'unplumb'; readonly nic: string }
  | { readonly kind: 'join' | 'leave'; readonly group: string; readonly nic: string }
  | { readonly kind: 'plumb-group'; readonly group: string; readonly nics: readonly string[] }
  | { readonly kind: 'unplumb-group'; readonly group: string }
  | { readonly kind: 'set'; readonly group: string; readonly settings: Partial<GroupSettings> }
  | { readonly kind: 'rename'; readonly group: string; readonly to: string }
  | { readonly kind: 'offline' | 'online' | 'activate'; readonly nic: string }
  | { readonly kind: 'set-interface'; readonly nic: string; readonly changes: InterfaceChanges }
  | { readonly kind: 'add-address' | 'delete-address'; readonly address: string }
  | { readonly kind: 'set-neighbor'; readonly dst: string; readonly lladdr: string }
  | { readonly kind: 'delete-neighbor'; readonly dst: string }
  | { readonly kind: 'read'; readonly module: string; readonly name: string }
  | { readonly kind: 'mood'; readonly nic: string; readonly mood: DriverMood }
  | { readonly kind: 'host'; readonly answerMs: number; readonly refuses: boolean }
  | {
      readonly kind: 'faults';
      readonly cable: string;
      readonly end: End;
      readonly faults: Partial<Faults>;
    }
  | { readonly kind: 'part' | 'unite' }
  | { readonly kind: 'switch-off' | 'switch-on' | 'forget-stations'; readonly side: Side }
  | {
      readonly kind: 'junk';
      /** The device that is hit: the host's, or that of a NIC. */
      readonly at: string;
      /** Of the bytes. */
      readonly seed: number;
    }
  | { readonly kind: 'move'; readonly station: string; readonly mac: string }
  | {
      /** A router advertises itself, and a prefix of 64 bits; the lifetime 0: it is none. */
      readonly kind: 'advertise';
      readonly station: string;
      readonly prefix: string | null;
      readonly lifetimeS: number;
    };

type Kind = Act['kind'];
type ActOf<K extends Kind> = Act & { readonly kind: K };
type Deed<K extends Kind> = (world: SimWorld, act: ActOf<K>) => Task<unknown> | undefined;

/** Where junk comes from the host. */
export const HOST = 'host';

/** Ours: enough for each to hit a different check, too few to fill a queue. */
const JUNK_FRAMES = 20;
const JUNK_BYTES = 128;
/** Longer than any life. */
const VALID_S = 86_400;

/** Does one act. Returns the operation that it began, if it began one. */
export function perform(world: SimWorld, act: Act): Task<unknown> | undefined {
  world.transcript.write('act', describeAct(act));
  const deed = DEEDS[act.kind] as Deed<Kind>;
  try {
    const task = deed(world, act);
    task?.onSettled(({ label, state, error }) => {
      world.transcript.write('ended', `${label}: ${state === 'done' ? 'done' : describe(error)}`);
    });
    return task;
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    world.transcript.write('refused', describe(error));
    return undefined;
  }
}

/** An act in one line. */
export function describeAct({ kind, ...what }: Act): string {
  const text = Object.entries(what).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return [kind, ...text].join(' ').replaceAll('"', '');
}

function describe(error: unknown): string {
  if (isMistake(error) || !(error instanceof OperatorError)) return String(error);
  return `${error.code} ${error.message}`;
}

const DEEDS: { readonly [K in Kind]: Deed<K> } = {
  cut: atNic((world, nic) => world.cut(nic)),
  repair: atNic((world, nic) => world.repair(nic)),
  remove: atNic((world, nic) => world.removeDevice(nic)),
  replace: atNic((world, nic) => world.replaceDevice(nic)),
  reset: atNic((world, nic) => {
    const port = world.system.nicOf(nic);
    if (port !== undefined) world.drivers.reset(port);
  }),
  add: alone((world, { nic, side }) => {
    if (!world.nics.has(nic) && world.system.nicOf(nic) !== undefined) world.addDevice(nic, side);
  }),
  plumb: (world, { spec }) => world.plumbInterface(spec),
  unplumb: (world, { nic }) => world.unplumbInterface(nic),
  join: (world, { group, nic }) =>
    world.spawn(`join ${group} ${nic}`, () => world.system.joinGroup(group, nic)),
  leave: (world, { group, nic }) =>
    world.spawn(`leave ${group} ${nic}`, () => world.system.leaveGroup(group, nic)),
  'plumb-group': (world, { group, nics }) => world.plumbGroup(group, nics),
  'unplumb-group': (world, { group }) =>
    world.spawn(`unplumb ${group}`, () => world.system.deleteGroup(group)),
  set: (world, { group, settings }) =>
    world.spawn(`set ${group}`, () => world.system.setGroup(group, settings)),
  rename: (world, { group, to }) =>
    world.spawn(`rename ${group} ${to}`, () => world.system.renameGroup(group, to)),
  offline: (world, { nic }) =>
    world.spawn(`offline ${nic}`, () => world.system.offlineInterface(nic)),
  online: (world, { nic }) => world.spawn(`online ${nic}`, () => world.system.onlineInterface(nic)),
  activate: (world, { nic }) =>
    world.spawn(`activate ${nic}`, () => world.system.activateInterface(nic)),
  'set-interface': (world, { nic, changes }) =>
    world.spawn(`set ${nic}`, () => world.system.setInterface(nic, changes)),
  'add-address': alone((world, { address }) => {
    if (!world.host.hasAddress(address)) world.host.addAddress(address);
  }),
  'delete-address': alone((world, { address }) => world.host.deleteAddress(address)),
  'set-neighbor': alone((world, { dst, lladdr }) =>
    world.system.setNeighbor(world.groupName, { dst, lladdr, proxy: false }),
  ),
  'delete-neighbor': alone((world, { dst }) => world.system.deleteNeighbor(world.groupName, dst)),
  read: (world, { module, name }) =>
    world.spawn(`read ${module}:0:${name}`, () => readKstat(world.system.kstats, module, name)),
  mood: alone((world, { nic, mood }) => world.drivers.setMood(nic, mood)),
  host: alone((world, { answerMs, refuses }) =>
    Object.assign(world.devices, { answerMs, refuses }),
  ),
  faults: alone((world, { cable, end, faults }) =>
    Object.assign(world.network.cables.get(cable)?.faults[end] ?? {}, faults),
  ),
  part: alone((world) => world.network.link.cut()),
  unite: alone((world) => world.network.link.repair()),
  'switch-off': alone((world, { side }) => world.network.switches[side].turnOff()),
  'switch-on': alone((world, { side }) => world.network.switches[side].turnOn()),
  'forget-stations': alone((world, { side }) => world.network.switches[side].forgetStations()),
  junk: alone((world, { at, seed }) => {
    const rng = new Rng(seed);
    for (let count = 0; count < JUNK_FRAMES; count++) {
      const bytes = new Uint8Array(rng.below(JUNK_BYTES)).map(() => rng.below(256));
      if (at === HOST) world.host.device.deliver(bytes);
      else world.network.cables.get(at)?.transmit('b', bytes);
    }
  }),
  move: alone((world, { station: name, mac }) => {
    const station = world.network.stations.get(name);
    if (station === undefined) return;
    station.mac = macParse(mac) ?? station.mac;
    for (const { address } of station.addresses) station.announce(address);
    const station6 = world.network.station6(name);
    station6.mac = station.mac;
    for (const { address } of station6.addresses.list) station6.announce(address);
  }),
  advertise: alone((world, { station: name, prefix, lifetimeS }) => {
    const { discovery } = world.network.station6(name);
    const parsed = prefix === null ? undefined : ipv6Parse(prefix);
    const fixed = { prefixLength: 64, isOnLink: true, isAutonomous: true, validS: VALID_S };
    const prefixes = parsed === undefined ? [] : [{ prefix: parsed, ...fixed }];
    discovery.role = { lifetimeS, prefixes };
    discovery.advertiseRouter();
  }),
};

/** All kinds of act. */
export const ACT_KINDS: readonly string[] = Object.keys(DEEDS);

/** A deed that begins no operation. */
function alone<What>(
  body: (world: SimWorld, act: What) => void,
): (world: SimWorld, act: What) => undefined {
  return (world, act) => {
    body(world, act);
    return undefined;
  };
}

/** A deed on a NIC that is there. */
function atNic(body: (world: SimWorld, nic: string) => void) {
  return alone((world, { nic }: { readonly nic: string }) => {
    if (world.nics.has(nic)) body(world, nic);
  });
}
