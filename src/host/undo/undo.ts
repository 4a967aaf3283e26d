/**
 * Taking back what is in the journal. An entry leaves it when its change is undone, or when the
 * device that it was made on is gone, and for no other reason.
 *
 *   done      undone, or gone with its device: forgotten
 *   failed    the kernel refused, or its answer was lost: kept, logged, tried again
 *   unseen    a macvtap that is nowhere here although its NIC is: deleted by another tool, or moved
 *             to another namespace, from where it may come back; kept, and looked for again
 *
 * What is kept is tried again by `retry` with pauses that double, by the next `run` of its holder,
 * and by the next start. A holder that changes something anew wants its changes: `adopt` ends the
 * retries until its next undoing.
 */

import { type ErrorCode, OperatorError } from '../../base/errors.ts';
import { operatorErrorOf } from '../../native/addon.ts';
import type { HostLog } from '../../process/log.ts';
import type { LinkRecord } from '../kernel/records.ts';
import type { Rtnl } from '../kernel/rtnl.ts';
import { resetTap } from '../port/tap.ts';
import { sysctlWrite } from '../silence/sysctl.ts';
import type { Change, Entry, Journal } from './journal.ts';

/** Only what lies here may be written while undoing: the journal is a file. */
const SYSCTL_ROOT = '/proc/sys/net/';

/** Ours: the first pause before what failed is tried again, and the longest. */
const RETRY_FIRST_MS = 1000;
const RETRY_MAX_MS = 60_000;

/** The device went between the look and the change. */
const GONE: readonly ErrorCode[] = ['ENODEV', 'ENXIO'];

type End = 'done' | 'unseen';

/** What is not put back yet, in sentences. */
export interface Leftovers {
  /** Refused by the kernel. */
  readonly failed: readonly string[];
  /** Macvtaps that are not to be seen here. */
  readonly unseen: readonly string[];
}

interface Kept {
  readonly entry: Entry;
  readonly isFailed: boolean;
  readonly sentence: string;
}

/** See the head of the file. */
export class Undo {
  readonly #journal: Journal;
  readonly #rtnl: Rtnl;
  readonly #log: HostLog;
  readonly #kept = new Map<number, Kept>();
  #pauseMs = RETRY_FIRST_MS;
  #retryAtMs = 0;

  constructor(journal: Journal, rtnl: Rtnl, log: HostLog) {
    this.#journal = journal;
    this.#rtnl = rtnl;
    this.#log = log;
  }

