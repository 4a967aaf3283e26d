/**
 * The multicast groups of a simulated station, and its reports to routers and snooping
 * switches: MLDv2 (RFC 3810), as a Linux host does it.
 *
 * A change is reported at once and again a second later; a query is answered with all groups. The
 * group of all nodes is never reported (RFC 3810 6).
 */

import { writeU16 } from '../../base/bytes.ts';
import { IPV6_ADDRESS_LENGTH, IPV6_ALL_NODES, type Ipv6, ipv6Write } from '../../wire/addr.ts';
import type { Agenda } from '../agenda.ts';

// From RFC 3810 5.2.

const REPORT = 143;
const REPORT_HEADER_LENGTH = 8;
const RECORD_LENGTH = 4 + IPV6_ADDRESS_LENGTH;

/** A record: everything is wanted still, from now on, or no more (RFC 3810 5.2.12). */
export const MODE_IS_EXCLUDE = 2;
const CHANGE_TO_INCLUDE = 3;
const CHANGE_TO_EXCLUDE = 4;

/** Unsolicited report interval (RFC 3810 9.11). */
const REPEAT_MS = 1000;
/** Ours: within the shortest time that a querier may ask for. */
const ANSWER_MS = 5;

/** What the groups need of their station. */
export interface Groups6Owner {
  readonly agenda: Agenda;
  /** Sends a report: an ICMPv6 message with an empty checksum. */
  report(message: Uint8Array): void;
}

/** All groups of one station. */
export class Groups6 {
  readonly #owner: Groups6Owner;
  /** How many users each has: addresses share solicited-node groups. */
  readonly #users = new Map<Ipv6, number>();
  #isAnswering = false;

  constructor(owner: Groups6Owner) {
    this.#owner = owner;
  }

  /** True if the station takes datagrams for `group`. */
  has(group: Ipv6): boolean {
    return group === IPV6_ALL_NODES || this.#users.has(group);
  }

  /** One more user of `group`. */
  join(group: Ipv6): void {
    const users = this.#users.get(group) ?? 0;
    this.#users.set(group, users + 1);
    if (users === 0) this.#change(group, CHANGE_TO_EXCLUDE);
  }

  /** One user less. */
  leave(group: Ipv6): void {
    const users = this.#users.get(group) ?? 0;
    if (users > 1) this.#users.set(group, users - 1);
    else if (this.#users.delete(group)) this.#change(group, CHANGE_TO_INCLUDE);
  }

  /** A query has come, for one group or for all; all are reported, once. */
  handleQuery(): void {
    if (this.#isAnswering || this.#users.size === 0) return;
    this.#isAnswering = true;
    this.#owner.agenda.after(ANSWER_MS, () => {
      this.#isAnswering = false;
      this.#report([...this.#users.keys()], MODE_IS_EXCLUDE);
    });
  }

  #change(group: Ipv6, record: number): void {
    this.#report([group], record);
    this.#owner.agenda.after(REPEAT_MS, () => {
      const isStill = this.#users.has(group) === (record === CHANGE_TO_EXCLUDE);
      if (isStill) this.#report([group], record);
    });
  }

  #report(groups: readonly Ipv6[], record: number): void {
    const message = new Uint8Array(REPORT_HEADER_LENGTH + RECORD_LENGTH * groups.length);
    message[0] = REPORT;
    writeU16(message, 6, groups.length);
    for (const [index, group] of groups.entries()) {
      const at = REPORT_HEADER_LENGTH + RECORD_LENGTH * index;
      message[at] = record;
      ipv6Write(message, at + 4, group);
    }
    this.#owner.report(message);
  }
}
