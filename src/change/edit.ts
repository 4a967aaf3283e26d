/**
 * The changes that operators may make by the control surface. A change of the configuration is a
 * few edits of it: refused here where IPMP has an errno for it (docs/law.md rows 11 to 30,
 * contract 4), else by the check of the configuration, else by the part that carries it out. What
 * operates on the living objects alone (offline, online, activate) goes to the system at once.
 */

import { OperatorError } from '../base/errors.ts';
import type { Operation } from '../base/operation.ts';
import { type ConfigValue, REMOVED } from '../config/document.ts';
import type { ConfigEdit } from '../config/layers.ts';
import { configSchema } from '../config/load.ts';
import { settingValue } from '../config/setting.ts';
import type { Config, GroupConfig, InterfaceConfig } from '../config/types.ts';
import type {
  ChangeRequest,
  ControlChanges,
  Credentials,
  NewInterface,
  NewNeighbor,
  Settings,
} from '../ctl/backend.ts';
import {
  addressParse,
  canonicalAddress,
  canonicalPrefix,
  isOfOneLink,
  prefixRead,
} from '../model/prefix.ts';
import { alreadyMember } from '../model/refusals.ts';
import type { ReloadRow } from '../model/rows.ts';
import type { System } from '../system.ts';
import { ipParse } from '../wire/addr.ts';
import { type ChangingDevices, inOneTurn } from './applier.ts';
import type { GroupContents } from './group-contents.ts';
import type { Edit, Reconfiguration } from './reconfiguration.ts';
import {
  findGroup,
  findInterface,
  findMulticastGroup,
  isCalled,
  linkOf,
  ownerOf,
  refuseName,
} from './refusals.ts';

/** What the commands need of the daemon. */
export interface CommandsOptions {
  readonly system: System;
  readonly devices: ChangingDevices;
  readonly reconfiguration: Reconfiguration;
  /** Runs an operation of the system to its end. */
  readonly run: <T>(label: string, body: () => Operation<T>) => Promise<T>;
}

/** See the head of the file. Refusals are listed at `ControlChanges`. */
export class Commands implements ControlChanges {
  readonly #options: CommandsOptions;

  constructor(options: CommandsOptions) {
    this.#options = options;
  }

