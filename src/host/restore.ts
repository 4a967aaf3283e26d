/**
 * Changes to the host that can be taken back. Every method looks at what is there, does nothing if
 * it is already as wanted, writes down what was before, and only then changes it.
 *
 * Invariants
 * 1. What is not in the journal was not changed by us.
 * 2. A change is undone only on the very device that it was made on; if that is gone, so is the
 *    change. While we live a device is known by its index, whatever its name is by then. What a
 *    predecessor left is undone only where index and name agree: its namespace may be another one
 *    with the same number.
 * 3. Undoing goes backwards; of many at once, devices that we made go first, and what was set on
 *    them with them. A change that cannot be undone is reported and does not stop the rest.
 */

import { OperatorError } from '../base/errors.ts';
import type { Change, Entry, Journal } from './journal.ts';
import type { LinkRecord, LinkSettings, RouteSettings } from './records.ts';
import type { Rtnl } from './rtnl.ts';
import { sysctlRead, sysctlWrite } from './sysctl.ts';
import { resetTap, tapFlags } from './tap-flags.ts';

/** What a line of the daemon's log is made of. */
export interface HostLog {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
}

/** A device as the holder of changes knows it. */
export interface DeviceName {
  readonly name: string;
  readonly ifindex: number;
}

/** Only what lies here may be written while undoing: the journal is a file. */
const SYSCTL_ROOT = '/proc/sys/net/';

/** Changes made on behalf of holders ('interface:net0'), undone per holder or all at once. */
export class Changes {
  readonly #journal: Journal;
  readonly #rtnl: Rtnl;
  readonly #log: HostLog;

  constructor(journal: Journal, rtnl: Rtnl, log: HostLog) {
    this.#journal = journal;
    this.#rtnl = rtnl;
    this.#log = log;
  }

  /** Sets a setting under /proc/sys/net; nothing happens where the kernel does not have it. */
  async sysctl(holder: string, device: DeviceName, path: string, value: string): Promise<void> {
    const before = await sysctlRead(path);
    if (before === undefined || before === value) return;
    const { name, ifindex } = device;
    this.#recordOnce(holder, { kind: 'sysctl', device: name, ifindex, path, before });
    await sysctlWrite(path, value);
  }

  /** Puts one setting back as the holder found it; nothing happens if it did not change it. */
  async sysctlBack(holder: string, device: DeviceName, path: string): Promise<void> {
    const { ifindex } = device;
    for (const { id, change } of this.#journal.entries(holder)) {
      if (change.kind !== 'sysctl' || change.path !== path || change.ifindex !== ifindex) continue;
      await sysctlWrite(path, change.before);
      this.#journal.forget(id);
    }
  }

  /** Changes those settings of a device that differ; true if there were any. */
  async link(holder: string, link: LinkRecord, wanted: LinkSettings): Promise<boolean> {
    const before: Record<string, number | boolean> = {};
    const after: Record<string, number | boolean> = {};
    for (const key of Object.keys(wanted) as (keyof LinkSettings)[]) {
      const value = wanted[key];
      if (value === undefined || value === link[key]) continue;
      before[key] = link[key];
      after[key] = value;
    }
    if (Object.keys(after).length === 0) return false;
    const { name, ifindex } = link;
    this.#recordOnce(holder, { kind: 'link', device: name, ifindex, before });
    await this.#rtnl.setLink(link, after);
    return true;
  }

  /** Notes how a TAP was set up that exists already, before it is opened. */
  async foundTap(holder: string, device: DeviceName): Promise<void> {
    const flags = await tapFlags(device.name);
    if (flags === undefined) return;
    const { name, ifindex } = device;
    this.#recordOnce(holder, { kind: 'tap', device: name, ifindex, flags });
  }

  /** Creates a macvtap in passthru mode on `lower`. */
  async macvtap(
    holder: string,
    name: string,
    lower: LinkRecord,
    txQueueLength: number,
  ): Promise<LinkRecord> {
    const change = { kind: 'macvtap', device: name, ifindex: 0, lower: lower.ifindex } as const;
    const id = this.#journal.record(holder, change);
    try {
      await this.#rtnl.createMacvtap(name, lower, txQueueLength);
    } catch (error) {
      this.#journal.forget(id);
      throw error;
    }
    const link = await this.#rtnl.linkOf(name, 'macvtap');
    this.#journal.amend(id, { ...change, ifindex: link.ifindex });
    return link;
  }

  /** Puts an address ('ADDR/LEN') on a device; false if it was there already. */
  async address(holder: string, device: DeviceName, prefix: string): Promise<boolean> {
    const { name, ifindex } = device;
    const change: Change = { kind: 'address', device: name, ifindex, prefix };
    return this.#addition(holder, change, () => this.#rtnl.addAddress(device, prefix));
  }

  /** Puts a static route through a device; false if it was there already. */
  async route(holder: string, device: DeviceName, route: RouteSettings): Promise<boolean> {
    const { name, ifindex } = device;
    const change: Change = { kind: 'route', device: name, ifindex, route };
    return this.#addition(holder, change, () => this.#rtnl.addRoute(device, route));
  }

