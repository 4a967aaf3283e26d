/**
 * The addresses that the configuration puts on a group's device.
 *
 * Invariant: an address is wanted from the time it is added by us, or found there already, until it
 * is deleted by us. One that disappears while the device is up is not wanted until it is there
 * again (wanted.ts).
 */

import { OperatorError } from '../../base/errors.ts';
import { canonicalPrefix } from '../../model/prefix.ts';
import type { HostAddress, LinkRecord } from '../kernel/records.ts';
import { type DeviceContext, Wanted } from './wanted.ts';

/** The addresses of one device; each is 'ADDR/LEN'. */
export class GroupAddresses {
  readonly #options: DeviceContext;
  readonly #wanted = new Wanted<string>();
  #seenKeys: ReadonlySet<string> = new Set();
  #seen: readonly HostAddress[] = [];

  constructor(options: DeviceContext) {
    this.#options = options;
  }

  /** From now on the address is wanted; `putAll` sets it. */
  want(prefix: string): void {
    const canonical = canonicalPrefix(prefix);
    this.#wanted.add(canonical, canonical);
  }

  /** Sets all that are wanted; answers what the kernel refuses. */
  async putAll(link: LinkRecord): Promise<OperatorError[]> {
    const { changes, log, name, holder } = this.#options;
    const problems: OperatorError[] = [];
    for (const [prefix] of this.#wanted.entries()) {
      try {
        await changes.address(holder, link, prefix);
      } catch (error) {
        if (!(error instanceof OperatorError)) throw error;
        problems.push(error);
        log.warn({ group: name, code: error.code }, error.message);
      }
    }
    return problems;
  }

  /** Puts an address on the device. EEXIST: it is there already, and is wanted now. */
  async add(link: LinkRecord, prefix: string): Promise<void> {
    const { changes, name, holder } = this.#options;
    const isNew = await changes.address(holder, link, canonicalPrefix(prefix));
    this.want(prefix);
    if (!isNew) throw new OperatorError('EEXIST', `${name} has ${prefix} already`);
  }

  /** Takes an address off, also one of another program; EADDRNOTAVAIL if it is not there. */
  async delete(link: LinkRecord, prefix: string): Promise<void> {
    const { rtnl, name } = this.#options;
    const canonical = canonicalPrefix(prefix);
    const wasThere = await rtnl.deleteAddress(link, canonical);
    // Not before: what the kernel refuses to delete is there, and wanted.
    this.#wanted.delete(canonical);
    if (!wasThere) throw new OperatorError('EADDRNOTAVAIL', `${name} does not have ${prefix}`);
  }

  /** What the device carries, as the mirror saw it last while it was up. */
  get seen(): readonly HostAddress[] {
    return this.#seen;
  }

  /** The device is down, or was: what is missing now was not deleted by another program. */
  forgetSeen(): void {
    this.#seenKeys = new Set();
    this.#seen = [];
  }

  /** What has disappeared from a device that is up was deleted by another program. */
  handleSeen(list: readonly HostAddress[]): void {
    const present = new Set(list.map((entry) => `${entry.address}/${entry.prefixLength}`));
    this.#wanted.handleSeen(this.#seenKeys, present);
    this.#seenKeys = present;
    this.#seen = list;
  }

  /** Those of `prefixes` that another program took away. */
  lacking(prefixes: readonly string[]): string[] {
    return prefixes.filter((one) => !this.#wanted.has(canonicalPrefix(one)));
  }
}
