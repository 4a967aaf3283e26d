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
 *    them with them. A change that cannot be undone is reported, does not stop the rest, and stays
 *    in the journal (undo.ts).
 * 4. Where the kernel's answer is lost, the change counts if it is there to be seen.
 */

import { type ErrorCode, OperatorError } from '../../base/errors.ts';
import { keysOf } from '../../base/keys.ts';
import type { HostLog } from '../../process/log.ts';
import type { DeviceName, LinkRecord, LinkSettings, RouteSettings } from '../kernel/records.ts';
import { isRoute, routeFamily } from '../kernel/route-key.ts';
import type { Rtnl } from '../kernel/rtnl.ts';
import { tapFlags } from '../port/tap.ts';
import { sysctlRead, sysctlWrite } from '../silence/sysctl.ts';
import type { Change, Journal } from './journal.ts';
import { type Leftovers, Undo } from './undo.ts';

/** The kernel may have made the change although its answer is lost or cannot be read. */
const UNCERTAIN: readonly ErrorCode[] = ['ETIMEDOUT', 'ENOBUFS', 'EMSGSIZE'];

/** How a route was put there: by us, before us, or not at all, since another one has its place. */
export type RouteEnd = 'added' | 'there' | 'held';

/** Changes made on behalf of holders ('interface:net0'), undone per holder or all at once. */
export class Changes {
  readonly #journal: Journal;
  readonly #rtnl: Rtnl;
  readonly #undo: Undo;

  constructor(journal: Journal, rtnl: Rtnl, log: HostLog) {
    this.#journal = journal;
    this.#rtnl = rtnl;
    this.#undo = new Undo(journal, rtnl, log);
  }

  /** Sets a setting under /proc/sys/net; nothing happens where the kernel does not have it. */
  async sysctl(holder: string, device: DeviceName, path: string, value: string): Promise<void> {
    this.#undo.adopt(holder);
    const before = await sysctlRead(path);
    if (before === undefined || before === value) return;
    const { name, ifindex } = device;
    await this.#recordOnce(holder, { kind: 'sysctl', device: name, ifindex, path, before });
    await sysctlWrite(path, value);
  }

  /** Puts one setting back as the holder found it; nothing happens if it did not change it. */
  async sysctlBack(holder: string, device: DeviceName, path: string): Promise<void> {
    const { ifindex } = device;
    for (const { id, change } of this.#journal.entries(holder)) {
      if (change.kind !== 'sysctl' || change.path !== path || change.ifindex !== ifindex) continue;
      await sysctlWrite(path, change.before);
      await this.#journal.forget(id);
    }
  }

  /** Changes those settings of a device that differ; true if there were any. */
  async link(holder: string, link: LinkRecord, wanted: LinkSettings): Promise<boolean> {
    this.#undo.adopt(holder);
    const before: Record<string, number | boolean> = {};
    const after: Record<string, number | boolean> = {};
    for (const key of keysOf(wanted)) {
      const value = wanted[key];
      if (value === undefined || value === link[key]) continue;
      before[key] = link[key];
      after[key] = value;
    }
    if (Object.keys(after).length === 0) return false;
    const { name, ifindex } = link;
    await this.#recordOnce(holder, { kind: 'link', device: name, ifindex, before });
    await this.#rtnl.setLink(link, after);
    return true;
  }

  /** Notes how a TAP was set up that exists already, before it is opened. */
  async foundTap(holder: string, device: DeviceName): Promise<void> {
    this.#undo.adopt(holder);
    const flags = await tapFlags(device.name);
    if (flags === undefined) return;
    const { name, ifindex } = device;
    await this.#recordOnce(holder, { kind: 'tap', device: name, ifindex, flags });
  }

  /**
   * Notes a macvtap that exists already. If we made one on this NIC that is nowhere else to be
   * seen, it is this one: it was moved to another namespace and back, and may have got another
   * number.
   */
  async foundMacvtap(holder: string, link: LinkRecord): Promise<void> {
    this.#undo.adopt(holder);
    const [entry, ...others] = this.#macvtapsOn(holder, link.lower);
    if (entry === undefined || others.length > 0 || entry.change.device !== link.name) return;
    if (entry.change.ifindex === link.ifindex) return;
    if ((await this.#rtnl.link(entry.change.ifindex)) !== undefined) return;
    await this.#journal.amend(entry.id, { ...entry.change, ifindex: link.ifindex });
  }

  /** Creates a macvtap in passthru mode on `lower`. */
  async macvtap(
    holder: string,
    name: string,
    lower: LinkRecord,
    txQueueLength: number,
  ): Promise<LinkRecord> {
    this.#undo.adopt(holder);
    const earlier = this.#macvtapsOn(holder, lower.ifindex);
    const change = { kind: 'macvtap', device: name, ifindex: 0, lower: lower.ifindex } as const;
    const id = await this.#journal.record(holder, change);
    await this.#make(
      id,
      async () => {
        await this.#rtnl.createMacvtap(name, lower, txQueueLength);
        return true;
      },
      async () => {
        const link = await this.#rtnl.link(name);
        return link?.kind === 'macvtap' && link.lower === lower.ifindex;
      },
    );
    // What we made there before is gone: a NIC has room for one.
    for (const entry of earlier) await this.#journal.forget(entry.id);
    await this.#undo.macvtapMade(lower.ifindex);
    const link = await this.#rtnl.linkOf(name, 'macvtap');
    await this.#journal.amend(id, { ...change, ifindex: link.ifindex });
    return link;
  }

  /** Puts an address ('ADDR/LEN') on a device; false if it was there already. */
  async address(holder: string, device: DeviceName, prefix: string): Promise<boolean> {
    const { name, ifindex } = device;
    const change: Change = { kind: 'address', device: name, ifindex, prefix };
    return this.#addition(
      holder,
      change,
      () => this.#rtnl.addAddress(device, prefix),
      async () => {
        const addresses = await this.#rtnl.addresses(ifindex);
        return addresses.some((one) => `${one.address}/${one.prefixLength}` === prefix);
      },
    );
  }

