/**
 * The control surface's view of the system: flat rows, kstats and metrics for readers, operations
 * for writers, events for whoever listens. Nothing here keeps state of its own.
 *
 * Readers never wait for writers: rows are copied in one turn; kstats are read through the
 * collector, which holds nothing while drivers answer.
 */

import { OperatorError } from '../base/errors.ts';
import type { Operation } from '../base/operation.ts';
import type {
  AddressRow,
  ChangeRequest,
  ConfigCheckRow,
  ConfigRow,
  ControlBackend,
  EventRow,
  GroupRow,
  InterfaceRow,
  MulticastRow,
  NeighborRow,
  NewNeighbor,
  Readiness,
  ReloadRow,
  StatusRow,
  TargetRow,
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

  async multicast(): Promise<readonly MulticastRow[]> {
    return this.#options.system.describeMulticast();
  }

  async targets(): Promise<readonly TargetRow[]> {
    return [];
  }

  async config(): Promise<readonly ConfigRow[]> {
    return notYet('config show');
  }

  async checkConfig(_file: string, _text: string): Promise<ConfigCheckRow> {
    return notYet('config check');
  }

  async createGroup(): Promise<void> {
    return notYet('group create');
  }

  async deleteGroup(name: string, _request: ChangeRequest): Promise<void> {
    const { run, system } = this.#options;
    await run(`delete ${name}`, () => system.deleteGroup(name));
  }

  async renameGroup(): Promise<void> {
    return notYet('group rename');
  }

  async setGroup(): Promise<void> {
    return notYet('group set');
  }

  async addMember(group: string, ifname: string, _request: ChangeRequest): Promise<void> {
    const { run, system } = this.#options;
    await run(`join ${group} ${ifname}`, () => system.joinGroup(group, ifname));
  }

  async removeMember(group: string, ifname: string, _request: ChangeRequest): Promise<void> {
    const { run, system } = this.#options;
    await run(`leave ${group} ${ifname}`, () => system.leaveGroup(group, ifname));
  }

  async createInterface(): Promise<void> {
    return notYet('interface create');
  }

  async deleteInterface(): Promise<void> {
    return notYet('interface delete');
  }

  async setInterface(): Promise<void> {
    return notYet('interface set');
  }

  async offlineInterface(): Promise<void> {
    return notYet('interface offline');
  }

  async onlineInterface(): Promise<void> {
    return notYet('interface online');
  }

  async activateInterface(): Promise<void> {
    return notYet('interface activate');
  }

  async addAddress(): Promise<void> {
    return notYet('address add');
  }

  async deleteAddress(): Promise<void> {
    return notYet('address delete');
  }

  async addTestAddress(): Promise<void> {
    return notYet('test-address add');
  }

  async deleteTestAddress(): Promise<void> {
    return notYet('test-address delete');
  }

  async addNeighbor(group: string, neighbor: NewNeighbor, _request: ChangeRequest): Promise<void> {
    this.#options.system.addNeighbor(group, neighbor);
  }

  async deleteNeighbor(group: string, dst: string, _request: ChangeRequest): Promise<void> {
    this.#options.system.deleteNeighbor(group, dst);
  }

  async joinMulticast(group: string, address: string, _request: ChangeRequest): Promise<void> {
    const { run, system } = this.#options;
    await run(`join ${address}`, () => system.joinMulticast(group, address));
  }

  async leaveMulticast(group: string, address: string, _request: ChangeRequest): Promise<void> {
    const { run, system } = this.#options;
    await run(`leave ${address}`, () => system.leaveMulticast(group, address));
  }

  async reload(): Promise<ReloadRow> {
    return notYet('reload');
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

function notYet(command: string): never {
  throw new OperatorError('EOPNOTSUPP', `${command} is not there yet`);
}