  createGroup(name: string, interfaces: readonly string[], request: ChangeRequest): Promise<void> {
    return this.#change(`create group ${name}`, request, (config, store) => {
      refuseName(config, 'group', name);
      for (const ifname of interfaces) {
        findInterface(config, ifname);
        const owner = ownerOf(config, ifname);
        if (owner !== undefined) throw alreadyMember(ifname, owner.groupName);
      }
      return { edits: [store.creation('groups', name, { interfaces: [...interfaces] })] };
    });
  }

  deleteGroup(name: string, request: ChangeRequest): Promise<void> {
    return this.#change(`delete group ${name}`, request, (config) => {
      const group = findGroup(config, name);
      const { system, reconfiguration } = this.#options;
      const isThere = reconfiguration.config.groups.some((one) => one.name === group.name);
      if (isThere) system.checkGroupDeletable(group.name);
      return { edits: [{ path: ['groups', group.name], value: REMOVED }] };
    });
  }

  renameGroup(name: string, to: string, request: ChangeRequest): Promise<void> {
    return this.#change(`rename group ${name} to ${to}`, request, (config) => {
      const group = findGroup(config, name);
      if (to === group.name) return groupEdit(group, 'name', REMOVED);
      if (to !== group.groupName) refuseName(config, 'group', to);
      return groupEdit(group, 'name', to);
    });
  }

  setGroup(name: string, settings: Settings, request: ChangeRequest): Promise<void> {
    return this.#change(`set group ${name}`, request, (config) => {
      const group = findGroup(config, name);
      return { edits: settingEdits(['groups', group.name], 'group', settings) };
    });
  }

  addMember(name: string, ifname: string, request: ChangeRequest): Promise<void> {
    return this.#change(`add ${ifname} to ${name}`, request, (config) => {
      findInterface(config, ifname);
      const owner = ownerOf(config, ifname);
      if (owner !== undefined && !isCalled(owner, name))
        throw alreadyMember(ifname, owner.groupName);
      const group = findGroup(config, name);
      const added = owner === undefined ? [ifname] : [];
      return groupEdit(group, 'interfaces', [...group.interfaces, ...added]);
    });
  }

  removeMember(name: string, ifname: string, request: ChangeRequest): Promise<void> {
    return this.#change(`take ${ifname} out of ${name}`, request, (config) => {
      findInterface(config, ifname);
      const group = findGroup(config, name);
      const owner = ownerOf(config, ifname);
      if (owner !== undefined && owner !== group) {
        const message = `interface ${ifname} is in group ${owner.groupName}, not in ${name}`;
        throw new OperatorError('EINVAL', message);
      }
      return { edits: [leaveEdit(group, ifname)] };
    });
  }

  createInterface(spec: NewInterface, request: ChangeRequest): Promise<void> {
    const { name, uplink, bridge, standby } = spec;
    return this.#change(`create interface ${name}`, request, (config, store) => {
      refuseName(config, 'interface', name);
      const value = {
        ...(uplink === null ? {} : { uplink }),
        ...(bridge === null ? {} : { bridge }),
        ...(standby ? { standby } : {}),
      };
      return { edits: [store.creation('interfaces', name, value)] };
    });
  }

  deleteInterface(ifname: string, request: ChangeRequest): Promise<void> {
    return this.#change(`delete interface ${ifname}`, request, (config) => {
      const { name } = findInterface(config, ifname);
      const owner = ownerOf(config, name);
      const edits: ConfigEdit[] = [{ path: ['interfaces', name], value: REMOVED }];
      return { edits: owner === undefined ? edits : [leaveEdit(owner, name), ...edits] };
    });
  }

  setInterface(ifname: string, settings: Settings, request: ChangeRequest): Promise<void> {
    return this.#change(`set interface ${ifname}`, request, (config) => {
      const { name } = findInterface(config, ifname);
      return { edits: settingEdits(['interfaces', name], 'interface', settings) };
    });
  }

  async offlineInterface(ifname: string, _by: Credentials): Promise<void> {
    const { system, run } = this.#options;
    await run(`offline ${ifname}`, () => system.offlineInterface(ifname));
  }

  async onlineInterface(ifname: string, _by: Credentials): Promise<void> {
    const { system, run } = this.#options;
    await run(`online ${ifname}`, () => system.onlineInterface(ifname));
  }

  async activateInterface(ifname: string, _by: Credentials): Promise<void> {
    const { system, run } = this.#options;
    await run(`activate ${ifname}`, () => system.activateInterface(ifname));
  }

  addAddress(name: string, text: string, request: ChangeRequest): Promise<void> {
    const prefix = canonicalPrefix(text);
    return this.#change(`add ${prefix} to ${name}`, request, (config) => {
      const group = findGroup(config, name);
      const holder = this.#holderOf(config, prefix, group);
      const isConfigured = group.addresses.includes(prefix);
      const isPresent = this.#presentAddresses(group).includes(prefix);
      if (isConfigured && isPresent && !request.save) {
        throw new OperatorError('EEXIST', `group ${name} has ${prefix} already`);
      }
      if (holder !== undefined && holder !== group) {
        const isGroup = 'groupName' in holder;
        const owner = isGroup ? `group ${holder.groupName}` : `interface ${holder.name}`;
        throw new OperatorError('EADDRINUSE', `${prefix} is an address of ${owner} already`);
      }
      const others = group.addresses.filter((one) => one !== prefix);
      const all = groupEdit(group, 'addresses', [...others, prefix]);
      if (!isConfigured || isPresent) return all;
      // Configured, but another program took it off the device: it is put there again.
      return { ...all, afterwards: async () => this.#contentsOf(group)?.addAddress(prefix) };
    });
  }

  deleteAddress(name: string, text: string, request: ChangeRequest): Promise<void> {
    return this.#change(`remove ${text} from ${name}`, request, (config) => {
      const group = findGroup(config, name);
      const present = this.#presentAddresses(group);
      const prefix = matching([...group.addresses, ...present], text);
      if (prefix === undefined) {
        throw new OperatorError('EADDRNOTAVAIL', `group ${name} does not have ${text}`);
      }
      const rest = group.addresses.filter((address) => address !== prefix);
      if (rest.length < group.addresses.length) return groupEdit(group, 'addresses', rest);
      // Not configured: another program put it on the device.
      const afterwards = async () => this.#contentsOf(group)?.removeAddress(prefix);
      return { edits: [], afterwards };
    });
  }

  addTestAddress(ifname: string, text: string, request: ChangeRequest): Promise<void> {
    const prefix = canonicalPrefix(text);
    return this.#change(`add ${prefix} to ${ifname}`, request, (config) => {
      const nic = findInterface(config, ifname);
      const holder = this.#holderOf(config, prefix, nic);
      if (holder === nic && !request.save) {
        throw new OperatorError('EEXIST', `interface ${ifname} has ${prefix} already`);
      }
      if (holder !== undefined && holder !== nic) {
        throw new OperatorError('EADDRINUSE', `${prefix} is an address of ${holder.name} already`);
      }
      return testsEdit(nic, [...nic.testAddresses.filter((one) => one !== prefix), prefix]);
    });
  }

  deleteTestAddress(ifname: string, text: string, request: ChangeRequest): Promise<void> {
    return this.#change(`remove ${text} from ${ifname}`, request, (config) => {
      const nic = findInterface(config, ifname);
      const prefix = matching(nic.testAddresses, text);
      if (prefix === undefined) {
        throw new OperatorError('EADDRNOTAVAIL', `interface ${ifname} does not have ${text}`);
      }
      const rest = nic.testAddresses.filter((address) => address !== prefix);
      return testsEdit(nic, rest);
    });
  }

  addNeighbor(name: string, neighbor: NewNeighbor, request: ChangeRequest): Promise<void> {
    const { lladdr, proxy } = neighbor;
    const dst = canonicalAddress(neighbor.dst);
    return this.#change(`add neighbor ${dst} to ${name}`, request, (config) => {
      const group = findGroup(config, name);
      const others = group.staticNeighbors.filter((one) => one.dst !== dst);
      const known = group.staticNeighbors.find((one) => one.dst === dst);
      const isSame = known?.lladdr === lladdr.toLowerCase() && known.proxy === proxy;
      if (known !== undefined && !(request.save && isSame)) {
        const hint = `remove it first: ipmpadm neighbor delete ${dst} dev ${name}`;
        throw new OperatorError('EEXIST', `group ${name} has a neighbor ${dst} already`, hint);
      }
      return neighborsEdit(group, [...others, { dst, lladdr, proxy }]);
    });
  }

  deleteNeighbor(name: string, text: string, request: ChangeRequest): Promise<void> {
    const { system, run } = this.#options;
    const dst = canonicalAddress(text);
    return this.#change(`remove neighbor ${dst} from ${name}`, request, (config) => {
      const group = findGroup(config, name);
      const rest = group.staticNeighbors.filter((one) => one.dst !== dst);
      if (rest.length < group.staticNeighbors.length) return neighborsEdit(group, rest);
      // Not configured: the daemon learnt it.
      const forget = (): void => system.deleteNeighbor(group.name, dst);
      return { edits: [], afterwards: () => run(`forget ${dst}`, () => inOneTurn(forget)) };
    });
  }

  joinMulticast(name: string, text: string, request: ChangeRequest): Promise<void> {
    const address = canonicalAddress(text);
    return this.#change(`join ${address} on ${name}`, request, (config) => {
      const group = findMulticastGroup(config, name);
      if (group.multicast.includes(address) && !request.save) {
        throw new OperatorError('EADDRINUSE', `group ${name} has joined ${address} already`);
      }
      const others = group.multicast.filter((one) => one !== address);
      return groupEdit(group, 'multicast', [...others, address]);
    });
  }

  leaveMulticast(name: string, text: string, request: ChangeRequest): Promise<void> {
    const address = canonicalAddress(text);
    return this.#change(`leave ${address} on ${name}`, request, (config) => {
      const group = findMulticastGroup(config, name);
      if (!group.multicast.includes(address)) {
        throw new OperatorError('EADDRNOTAVAIL', `group ${name} has not joined ${address}`);
      }
      const rest = group.multicast.filter((one) => one !== address);
      return groupEdit(group, 'multicast', rest);
    });
  }

  async reload(_by: Credentials): Promise<ReloadRow> {
    return await this.#options.reconfiguration.reload();
  }

  #change(
    label: string,
    { save }: ChangeRequest,
    prepare: Parameters<Reconfiguration['change']>[2],
  ): Promise<void> {
    return this.#options.reconfiguration.change(label, save, prepare);
  }

  #contentsOf({ name }: GroupConfig): GroupContents | undefined {
    return this.#options.devices.contentsOf(name);
  }

  /**
   * The object that has an address, as configured or as it is on a group's device; of a link-local
   * one of IPv6 only what is on the link of `object`.
   */
  #holderOf(
    config: Config,
    prefix: string,
    object: GroupConfig | InterfaceConfig,
  ): GroupConfig | InterfaceConfig | undefined {
    const isIt = (one: string): boolean => addressOf(one) === addressOf(prefix);
    const isLocal = isOfOneLink(ipParse(addressOf(prefix)));
    const { interfaces, groups } = isLocal ? linkOf(config, object) : config;
    return (
      interfaces.find(({ testAddresses }) => testAddresses.some(isIt)) ??
      groups.find((group) => this.#presentAddresses(group).some(isIt)) ??
      groups.find(({ addresses }) => addresses.some(isIt))
    );
  }

  /** The addresses on a group's device now, those of other programs included. */
  #presentAddresses({ name }: GroupConfig): string[] {
    return this.#options.system
      .describeAddresses()
      .filter((row) => row.type === 'data' && row.ifname === name)
      .map(({ address }) => address);
  }
}