  /** Puts a static route through a device. */
  async route(holder: string, device: DeviceName, route: RouteSettings): Promise<RouteEnd> {
    const { name, ifindex } = device;
    const change: Change = { kind: 'route', device: name, ifindex, route };
    const isThere = async (): Promise<boolean> => {
      const isIt = isRoute(ifindex, route);
      return (await this.#rtnl.findRoute(ifindex, routeFamily(route), isIt)) !== undefined;
    };
    const add = (): Promise<boolean> => this.#rtnl.addRoute(device, route);
    if (await this.#addition(holder, change, add, isThere)) return 'added';
    return (await isThere()) ? 'there' : 'held';
  }

  /** Takes back everything that one holder changed, newest first. What fails is kept and logged. */
  async undo(holder: string): Promise<void> {
    await this.#undo.run(this.#journal.entries(holder));
  }

  /** Takes back every change that we made. */
  async undoAll(): Promise<void> {
    await this.#undo.runAll(this.#journal.entries());
  }

  /** Takes back what a dead predecessor left in the journal; returns how many changes it were. */
  async undoLeftovers(): Promise<number> {
    const entries = this.#journal.entries();
    await this.#undo.runAll(entries);
    return entries.length - this.#journal.entries().length;
  }

  /** Tries again what could not be taken back, now and then; see undo.ts. */
  async retry(nowMs: number): Promise<void> {
    await this.#undo.retry(nowMs);
  }

  /** What could not be taken back so far. */
  leftovers(): Leftovers {
    return this.#undo.leftovers();
  }

  /** What was there before, once per holder: a setting that is asserted again and again keeps its
   * first value. */
  async #recordOnce(holder: string, change: Change): Promise<void> {
    const known = this.#journal.entries(holder).filter((entry) => covers(entry.change, change));
    if (change.kind === 'link') {
      for (const entry of known) {
        if (entry.change.kind !== 'link') continue;
        for (const key of Object.keys(entry.change.before)) delete change.before[key];
      }
      if (Object.keys(change.before).length > 0) await this.#journal.record(holder, change);
    } else if (known.length === 0) {
      await this.#journal.record(holder, change);
    }
  }

  /** What was added before and has gone by itself is written down once. */
  async #addition(
    holder: string,
    change: Change,
    add: () => Promise<boolean>,
    isThere: () => Promise<boolean>,
  ): Promise<boolean> {
    this.#undo.adopt(holder);
    if (this.#journal.has(holder, change)) return add();
    return this.#make(await this.#journal.record(holder, change), add, isThere);
  }

  /**
   * Makes the change of an entry; false if it was there already. The entry goes unless the change
   * is ours, or may be: then its undoing will find out.
   */
  async #make(
    id: number,
    make: () => Promise<boolean>,
    isThere: () => Promise<boolean>,
  ): Promise<boolean> {
    let isMade = false;
    try {
      isMade = await make();
    } catch (error) {
      const isLost = error instanceof OperatorError && UNCERTAIN.includes(error.code);
      isMade = isLost && (await isThere());
      if (!isMade) {
        await this.#journal.forget(id);
        throw error;
      }
    }
    if (!isMade) await this.#journal.forget(id);
    return isMade;
  }

  #macvtapsOn(holder: string, lower: number): MacvtapEntry[] {
    return this.#journal.entries(holder).flatMap(({ id, change }) => {
      return change.kind === 'macvtap' && change.lower === lower ? [{ id, change }] : [];
    });
  }
}

interface MacvtapEntry {
  readonly id: number;
  readonly change: Change & { kind: 'macvtap' };
}

/** True if `known` already has what was before for (part of) what `change` is about. */
function covers(known: Change, change: Change): boolean {
  if (known.kind !== change.kind || known.ifindex !== change.ifindex) return false;
  return known.kind !== 'sysctl' || (change.kind === 'sysctl' && known.path === change.path);
}