  /** One after the other, as they come. */
  async run(entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) await this.#undo(entry);
  }

  /** Many at once: what is on a device that is gone need not be asked for one by one. */
  async runAll(entries: readonly Entry[]): Promise<void> {
    const present = entries.length === 0 ? undefined : await this.#deleteMacvtaps(entries);
    for (const entry of entries) {
      if (present !== undefined && isGone(entry.change, present)) await this.#end(entry);
      else await this.#undo(entry);
    }
  }

  /** Tries again what was kept, if the pause since the last time is over. */
  async retry(nowMs: number): Promise<void> {
    if (this.#kept.size === 0) {
      this.#pauseMs = RETRY_FIRST_MS;
      this.#retryAtMs = 0;
      return;
    }
    if (this.#retryAtMs === 0) this.#retryAtMs = nowMs + this.#pauseMs;
    if (nowMs < this.#retryAtMs) return;
    this.#pauseMs = Math.min(2 * this.#pauseMs, RETRY_MAX_MS);
    this.#retryAtMs = nowMs + this.#pauseMs;
    await this.run([...this.#kept.values()].map(({ entry }) => entry));
  }

  /** The holder wants what it had changed: nothing of it is tried again until its next undoing. */
  adopt(holder: string): void {
    for (const [id, { entry }] of this.#kept) if (entry.holder === holder) this.#kept.delete(id);
  }

  /** A macvtap was made on the NIC `lower`, which has room for one: earlier ones are gone. */
  async macvtapMade(lower: number): Promise<void> {
    for (const { entry } of [...this.#kept.values()]) {
      if (entry.change.kind === 'macvtap' && entry.change.lower === lower) await this.#end(entry);
    }
  }

  /** What `run`, `runAll` and `retry` have left. */
  leftovers(): Leftovers {
    const kept = [...this.#kept.values()];
    const sentences = (isFailed: boolean): string[] =>
      kept.filter((one) => one.isFailed === isFailed).map(({ sentence }) => sentence);
    return { failed: sentences(true), unseen: sentences(false) };
  }

  async #undo(entry: Entry): Promise<void> {
    const what = sentenceOf(entry.change);
    try {
      if ((await this.#undoChange(entry)) === 'done') return await this.#end(entry);
      this.#kept.set(entry.id, { entry, isFailed: false, sentence: what });
    } catch (thrown) {
      const error = operatorErrorOf(thrown, entry.change.device);
      if (!(error instanceof OperatorError)) throw error;
      if (GONE.includes(error.code)) return await this.#end(entry);
      const isNews = this.#kept.get(entry.id)?.isFailed !== true;
      const sentence = `${what}: ${error.message}`;
      this.#kept.set(entry.id, { entry, isFailed: true, sentence });
      const fields = { holder: entry.holder, change: entry.change, code: error.code };
      if (isNews) this.#log.warn(fields, `not put back, it will be tried again: ${sentence}`);
    }
  }

  async #end(entry: Entry): Promise<void> {
    const kept = this.#kept.get(entry.id);
    this.#kept.delete(entry.id);
    await this.#journal.forget(entry.id);
    if (kept?.isFailed !== true) return;
    this.#log.info({ holder: entry.holder }, `put back after all: ${sentenceOf(entry.change)}`);
  }

  /**
   * Deletes those that we made in one step; those that this leaves are deleted one by one
   * afterwards. Answers the indexes of the devices that are there now, if the kernel answers.
   */
  async #deleteMacvtaps(entries: readonly Entry[]): Promise<ReadonlySet<number> | undefined> {
    try {
      const links = await this.#rtnl.links();
      const ours = this.#macvtapsOf(entries, links);
      if (ours.size < 2) return new Set(links.map(({ ifindex }) => ifindex));
      await this.#deleteTogether([...ours.values()]);
      const present = new Set((await this.#rtnl.links()).map(({ ifindex }) => ifindex));
      for (const [entry, { ifindex }] of ours) if (!present.has(ifindex)) await this.#end(entry);
      return present;
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      this.#log.warn({ code: error.code }, `put back one by one: ${error.message}`);
      return undefined;
    }
  }

  async #deleteTogether(links: readonly LinkRecord[]): Promise<void> {
    try {
      await this.#rtnl.deleteLinks(links);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      const fields = { devices: links.length, code: error.code };
      this.#log.warn(fields, `not deleted together: ${error.message}`);
    }
  }

  #macvtapsOf(entries: readonly Entry[], links: readonly LinkRecord[]): Map<Entry, LinkRecord> {
    const byName = new Map(links.map((link) => [link.name, link]));
    const byIndex = new Map(links.map((link) => [link.ifindex, link]));
    const ours = new Map<Entry, LinkRecord>();
    for (const entry of entries) {
      const { change } = entry;
      if (change.kind !== 'macvtap') continue;
      const isNamed = this.#journal.isInherited(entry.id) || change.ifindex === 0;
      const link = isNamed ? byName.get(change.device) : byIndex.get(change.ifindex);
      if (link !== undefined && isMadeMacvtap(change, link)) ours.set(entry, link);
    }
    return ours;
  }

  async #undoChange(entry: Entry): Promise<End> {
    if (!this.#journal.knows(entry.id)) return 'done';
    const { change } = entry;
    const { device, ifindex } = change;
    const isNamed = this.#journal.isInherited(entry.id) || ifindex === 0;
    const link = await this.#rtnl.link(isNamed ? device : ifindex);
    if (change.kind === 'macvtap') return this.#undoMacvtap(change, link);
    if (link === undefined || link.ifindex !== ifindex) return 'done';
    switch (change.kind) {
      case 'sysctl': {
        const path = change.path.replace(`/conf/${device}/`, () => `/conf/${link.name}/`);
        if (path.startsWith(SYSCTL_ROOT)) await sysctlWrite(path, change.before);
        return 'done';
      }
      case 'tap':
        await resetTap(link.name, change.flags);
        return 'done';
      case 'link':
        await this.#rtnl.setLink(link, change.before);
        return 'done';
      case 'address':
        await this.#rtnl.deleteAddress(link, change.prefix);
        return 'done';
      case 'route':
        await this.#rtnl.deleteRoute(link, change.route);
        return 'done';
    }
  }

  async #undoMacvtap(
    change: Change & { kind: 'macvtap' },
    link: LinkRecord | undefined,
  ): Promise<End> {
    if (link !== undefined && isMadeMacvtap(change, link)) {
      if (link.allmulti) await this.#endAllmulti(link);
      await this.#rtnl.deleteLink(link.ifindex);
      return 'done';
    }
    // The kernel deletes a macvtap with its NIC, wherever it is.
    const isLowerHere = change.ifindex !== 0 && (await this.#rtnl.link(change.lower)) !== undefined;
    return isLowerHere ? 'unseen' : 'done';
  }

  /**
   * A macvtap hands its wish for all multicast to its NIC, and takes it back only while it is up:
   * deleted with it (or moved, which sets it down), it leaves the NIC with it.
   */
  async #endAllmulti(link: LinkRecord): Promise<void> {
    const lower = await this.#rtnl.link(link.lower);
    if (lower?.up !== true) return;
    if (!link.up) await this.#rtnl.setLink(link, { up: true });
    await this.#rtnl.setLink(link, { allmulti: false });
  }
}

/** True if `link` is the macvtap that was made. */
function isMadeMacvtap(change: Change & { kind: 'macvtap' }, link: LinkRecord): boolean {
  const isOurs = link.kind === 'macvtap' && link.lower === change.lower;
  return isOurs && (change.ifindex === 0 || change.ifindex === link.ifindex);
}

/** True if the change went with its device; a macvtap may be elsewhere while its NIC is here. */
function isGone(change: Change, present: ReadonlySet<number>): boolean {
  if (change.ifindex === 0 || present.has(change.ifindex)) return false;
  return change.kind !== 'macvtap' || !present.has(change.lower);
}

/** What a change was, as an operator recognises it. */
function sentenceOf(change: Change): string {
  const { device } = change;
  switch (change.kind) {
    case 'sysctl':
      return `${change.path} (it was ${change.before})`;
    case 'link':
      return `${device}: ${Object.keys(change.before).join(', ')}`;
    case 'macvtap':
      return `macvtap ${device}`;
    case 'tap':
      return `${device}: flags of the TAP`;
    case 'address':
      return `${change.prefix} on ${device}`;
    case 'route':
      return `route to ${change.route.to} through ${device}`;
  }
}