function groupEdit(group: GroupConfig, key: string, value: ConfigValue): Edit {
  return { edits: [{ path: ['groups', group.name, key], value }] };
}

function neighborsEdit(group: GroupConfig, neighbors: readonly NewNeighbor[]): Edit {
  const values = neighbors.map(({ dst, lladdr, proxy }) => ({ dst, lladdr, proxy }));
  return groupEdit(group, 'static-neighbors', values);
}

function testsEdit(nic: InterfaceConfig, addresses: readonly string[]): Edit {
  return { edits: [{ path: ['interfaces', nic.name, 'test-addresses'], value: [...addresses] }] };
}

function leaveEdit(group: GroupConfig, ifname: string): ConfigEdit {
  const others = group.interfaces.filter((name) => name !== ifname);
  return { path: ['groups', group.name, 'interfaces'], value: others };
}

function settingEdits(
  path: readonly string[],
  definition: 'group' | 'interface',
  settings: Settings,
): ConfigEdit[] {
  const schema = configSchema();
  const edits = Object.entries(settings).map(([key, given]) => ({
    path: [...path, key],
    value: settingValue(schema, definition, key, given),
  }));
  if (edits.length > 0) return edits;
  throw new OperatorError('EINVAL', 'nothing is to be set', 'give key=value, once or more');
}

/** The prefix of `list` that `text` names, with or without its length. */
function matching(list: readonly string[], text: string): string | undefined {
  const prefix = prefixRead(text);
  if (prefix !== undefined) {
    return list.find((one) => one === `${prefix.address}/${prefix.prefixLength}`);
  }
  const address = addressParse(text)?.address;
  if (address === undefined) throw new OperatorError('EINVAL', `"${text}" is not an address`);
  return list.find((one) => addressOf(one) === address);
}

function addressOf(prefix: string): string {
  return prefix.split('/')[0] ?? '';
}
