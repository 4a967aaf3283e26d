/**
 * Carries changes of the configuration out on the running daemon, one at a time. A change is whole
 * or nothing; what refuses it throws OperatorError.
 *
 * Order within a change, and why: an object exists in the system before its device is opened, and
 * is deleted only after its device has been closed, so that no device is ever visible without
 * its object.
 */

import { assert } from '../base/assert.ts';
import type { Operation } from '../base/operation.ts';
import type { Config, GroupConfig, InterfaceConfig } from '../config/types.ts';
import type { System } from '../system.ts';
import { bareGroup, bareInterface, type Change, type GroupChange } from './changes.ts';
import type { GroupContents } from './group-contents.ts';

/** The devices of the daemon, as far as changes act on them. */
export interface ChangingDevices {
  /** Takes a NIC; resolves when it is there or refused. */
  addInterface(config: InterfaceConfig, nic: number): Promise<void>;
  /** Makes a group's device; resolves when it is there or refused. */
  addGroup(config: GroupConfig, port: number): Promise<void>;
  contentsOf(name: string): GroupContents | undefined;
  /** Gives a device back; resolves when it is gone. */
  remove(name: string): Promise<void>;
}

/** What the applier needs of the daemon. */
export interface ApplierOptions {
  readonly system: System;
  readonly devices: ChangingDevices;
  /** Runs an operation of the system to its end. */
  readonly run: <T>(label: string, body: () => Operation<T>) => Promise<T>;
  readonly setLogLevel: (level: Config['log']['level']) => void;
  readonly setMetrics: (metrics: Config['metrics']) => Promise<void>;
  readonly setOperators: (group: string) => Promise<void>;
}

/** See the head of the file. */
export class Applier {
  readonly #options: ApplierOptions;

  constructor(options: ApplierOptions) {
    this.#options = options;
  }

  /** Carries out one change; `config` is what is in force when it is done. */
  async apply(change: Change, config: Config): Promise<void> {
    const { system, devices, run } = this.#options;
    switch (change.kind) {
      case 'add-interface':
        return await run(`create ${change.config.name}`, () =>
          system.createInterface(bareInterface(change.config)),
        );
      case 'open-interface':
        return await this.#openInterface(configuredAs(config.interfaces, change.name));
      case 'set-interface': {
        const { name, standby, testAddresses } = change.config;
        const wanted = { standby, testAddresses };
        return await run(`change ${name}`, () => system.setInterface(name, wanted));
      }
      case 'remove-interface':
        await devices.remove(change.name);
        return await run(`delete ${change.name}`, () => system.deleteInterface(change.name));
      case 'add-group':
        return await run(`create ${change.config.name}`, () =>
          system.createGroup(bareGroup(change.config)),
        );
      case 'remove-group':
        return await run(`delete ${change.name}`, () => system.deleteGroup(change.name));
      case 'join':
        return await run(`join ${change.group} ${change.ifname}`, () =>
          system.joinGroup(change.group, change.ifname),
        );
      case 'leave':
        return await run(`leave ${change.group} ${change.ifname}`, () =>
          system.leaveGroup(change.group, change.ifname),
        );
      case 'set-log-level':
        return this.#options.setLogLevel(change.log.level);
      case 'set-metrics':
        return await this.#options.setMetrics(change.metrics);
      case 'set-operators':
        return await this.#options.setOperators(change.group);
      case 'restart':
        return;
      default:
        return await this.#changeGroup(change, config);
    }
  }

  async #openInterface(config: InterfaceConfig): Promise<void> {
    const nic = this.#options.system.nicOf(config.name);
    assert(nic !== undefined, `interface ${config.name} was created`);
    await this.#options.devices.addInterface(config, nic);
  }

  async #changeGroup(change: GroupChange, config: Config): Promise<void> {
    const { system, devices, run } = this.#options;
    const device = 'group' in change ? change.group : change.name;
    const contents = devices.contentsOf(device);
    switch (change.kind) {
      case 'open-group': {
        const port = system.groupPortOf(device);
        assert(port !== undefined, `group ${device} was created`);
        return await devices.addGroup(configuredAs(config.groups, device), port);
      }
      case 'rename-group':
        return await run(`rename ${device}`, () => system.renameGroup(device, change.to));
      case 'set-group':
        await run(`change ${device}`, () => system.setGroup(device, change.settings));
        if (change.settings.mtu !== undefined) contents?.setMtu(change.settings.mtu);
        return;
      case 'add-address':
        return await contents?.addAddress(change.address);
      case 'remove-address':
        return await contents?.removeAddress(change.address);
      case 'add-route':
        return await contents?.addRoute(change.route);
      case 'remove-route':
        return await contents?.removeRoute(change.route);
      case 'add-neighbor':
        return await run(`neighbor ${change.neighbor.dst}`, () =>
          inOneTurn(() => system.setNeighbor(device, change.neighbor)),
        );
      case 'remove-neighbor':
        return await run(`no neighbor ${change.dst}`, () =>
          inOneTurn(() => system.deleteNeighbor(device, change.dst)),
        );
      case 'join-multicast':
        return await run(`join ${change.address}`, () =>
          system.joinMulticast(device, change.address),
        );
      case 'leave-multicast':
        return await run(`leave ${change.address}`, () =>
          system.leaveMulticast(device, change.address),
        );
      default:
        return;
    }
  }
}

function configuredAs<T extends { readonly name: string }>(list: readonly T[], name: string): T {
  const found = list.find((one) => one.name === name);
  assert(found !== undefined, `${name} is in the configuration`);
  return found;
}

/** A call that does not wait, as an operation: its effects are carried out with it. */
export function* inOneTurn(body: () => void): Operation<void> {
  yield* nothing();
  body();
}

function* nothing(): Operation<void> {}
