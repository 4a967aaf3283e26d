/**
 * What a group's device carries: addresses, routes, multicast, settings. It is remembered here
 * whether the device is open or not, and put on it whenever it is opened.
 *
 * Every change is made on an open device at once. What the host refuses has changed nothing.
 */

import { type ErrorCode, OperatorError } from '../base/errors.ts';
import type { GroupConfig, RouteConfig } from '../config/types.ts';
import type { GroupDeviceSpec } from '../host/group-device.ts';
import type { Host } from '../host/host.ts';
import type { Log } from '../host/log.ts';
import type { RouteSettings } from '../host/records.ts';
import { isEqual, StillWanted, textOf } from './change.ts';

/** The part of the host that changes what a group's device carries. */
export type ContentsHost = Pick<
  Host,
  | 'setGroupForwarding'
  | 'setGroupMulticast'
  | 'addAddress'
  | 'deleteAddress'
  | 'addRoute'
  | 'deleteRoute'
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
    await this.#change({ forwarding }, () => this.#host.setGroupForwarding(this.name, forwarding));
  }

  /** The MTU that a device gets when it is opened; that of an open one the system asks for. */
  setMtu(mtu: GroupConfig['mtu']): void {
    this.#config = { ...this.#config, mtu };
  }

  /** Puts an address on the device; there already is as good. */
  async addAddress(address: string): Promise<void> {
    const others = this.#config.addresses.filter((one) => one !== address);
    const addresses = [...others, address];
    await this.#change({ addresses }, () =>
      unless('EEXIST', this.#host.addAddress(this.name, address)),
    );
  }

  /** Takes an address off the device; gone already is as good. */
  async removeAddress(address: string): Promise<void> {
    const addresses = this.#config.addresses.filter((one) => one !== address);
    await this.#change({ addresses }, () =>
      unless('EADDRNOTAVAIL', this.#host.deleteAddress(this.name, address)),
    );
  }

  /**
   * Puts a route through the device; there already is as good. StillWanted: another one has its
   * place now.
   */
  async addRoute(route: RouteConfig): Promise<void> {
    const others = this.#config.routes.filter((one) => textOf(one) !== textOf(route));
    await this.#change({ routes: [...others, route] }, async () => {
      const problem = await this.#host.addRoute(this.name, routeSettings(route));
      if (problem === undefined) return;
      throw new StillWanted(problem.code, problem.message, problem.hint);
    });
  }

  /** Takes a route away; gone already is as good. */
  async removeRoute(route: RouteConfig): Promise<void> {
    const { to, via } = route;
    const routes = this.#config.routes.filter((one) => one.to !== to || one.via !== via);
    await this.#change({ routes }, () =>
      unless('ENOENT', this.#host.deleteRoute(this.name, routeSettings(route))),
    );
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
   * Makes up for what was changed while the device was being opened as `opened`, and meanwhile. It
   * is open then, in the same turn: every change is either made up for here, or made at once.
   */
  async catchUp(opened: Contents): Promise<void> {
    let spec = opened;
    for (;;) {
      const wanted = this.deviceSpec();
      if (isEqual(wanted, spec)) break;
      await this.#bring(spec, wanted);
      spec = wanted;
    }
    this.#isOpen = true;
  }

  /** The device goes, or is gone: changes are remembered until it is opened again. */
  handleClosed(): void {
    this.#isOpen = false;
  }

  async #bring(spec: Contents, wanted: Contents): Promise<void> {
    const { name } = this;
    if (wanted.forwarding !== spec.forwarding) {
      await this.#host.setGroupForwarding(name, wanted.forwarding === true);
    }
    for (const route of newIn(spec.routes, wanted.routes)) {
      await unless('ENOENT', this.#host.deleteRoute(name, route));
    }
    for (const address of newIn(spec.addresses, wanted.addresses)) {
      await unless('EADDRNOTAVAIL', this.#host.deleteAddress(name, address));
    }
    for (const address of newIn(wanted.addresses, spec.addresses)) {
      await unless('EEXIST', this.#host.addAddress(name, address));
    }
    for (const route of newIn(wanted.routes, spec.routes)) {
      await this.#host.addRoute(name, route);
    }
  }

  /** A device that was opened listens to what it is to listen to. */
  async joinAgain(log: Log): Promise<void> {
    for (const address of this.#multicast) {
      try {
        await this.#host.setGroupMulticast(this.name, address, true);
      } catch (error) {
        if (!(error instanceof OperatorError)) throw error;
        const { code, message } = error;
        log.warn({ event: 'group-device-problem', device: this.name, code }, message);
      }
    }
  }

  async #change(change: Partial<GroupConfig>, onDevice: () => Promise<void>): Promise<void> {
    const before = this.#config;
    this.#config = { ...before, ...change };
    if (!this.#isOpen) return;
    try {
      await onDevice();
    } catch (error) {
      if (!(error instanceof StillWanted)) this.#config = before;
      throw error;
    }
  }
}

/** Those of `list` that are not among `others`. */
function newIn<T>(list: readonly T[], others: readonly T[]): T[] {
  const known = new Set(others.map(textOf));
  return list.filter((one) => !known.has(textOf(one)));
}

function routeSettings({ to, via }: RouteConfig): RouteSettings {
  return via === null ? { to } : { to, via };
}

/** Waits for `done`; a refusal with `code` is as good as done. */
async function unless(code: ErrorCode, done: Promise<void>): Promise<void> {
  try {
    await done;
  } catch (error) {
    if (!(error instanceof OperatorError) || error.code !== code) throw error;
  }
}
