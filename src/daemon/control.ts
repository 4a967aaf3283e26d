/**
 * The control surface's view of the system: flat rows, kstats and metrics for readers, operations
 * for writers, events for whoever listens. Nothing here keeps state of its own.
 *
 * Readers never wait for writers: rows are copied in one turn; kstats are read through the
 * collector, which holds nothing while drivers answer.
 */

import type { Operation } from '../base/operation.ts';
import type {
  AddressRow,
  ControlBackend,
  Credentials,
  EventRow,
  GroupRow,
  InterfaceRow,
  NeighborRow,
  Readiness,
  StatusRow,
} from '../ctl/backend.ts';
import { collectKstats, type KstatIdentity, type KstatRecord } from '../stats/kstat.ts';
import { MetricsRenderer, type MetricsSnapshot } from '../stats/prometheus.ts';
import type { KstatData } from '../stats/schema.ts';
import type { System, SystemEvent } from '../system.ts';

/** What the control surface may ask of the composition root. */
export interface ControlOptions {
  readonly system: System;
  readonly version: string;
  /** Runs an operation of the system to its end. */
  readonly run: <T>(label: string, body: () => Operation<T>) => Promise<T>;
  readonly readiness: () => Readiness;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  /** A monotonic time as RFC 3339 with microseconds. */
  readonly wallTime: (atMs: number) => string;
  /** Something went wrong in a listener of events: our own mistake. */
  readonly onFailure: (error: unknown) => void;
}

/** The backend of the control server. */
export class Control implements ControlBackend {
  readonly #options: ControlOptions;
  readonly #startedMs: number;
  readonly #listeners = new Set<(event: EventRow) => void>();
  #renderer: MetricsRenderer | undefined;

  constructor(options: ControlOptions) {
    this.#options = options;
    this.#startedMs = options.nowMs();
  }

  async status(): Promise<StatusRow> {
    const { system, version, nowMs } = this.#options;
    const { state, groups } = system.describeStatus();
    const uptimeS = Math.floor((nowMs() - this.#startedMs) / 1000);
    return { state, version, uptime_s: uptimeS, groups };
  }

  async groups(): Promise<readonly GroupRow[]> {
    return this.#options.system.describeGroups();
  }

  async interfaces(): Promise<readonly InterfaceRow[]> {
    return this.#options.system.describeInterfaces();
  }

  async addresses(): Promise<readonly AddressRow[]> {
    return this.#options.system.describeAddresses();
  }

  async neighbors(): Promise<readonly NeighborRow[]> {
    return this.#options.system.describeNeighbors();
  }

  async kstats(wanted: (kstat: KstatIdentity) => boolean): Promise<readonly KstatRecord[]> {
    const { run, system } = this.#options;
    return await run('kstat read', () => collectKstats(system.kstats, wanted));
  }

  async deleteGroup(name: string, _by: Credentials): Promise<void> {
    const { run, system } = this.#options;
    await run(`delete ${name}`, () => system.deleteGroup(name));
  }

  async addMember(group: string, ifname: string, _by: Credentials): Promise<void> {
    const { run, system } = this.#options;
    await run(`join ${group} ${ifname}`, () => system.joinGroup(group, ifname));
  }

  async removeMember(group: string, ifname: string, _by: Credentials): Promise<void> {
    const { run, system } = this.#options;
    await run(`leave ${group} ${ifname}`, () => system.leaveGroup(group, ifname));
  }

  subscribe(listener: (event: EventRow) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async metrics(): Promise<string> {
    this.#renderer ??= new MetricsRenderer();
    return await this.#renderer.render(await this.#snapshot());
  }

  readiness(): Readiness {
    return this.#options.readiness();
  }

  /** Tells everybody who listens. */
  publish(event: SystemEvent): void {
    const { atMs, ...rest } = event;
    const row: EventRow = { time: this.#options.wallTime(atMs), ...rest };
    for (const listener of this.#listeners) {
      try {
        listener(row);
      } catch (error) {
        this.#options.onFailure(error);
      }
    }
  }

  /** Rows are taken after the drivers have answered, so that they are of one moment. */
  async #snapshot(): Promise<MetricsSnapshot> {
    const { system, version } = this.#options;
    const records = await this.kstats(() => true);
    const dataOf = (module: string, name: string): KstatData | undefined =>
      records.find((record) => record.module === module && record.name === name)?.data;
    return {
      version,
      groups: system.describeGroups().map((row) => ({
        group: row.group,
        state: row.state,
        interfaces: row.interfaces.length,
        active: row.active.length,
        failureDetectionSeconds: row.fdt_ms / 1000,
        statistics: dataOf('ipmp', row.group),
      })),
      interfaces: system.describeInterfaces().map((row) => ({
        ifname: row.ifname,
        group: row.group,
        state: row.state,
        isLinkUp: row.link !== 'down' && row.state !== 'absent',
        statistics: dataOf('link', row.ifname),
      })),
      addresses: system
        .describeAddresses()
        .flatMap((row) =>
          row.group === null || row.type !== 'data'
            ? []
            : [{ group: row.group, address: row.address, inbound: row.inbound }],
        ),
      failovers: system.describeFailovers(),
      drops: dataOf('ipmpd', 'drops') ?? {},
    };
  }
}
