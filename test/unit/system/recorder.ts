/** A publication that records its calls, in order. */

import type { ForwardingTables, Publication } from '../../../src/datapath/tables/fib.ts';

/** See the head of the file. */
export class Recorder implements Publication {
  calls: string[] = [];
  hasCaughtUp: () => boolean = () => true;
  tables: ForwardingTables = { nics: [], groups: [], addresses: [], redirects: [] };
  readonly active = new Map<number, readonly [number, number]>();
  readonly cast = new Map<number, number>();
  readonly placements = new Map<number, number>();

  replace(tables: ForwardingTables): void {
    this.calls.push('replace');
    this.tables = structuredClone(tables) as ForwardingTables;
  }

  setActiveMembers(group: number, low: number, high: number): void {
    this.calls.push(`active ${group} ${low.toString(2)} ${high.toString(2)}`);
    this.active.set(group, [low, high]);
  }

  setCastMember(group: number, nic: number): void {
    this.calls.push(`cast ${group} ${nic}`);
    this.cast.set(group, nic);
  }

  /** Nothing is forwarded here, so nothing is used. */
  takeRedirectUse(): boolean {
    return false;
  }

  /** There is no worker that could be late. */
  catchUp(): () => boolean {
    return () => this.hasCaughtUp();
  }

  setPlacement(slot: number, nic: number): void {
    this.calls.push(`slot ${slot} ${nic}`);
    this.placements.set(slot, nic);
  }
}
