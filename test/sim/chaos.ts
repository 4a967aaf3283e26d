/**
 * Trouble by chance: a seed decides what goes wrong and when. After the trouble everything is put
 * right, and then the group must be well again: safety all the time, liveness at the end.
 */

import { Rng } from '../../src/base/rng.ts';
import type { EchoStream } from '../../src/sim/echo-stream.ts';
import type { Side } from '../../src/sim/network.ts';
import type { Station } from '../../src/sim/station.ts';
import { address, GROUP, SimWorld } from '../../src/sim/world.ts';
import { ipv4Format } from '../../src/wire/addr.ts';
import { ARP_REPLY, arpFrame } from '../../src/wire/arp.ts';
import { Checkers } from './checkers.ts';

/** The chaos stream must differ from the world's own, whatever the seed. */
const CHAOS = 0x5eed;
const GATEWAY = '192.0.2.1';
const POOL = [10, 11, 12, 13, 14, 15].map((last) => `192.0.2.${last}`);
const NICS: readonly { name: string; side: Side }[] = [
  { name: 'net0', side: 'A' },
  { name: 'net1', side: 'B' },
  { name: 'net2', side: 'A' },
];
const TROUBLES = 40;
const LONGEST_PAUSE_MS = 1500;
/** Announcements, resolution and duplicate detection are over by then. */
const QUIET_MS = 8000;

/** What a host needs at most to see that its neighbour has another MAC: 5 s, and three tries. */
const WARM_UP_MS = 8100;

type Trouble = (chaos: Chaos) => void;

/** One run of trouble. */
export class Chaos {
  readonly world: SimWorld;
  readonly checkers: Checkers;
  readonly gateway: Station;
  readonly rng: Rng;
  readonly streams: EchoStream[] = [];

  constructor(seed: number) {
    this.rng = new Rng(seed ^ CHAOS);
    const order = this.rng.fork();
    this.world = SimWorld.create({
      seed,
      nics: NICS,
      choose: (readyCount) => order.below(readyCount),
      addresses: POOL.slice(0, 4).map((text) => `${text}/24`),
      settings: { flapDamping: this.#chance(2) ? { ups: 2, withinMs: 3000 } : null },
    });
    this.checkers = new Checkers(this.world);
    this.gateway = this.world.network.addStation({
      name: 'gw',
      mac: 0x020000000001,
      side: 'A',
      addresses: [{ address: address(GATEWAY), prefixLength: 24 }],
    });
    const { station } = this.world.host;
    this.streams.push(station.ping(address(GATEWAY), 20));
    this.streams.push(this.gateway.ping(address(POOL[0]!), 20));
  }

  /** Everything that goes wrong. */
  trouble(): void {
    for (let count = 0; count < TROUBLES; count++) {
      this.pick(TROUBLE)(this);
      this.checkers.sampleKstats();
      const isQuick = this.#chance(3);
      this.world.runFor(this.rng.uniform(0, isQuick ? 30 : LONGEST_PAUSE_MS));
    }
    for (const stream of this.streams) stream.stop();
  }

  /** Puts everything right and waits until the world has had time to notice. */
  heal(): void {
    const { world } = this;
    if (world.host.station.addresses.length === 0) world.host.addAddress(`${POOL[0]}/24`);
    world.drivers.soothe();
    for (const cable of world.network.cables.values()) {
      cable.heal();
      cable.repair();
    }
    for (const side of ['A', 'B'] as const) world.network.switches[side].turnOn();
    for (const { name, side } of NICS) if (!world.nics.has(name)) world.addDevice(name, side);
    world.runFor(1000);
    world.operate('undamp', () =>
      world.system.setGroup(GROUP, { flapDamping: null, failback: true }),
    );
    for (const { name } of NICS) {
      world.operate(`join ${name}`, () => world.system.joinGroup(GROUP, name));
    }
    world.runFor(QUIET_MS);
  }

  /** What must be true in a healthy world; returns what is not. */
  complaints(): string[] {
    const { world, gateway } = this;
    const found: string[] = [];
    const group = world.system.describeGroups()[0];
    if (group?.state !== 'ok' || group.active.length !== NICS.length) {
      found.push(`group ${group?.state}, active ${group?.active}`);
    }
    const loads = new Map<string, number>(NICS.map(({ name }) => [name, 0]));
    const inward: EchoStream[] = [];
    for (const row of world.system.describeAddresses()) {
      if (row.type !== 'data') continue;
      if (row.state !== 'up') found.push(`${row.address} is ${row.state}`);
      loads.set(row.inbound ?? '-', (loads.get(row.inbound ?? '-') ?? 0) + 1);
      inward.push(gateway.ping(address(row.address.split('/')[0]!), 10));
    }
    const counts = [...loads.values()];
    if (Math.max(...counts) - Math.min(...counts) > 1) found.push(`uneven: ${counts}`);
    const outward = world.host.station.ping(address(GATEWAY), 10);
    world.runFor(WARM_UP_MS);
    for (const stream of [outward, ...inward]) stream.mark('warm');
    world.runFor(1000);
    for (const stream of [outward, ...inward]) stream.stop();
    world.runFor(100);
    for (const stream of [outward, ...inward]) {
      const { sent, lost } = stream.window('warm') ?? { sent: 0, lost: 0 };
      const who = `${ipv4Format(stream.source)} to ${ipv4Format(stream.destination)}`;
      if (lost > 0 || sent === 0) found.push(`${who}: ${lost} of ${sent} lost`);
    }
    this.checkers.finish();
    return found;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.rng.below(list.length)]!;
  }

