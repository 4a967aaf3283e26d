/**
 * What a group's device carries: addresses, routes, multicast, settings. It is remembered here
 * whether the device is open or not, and put on it whenever it is opened.
 *
 * Every change is made on an open device at once. A refusal of the host changes nothing.
 */

import { type ErrorCode, OperatorError } from '../base/errors.ts';
import type { GroupConfig, RouteConfig } from '../config/types.ts';
import type { GroupDeviceSpec, Lacking } from '../host/group/device.ts';
import type { Host } from '../host/host.ts';
import type { RouteSettings } from '../host/kernel/records.ts';
import type { Log } from '../process/log.ts';
import { isEqual, StillWanted, textOf } from './changes.ts';

/** The part of the host that changes what a group's device carries. */
export type ContentsHost = Pick<
  Host,
  | 'setGroupForwarding'
  | 'setGroupMulticast'
  | 'addAddress'
  | 'deleteAddress'
  | 'addRoute'
  | 'deleteRoute'
  | 'lacking'
  | 'restoreConnected'
>;

/** What a device is to be, without what makes it this machine's. */
type Contents = Omit<GroupDeviceSpec, 'mac' | 'queues'>;

/** One group's. */
export class GroupContents {
  readonly name: string;
  readonly #host: ContentsHost;
  readonly #multicast = new Set<string>();
  #config: GroupConfig;
  /** Whether there is a device that carries all of it. */
  #isOpen = false;

  constructor(config: GroupConfig, host: ContentsHost) {
    this.name = config.name;
    this.#config = config;
    this.#host = host;
  }

  /** What a device that is opened now is to be. */
  deviceSpec(): Contents {
    const { name, addresses, routes, mtu, forwarding } = this.#config;
    return {
      name,
      addresses,
      routes: routes.map(routeSettings),
      forwarding,
      ...(mtu === 'auto' ? {} : { mtu }),
    };
  }

  /** Whether the kernel may forward for the group. */
  async setForwarding(forwarding: boolean): Promise<void> {
    const before = this.#config.forwarding;
    await this.#change(
      () => ({ forwarding }),
      () => ({ forwarding: before }),
      () => this.#host.setGroupForwarding(this.name, forwarding),
    );
  }

  /** The MTU that a device gets when it is opened; that of an open one the system asks for. */
  setMtu(mtu: GroupConfig['mtu']): void {
    this.#config = { ...this.#config, mtu };
  }

  /** Puts an address on the device; succeeds if it is there already. */
  async addAddress(address: string): Promise<void> {
    const { back, without } = placeOf(this.#config.addresses, address);
    await this.#change(
      ({ addresses }) => ({ addresses: [...without(addresses), address] }),
      ({ addresses }) => ({ addresses: back(addresses) }),
      () => unless('EEXIST', this.#host.addAddress(this.name, address)),
    );
  }

  /** Takes an address off the device; succeeds if it is already absent. */
  async removeAddress(address: string): Promise<void> {
    const { back, without } = placeOf(this.#config.addresses, address);
    await this.#change(
      ({ addresses }) => ({ addresses: without(addresses) }),
      ({ addresses }) => ({ addresses: back(addresses) }),
      () => unless('EADDRNOTAVAIL', this.#host.deleteAddress(this.name, address)),
    );
  }

  /**
   * Puts a route through the device; succeeds if it is there already. StillWanted: another one
   * has its place now.
   */
  async addRoute(route: RouteConfig): Promise<void> {
    const { back, without } = routePlaceOf(this.#config.routes, route);
    await this.#change(
      ({ routes }) => ({ routes: [...without(routes), route] }),
      ({ routes }) => ({ routes: back(routes) }),
      async () => {
        const problem = await this.#host.addRoute(this.name, routeSettings(route));
        if (problem === undefined) return;
        throw new StillWanted(problem.code, problem.message, problem.hint);
      },
    );
  }

  /** Removes a route; succeeds if it is already absent. */
  async removeRoute(route: RouteConfig): Promise<void> {
    const { back, without } = routePlaceOf(this.#config.routes, route);
    await this.#change(
      ({ routes }) => ({ routes: without(routes) }),
      ({ routes }) => ({ routes: back(routes) }),
      () => unless('ENOENT', this.#host.deleteRoute(this.name, routeSettings(route))),
    );
  }

  /** What the device is to carry and does not, and why: one sentence each. */
  problems(): string[] {
    const { name } = this;
    const { addresses, connected, routes } = this.#lacking();
    return [
      ...addresses.map((address) => `${name}: ${address} was taken off the device`),
      ...connected.map((network) => `${name}: ${nameOf({ to: network })} was deleted`),
      ...routes.map(({ route, reason }) => `${name}: ${reason ?? `${nameOf(route)} was deleted`}`),
    ];
  }

  /** Puts back what the device lacks; answers what was put back, one sentence each. */
  async restore(log: Log): Promise<string[]> {
    const { name } = this;
    const { addresses, connected, routes } = this.#lacking();
    await this.#attempt(log, this.#host.restoreConnected(name));
    for (const address of addresses) {
      await this.#attempt(log, unless('EEXIST', this.#host.addAddress(name, address)));
    }
    for (const { route } of routes) await this.#attempt(log, this.#host.addRoute(name, route));
    const left = this.#lacking();
    const isLeft = new Set(namesOf(left));
    return namesOf({ addresses, connected, routes })
      .filter((what) => !isLeft.has(what))
      .map((what) => `put ${what} back on ${name}`);
  }

  #lacking(): Lacking {
    if (!this.#isOpen) return { addresses: [], routes: [], connected: [] };
    const { addresses, routes } = this.#config;
    return this.#host.lacking(this.name, addresses, routes.map(routeSettings));
  }

  /** Has the kernel listen to a multicast address, or no longer. */
  async setMulticast(address: string, isMember: boolean): Promise<void> {
    if (isMember) {
      await this.#host.setGroupMulticast(this.name, address, true);
      this.#multicast.add(address);
      return;
    }
    // First: a device that is being opened must not join behind the leave.
    this.#multicast.delete(address);
    try {
      await this.#host.setGroupMulticast(this.name, address, false);
    } catch (error) {
      this.#multicast.add(address);
      throw error;
    }
  }

  /**
   * Applies the changes since the device was opened as `opened`, and those made meanwhile. It is
   * open then, in the same turn: every change is applied either here or at once. A refusal of the
   * host is logged, as at the opening.
   */
  async catchUp(opened: Contents, log: Log): Promise<void> {
    let spec = opened;
    for (;;) {
      const wanted = this.deviceSpec();
      if (isEqual(wanted, spec)) break;
      await this.#bring(spec, wanted, log);
      spec = wanted;
    }
    this.#isOpen = true;
  }

  /** The device goes, or is gone: changes are remembered until it is opened again. */
  handleClosed(): void {
    this.#isOpen = false;
  }

  async #bring(spec: Contents, wanted: Contents, log: Log): Promise<void> {
    const { name } = this;
    const host = this.#host;
    if (wanted.forwarding !== spec.forwarding) {
      await this.#attempt(log, host.setGroupForwarding(name, wanted.forwarding === true));
    }
    for (const route of newIn(spec.routes, wanted.routes)) {
      await this.#attempt(log, unless('ENOENT', host.deleteRoute(name, route)));
    }
    for (const address of newIn(spec.addresses, wanted.addresses)) {
      await this.#attempt(log, unless('EADDRNOTAVAIL', host.deleteAddress(name, address)));
    }
    for (const address of newIn(wanted.addresses, spec.addresses)) {
      await this.#attempt(log, unless('EEXIST', host.addAddress(name, address)));
    }
    for (const route of newIn(wanted.routes, spec.routes)) {
      await this.#attempt(log, host.addRoute(name, route));
    }
  }

  /** A device that was opened listens to what it is to listen to. */
  async joinAgain(log: Log): Promise<void> {
    for (const address of this.#multicast) {
      await this.#attempt(log, this.#host.setGroupMulticast(this.name, address, true));
    }
  }

  /** Waits for `done`; a problem, thrown or answered, is logged, and the device is used. */
  async #attempt(log: Log, done: Promise<unknown>): Promise<void> {
    const problem = await done.catch((error: unknown) => {
      if (error instanceof OperatorError) return error;
      throw error;
    });
    if (problem instanceof OperatorError) logDeviceProblem(log, this.name, problem);
  }

  /**
   * Makes a change here and, if there is one, on the device. `undo` takes back what was refused
   * and nothing else: other changes are made while the host is waited for.
   */
  async #change(edit: Edit, undo: Edit, onDevice: () => Promise<void>): Promise<void> {
    this.#config = { ...this.#config, ...edit(this.#config) };
    if (!this.#isOpen) return;
    try {
      await onDevice();
    } catch (error) {
      if (error instanceof StillWanted) throw error;
      this.#config = { ...this.#config, ...undo(this.#config) };
      throw error;
    }
  }
}

