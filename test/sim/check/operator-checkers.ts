/**
 * What must hold of the operator's wishes in every world, at every moment.
 *
 * 1. offlineIsSilent: a NIC that the operator took offline sends nothing.
 * 2. offlineIsDeaf: nothing that it receives reaches the host.
 * 3. offlineIsSpared: when a working NIC goes offline, another one carries.
 * 4. namesAreOne: no name finds two things, be it that of an interface, a group or its device.
 * 5. chainIsTold: the events of the kstat chain amount to the chain.
 * 6. changesAreCounted: while a group has one signature, its row and those of its members are the
 *    same, but for joins under way and what the host reports of its device.
 */

import type { Cable, End } from '../../../src/sim/lan/cable.ts';
import type { SimWorld } from '../../../src/sim/world.ts';
import type { SystemEvent } from '../../../src/system.ts';

/** Every invariant, watched in one world from now on. */
export class OperatorCheckers {
  readonly #world: SimWorld;
  /** NICs that are offline, and what they had forwarded when that was seen first. */
  readonly #offline = new Map<string, bigint>();
  readonly #kstats = new Set<string>();
  /** What was seen of each group with its signature. */
  readonly #seen = new Map<string, string>();
  #eventsSeen = 0;

  constructor(world: SimWorld) {
    this.#world = world;
    world.checkers.push(() => this.#check());
    world.network.taps.push((cable, from) => this.#tap(cable, from));
    this.#check();
  }

  #check(): void {
    const { events } = this.#world;
    const isEventful = this.#eventsSeen < events.length;
    for (; this.#eventsSeen < events.length; this.#eventsSeen++) {
      this.#note(events[this.#eventsSeen]!);
    }
    this.#changesAreCounted();
    if (isEventful) {
      this.#offlineIsSpared();
      this.#noteOffline();
      this.#namesAreOne();
      this.#chainIsTold();
    }
    for (const [name, before] of this.#offline) {
      const now = this.#forwarded(name);
      if (now !== before) this.#fail('offlineIsDeaf', `${name} forwarded ${now - before} frames`);
    }
  }

  #note({ event, detail }: SystemEvent): void {
    if (event === 'kstat-installed') this.#kstats.add(detail ?? '');
    if (event === 'kstat-removed') this.#kstats.delete(detail ?? '');
  }

  #noteOffline(): void {
    const names = this.#offlineNames();
    for (const name of this.#offline.keys()) if (!names.has(name)) this.#offline.delete(name);
    for (const name of names) {
      if (!this.#offline.has(name)) this.#offline.set(name, this.#forwarded(name));
    }
  }

  /** A NIC that went offline a moment ago may have had a frame under way; later none may. */
  #tap(cable: Cable, from: End): void {
    if (from !== 'a' || !this.#offline.has(cable.name)) return;
    if (this.#offlineNames().has(cable.name)) this.#fail('offlineIsSilent', cable.name);
  }

  #offlineIsSpared(): void {
    const { events, nowMs, system } = this.#world;
    const first = events.findLastIndex(({ atMs }) => atMs < nowMs) + 1;
    const now = events.slice(first).filter(({ event }) => event === 'interface-state');
    const offline = now.find(({ cause, from }) => cause === 'taken-offline' && from === 'ok');
    if (offline === undefined || now.length > 1) return;
    const group = system.describeGroups().find((row) => row.group === offline.group);
    if (group?.active.length !== 0) return;
    this.#fail('offlineIsSpared', `${offline.ifname} went, and no NIC of ${group.group} carries`);
  }

  #namesAreOne(): void {
    const { system } = this.#world;
    const groups = system.describeGroups().map(({ group, ifname }) => new Set([group, ifname]));
    const names = [
      ...groups.flatMap((both) => [...both]),
      ...system.describeInterfaces().map(({ ifname }) => ifname),
    ];
    if (new Set(names).size !== names.length) this.#fail('namesAreOne', names.sort().join(' '));
  }

  #changesAreCounted(): void {
    const { system } = this.#world;
    const interfaces = system.describeInterfaces();
    for (const { joining: _, mtu: __, lladdr: ___, ...row } of system.describeGroups()) {
      const members = interfaces
        .filter(({ group }) => group === row.group)
        .map(({ ifname, state, active, standby, link, nominated }) => {
          return [ifname, state, active, standby, link, nominated];
        });
      const now = JSON.stringify([row, members]);
      const before = this.#seen.get(row.ifname);
      const isSame = before === undefined || before === now;
      this.#seen.set(row.ifname, now);
      if (!isSame && before.includes(`"${row.signature}"`)) {
        this.#fail('changesAreCounted', `${before} -> ${now}`);
      }
    }
  }

  #chainIsTold(): void {
    const list = this.#world.system.kstats.list();
    const there = list.map(({ module, instance, name }) => `${module}:${instance}:${name}`);
    const untold = there.filter((name) => !this.#kstats.has(name));
    if (untold.length > 0 || there.length !== this.#kstats.size) {
      this.#fail('chainIsTold', `there are ${there}, reported were ${[...this.#kstats]}`);
    }
  }

  /** No two NICs of a world have one MAC, so a NIC that is offline is so by the operator. */
  #offlineNames(): Set<string> {
    const rows = this.#world.system.describeInterfaces();
    return new Set(rows.filter(({ state }) => state === 'offline').map(({ ifname }) => ifname));
  }

  #forwarded(name: string): bigint {
    const { datapath, system } = this.#world;
    const port = system.nicOf(name);
    return port === undefined ? 0n : datapath.portCounters(port).forwarded;
  }

  #fail(invariant: string, what: string): never {
    throw new Error(`${invariant} at ${this.#world.nowMs.toFixed(3)} ms: ${what}`);
  }
}