  /** A NIC that exists now; undefined if none does. */
  someNic(): string | undefined {
    const names = [...this.world.nics.keys()];
    return names.length === 0 ? undefined : this.pick(names);
  }

  #chance(oneIn: number): boolean {
    return this.rng.below(oneIn) === 0;
  }
}

const withNic =
  (body: (chaos: Chaos, name: string) => void): Trouble =>
  (chaos) => {
    const name = chaos.someNic();
    if (name !== undefined) body(chaos, name);
  };

const cut = withNic(({ world }, name) => world.cut(name));
const repair = withNic(({ world }, name) => world.repair(name));

const flap = withNic(({ world, rng }, name) => {
  for (let times = rng.below(5) + 1; times > 0; times--) {
    world.cut(name);
    world.runFor(rng.uniform(0, 3));
    world.repair(name);
    world.runFor(rng.uniform(0, 3));
  }
});

const cutTwo: Trouble = (chaos) => {
  cut(chaos);
  chaos.world.runFor(20);
  cut(chaos);
};

const loss = withNic(({ world, rng }, name) => {
  const cable = world.network.cables.get(name);
  if (cable !== undefined) cable.faults[rng.below(2) === 0 ? 'a' : 'b'].lossPerMille = 100;
});

const remove = withNic(({ world }, name) => world.removeDevice(name));

const add: Trouble = ({ world }) => {
  const missing = NICS.find(({ name }) => !world.nics.has(name));
  if (missing !== undefined) world.addDevice(missing.name, missing.side);
};

const changeAddresses: Trouble = (chaos) => {
  const { world } = chaos;
  const text = chaos.pick(POOL);
  if (world.host.station.hasAddress(address(text))) world.host.deleteAddress(`${text}/24`);
  else world.host.addAddress(`${text}/24`);
};

const switchOff: Trouble = ({ world, rng }) => {
  const side = rng.below(2) === 0 ? 'A' : 'B';
  world.transcript.write('world', `switch ${side} off`);
  world.network.switches[side].turnOff();
  world.runFor(rng.uniform(0, 500));
  world.network.switches[side].turnOn();
};

const splitSwitches: Trouble = ({ world, rng }) => {
  world.network.link.cut();
  world.runFor(rng.uniform(0, 2000));
  world.network.link.repair();
};

const moveGateway: Trouble = ({ world, gateway, rng }) => {
  gateway.mac = 0x020000000100 + rng.below(200);
  gateway.announce(address(GATEWAY));
  world.transcript.write('world', 'the gateway has another MAC');
};

const leave = withNic(({ world }, name) => {
  world.spawn(`leave ${name}`, () => world.system.leaveGroup(GROUP, name));
});

const join = withNic(({ world }, name) => {
  world.spawn(`join ${name}`, () => world.system.joinGroup(GROUP, name));
});

const change: Trouble = (chaos) => {
  const { world } = chaos;
  const spreading = chaos.pick(['flow', 'destination', 'address'] as const);
  const failback = chaos.rng.below(2) === 0;
  world.spawn('set', () => world.system.setGroup(GROUP, { spreading, failback }));
};

const silenceDriver = withNic(({ world }, name) => {
  world.drivers.setMood(name, world.drivers.mood(name) === 'hung' ? 'prompt' : 'hung');
});

/** Bytes of no meaning, from both sides, and ARP that claims what is not ours. */
const junk: Trouble = (chaos) => {
  const { world, rng } = chaos;
  for (let count = 0; count < 50; count++) {
    const bytes = new Uint8Array(rng.below(128)).map(() => rng.below(256));
    const name = chaos.someNic();
    if (rng.below(2) === 0) world.host.device.deliver(bytes);
    else if (name !== undefined) world.network.cables.get(name)?.transmit('b', bytes);
    const claimed = { operation: ARP_REPLY, senderMac: 0x020000000bad, targetMac: 0 };
    const senderAddress = address(`192.0.2.${100 + rng.below(100)}`);
    const packet = { ...claimed, senderAddress, targetAddress: address(POOL[0]!) };
    chaos.gateway.send(arpFrame(0xffffffffffff, 0x020000000bad, packet));
  }
};

const TROUBLE: readonly Trouble[] = [
  cut,
  cut,
  cutTwo,
  repair,
  repair,
  repair,
  flap,
  loss,
  remove,
  add,
  add,
  changeAddresses,
  switchOff,
  splitSwitches,
  moveGateway,
  leave,
  join,
  join,
  change,
  silenceDriver,
  junk,
];