/** Logs what a group's device lacks, of all that it is to be. */
export function logDeviceProblem(log: Log, device: string, problem: OperatorError): void {
  const { code, hint, message } = problem;
  log.warn({ event: 'group-device-problem', device, code, hint }, message);
}

/** What of a configuration changes. */
type Edit = (config: GroupConfig) => Partial<GroupConfig>;

/** The place of one thing in `list`: how to take it out of another list, and put it back there. */
function placeOf<T>(list: readonly T[], one: T, isOne = (other: T) => other === one) {
  const index = list.findIndex(isOne);
  const without = (others: readonly T[]): T[] => others.filter((other) => !isOne(other));
  return {
    without,
    /** As in `list`: at its place, or not at all. */
    back: (others: readonly T[]): T[] =>
      index < 0 ? without(others) : without(others).toSpliced(index, 0, one),
  };
}

function routePlaceOf(routes: readonly RouteConfig[], route: RouteConfig) {
  return placeOf(routes, route, ({ to, via }) => to === route.to && via === route.via);
}

/** Those of `list` that are not among `others`. */
function newIn<T>(list: readonly T[], others: readonly T[]): T[] {
  const known = new Set(others.map(textOf));
  return list.filter((one) => !known.has(textOf(one)));
}

/** What is lacking, by name. */
function namesOf({ addresses, connected, routes }: Lacking): string[] {
  return [
    ...addresses,
    ...connected.map((network) => nameOf({ to: network })),
    ...routes.map(({ route }) => nameOf(route)),
  ];
}

function nameOf({ to, via }: RouteSettings): string {
  return via === undefined ? `the route to ${to}` : `the route to ${to} via ${via}`;
}

function routeSettings({ to, via, onlink }: RouteConfig): RouteSettings {
  return { to, ...(via === null ? {} : { via }), ...(onlink ? { onlink } : {}) };
}

/** Waits for `done`; a refusal with `code` is a success. */
async function unless(code: ErrorCode, done: Promise<void>): Promise<void> {
  try {
    await done;
  } catch (error) {
    if (!(error instanceof OperatorError) || error.code !== code) throw error;
  }
}
