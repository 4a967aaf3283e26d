/** What the configuration puts on a group's device, and what is needed for that. */

import type { HostLog } from '../../process/log.ts';
import type { Rtnl } from '../kernel/rtnl.ts';
import type { Silencer } from '../silence/silence.ts';
import type { Changes } from '../undo/restore.ts';

/** What the devices of groups need of the host. */
export interface GroupContext {
  readonly rtnl: Rtnl;
  readonly changes: Changes;
  readonly silencer: Pick<Silencer, 'stopForwarding' | 'allowForwarding'>;
  readonly log: HostLog;
}

/** The same for one device. */
export interface DeviceContext extends GroupContext {
  readonly name: string;
  readonly ifindex: number;
  /** The name under which the journal has its changes. */
  readonly holder: string;
}

/**
 * What is to be on a device, by key.
 *
 * What disappears from a device that is up was deleted by another program. It is kept as taken: it
 * is not put back after down and up. When any program has added it again, it is wanted again.
 *
 * Invariant: each key is wanted, or taken, or unknown.
 */
export class Wanted<Row> {
  readonly #wanted = new Map<string, Row>();
  readonly #taken = new Map<string, Row>();

  add(key: string, row: Row): void {
    this.#taken.delete(key);
    this.#wanted.set(key, row);
  }

  delete(key: string): void {
    this.#taken.delete(key);
    this.#wanted.delete(key);
  }

  /** Wanted, and not taken. */
  has(key: string): boolean {
    return this.#wanted.has(key);
  }

  /** Wanted and not taken, as they are now. */
  entries(): [string, Row][] {
    return [...this.#wanted];
  }

  /** Wanted and taken. */
  keys(): string[] {
    return [...this.#wanted.keys(), ...this.#taken.keys()];
  }

  /** The device carried `before` and carries `present` (keys), and was up all the time. */
  handleSeen(before: ReadonlySet<string>, present: ReadonlySet<string>): void {
    for (const [key, row] of this.entries()) {
      if (!before.has(key) || present.has(key)) continue;
      this.#wanted.delete(key);
      this.#taken.set(key, row);
    }
    for (const [key, row] of [...this.#taken]) {
      if (present.has(key)) this.add(key, row);
    }
  }
}