  /** Takes back everything that one holder changed, newest first. */
  async undo(holder: string): Promise<void> {
    for (const entry of this.#journal.entries(holder)) await this.#undoEntry(entry);
  }

  /** Takes back every change that we made. */
  async undoAll(): Promise<void> {
    await this.#undoEntries(this.#journal.entries());
  }

  /** Takes back what a dead predecessor left in the journal; returns how many changes it were. */
  async undoLeftovers(): Promise<number> {
    const entries = this.#journal.entries();
    await this.#undoEntries(entries, true);
    return entries.length;
  }

  /** Many at once: what is on a device that is gone need not be asked for one by one. */
  async #undoEntries(entries: readonly Entry[], isLeftover = false): Promise<void> {
    if (entries.length === 0) return;
    await this.#deleteMacvtaps(entries, isLeftover);
    const present = new Set((await this.#rtnl.links()).map(({ ifindex }) => ifindex));
    for (const entry of entries) {
      const { ifindex } = entry.change;
      if (ifindex !== 0 && !present.has(ifindex)) this.#journal.forget(entry.id);
      else await this.#undoEntry(entry, isLeftover);
    }
  }

  /** Those that this leaves are deleted one by one afterwards. */
  async #deleteMacvtaps(entries: readonly Entry[], isLeftover: boolean): Promise<void> {
    const links = await this.#rtnl.links();
    const byName = new Map(links.map((link) => [link.name, link]));
    const byIndex = new Map(links.map((link) => [link.ifindex, link]));
    const ours = entries.flatMap(({ change }) => {
      if (change.kind !== 'macvtap') return [];
      const { device, ifindex } = change;
      const isNamed = isLeftover || ifindex === 0;
      const link = isNamed ? byName.get(device) : byIndex.get(ifindex);
      return link !== undefined && isMadeMacvtap(change, link) ? [link] : [];
    });
    if (ours.length < 2) return;
    try {
      await this.#rtnl.deleteLinks(ours);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      const fields = { devices: ours.length, code: error.code };
      this.#log.warn(fields, `not deleted together: ${error.message}`);
    }
  }

  /** What was there before, once per holder: a setting that is asserted again and again keeps its
   * first value. */
  #recordOnce(holder: string, change: Change): void {
    const known = this.#journal.entries(holder).filter((entry) => covers(entry.change, change));
    if (change.kind === 'link') {
      for (const entry of known) {
        if (entry.change.kind !== 'link') continue;
        for (const key of Object.keys(entry.change.before)) delete change.before[key];
      }
      if (Object.keys(change.before).length > 0) this.#journal.record(holder, change);
    } else if (known.length === 0) {
      this.#journal.record(holder, change);
    }
  }

  /** What was added before and has gone by itself is written down once. */
  async #addition(holder: string, change: Change, add: () => Promise<boolean>): Promise<boolean> {
    if (this.#journal.has(holder, change)) return add();
    const id = this.#journal.record(holder, change);
    let added = false;
    try {
      added = await add();
    } finally {
      if (!added) this.#journal.forget(id);
    }
    return added;
  }

  async #undoEntry(entry: Entry, isLeftover = false): Promise<void> {
    try {
      await this.#undoChange(entry.change, isLeftover);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      const fields = { holder: entry.holder, change: entry.change, code: error.code };
      this.#log.warn(fields, `a change could not be taken back: ${error.message}`);
    }
    this.#journal.forget(entry.id);
  }

  async #undoChange(change: Change, isLeftover: boolean): Promise<void> {
    const { device, ifindex } = change;
    const link = await this.#rtnl.link(isLeftover || ifindex === 0 ? device : ifindex);
    if (link === undefined) return;
    if (change.kind === 'macvtap') {
      if (isMadeMacvtap(change, link)) await this.#rtnl.deleteLink(link.ifindex);
      return;
    }
    if (link.ifindex !== ifindex) return;
    switch (change.kind) {
      case 'sysctl': {
        const path = change.path.replace(`/conf/${device}/`, () => `/conf/${link.name}/`);
        if (path.startsWith(SYSCTL_ROOT)) await sysctlWrite(path, change.before);
        return;
      }
      case 'tap':
        await resetTap(link.name, change.flags);
        return;
      case 'link':
        return this.#rtnl.setLink(link, change.before);
      case 'address':
        await this.#rtnl.deleteAddress(link, change.prefix);
        return;
      case 'route':
        await this.#rtnl.deleteRoute(link, change.route);
    }
  }
}

/** True if `link` is the macvtap that was made. */
function isMadeMacvtap(change: Change & { kind: 'macvtap' }, link: LinkRecord): boolean {
  const isOurs = link.kind === 'macvtap' && link.lower === change.lower;
  return isOurs && (change.ifindex === 0 || change.ifindex === link.ifindex);
}

/** True if `known` already tells what was before for (part of) what `change` is about. */
function covers(known: Change, change: Change): boolean {
  if (known.kind !== change.kind || known.ifindex !== change.ifindex) return false;
  return known.kind !== 'sysctl' || (change.kind === 'sysctl' && known.path === change.path);
}
