/**
 * The control surface's view of the system: flat rows, kstats and metrics for readers, operations
 * for writers, events for listeners. Nothing here keeps state of its own.
 *
 * Readers never wait for writers: rows are copied in one turn; kstats are read through the
 * collector, which holds nothing while drivers answer.
 */

import type { OperatorError } from '../base/errors.ts';
import { mapInTurns } from '../base/turns.ts';
import { Commands, type CommandsOptions } from '../change/edit.ts';
import type { ConfigurationNews } from '../change/reconfiguration.ts';
import { configErrorFormat } from '../config/document.ts';
import { configFromSources, configSchema } from '../config/load.ts';
import { configEntries } from '../config/show.ts';
import type { ConfigStore } from '../config/store.ts';
import type { ControlBackend, Readiness } from '../ctl/backend.ts';
import {
  type AddressRow,
  type ConfigCheckRow,
  type ConfigRow,
  EVENT_OF_NOTHING,
  EVENT_VERSION,
  type EventRow,
  type GroupRow,
  type InterfaceRow,
  type InterfaceView,
  type MulticastRow,
  type NeighborRow,
  type SnapshotRow,
  type StatusRow,
  type TargetRow,
} from '../model/rows.ts';
import { collectKstats, type KstatIdentity, type KstatRecord } from '../stats/kstat.ts';
import type { MetricsSnapshot } from '../stats/prometheus.ts';
import type { KstatData } from '../stats/schema.ts';
import type { SystemEvent } from '../system.ts';

/** What the control surface may ask of the composition root. */
export interface ControlOptions extends CommandsOptions {
  readonly store: ConfigStore;
  readonly version: string;
  readonly readiness: () => Readiness;
  /** Whether an answer of an interface's driver or device is late. */
  readonly isUnanswered: (ifname: string) => boolean;
  /** What of the configuration could not be made so, one sentence each. */
  readonly problems: () => readonly string[];
  /** The same of what the daemon itself serves: no group is worse off for it. */
  readonly surfaceProblems: () => readonly string[];
  /** Why a device is not attached; undefined if it is. */
  readonly refusalOf: (name: string) => OperatorError | undefined;
  /** Use of an interface by the host itself, or of the NIC or bridge below; undefined: none. */
  readonly useByHost: (name: string) => OperatorError | undefined;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  /** A monotonic time as RFC 3339 with microseconds. */
  readonly wallTime: (atMs: number) => string;
  /** Something went wrong in a listener of events: our own mistake. */
  readonly onFailure: (error: unknown) => void;
}

/** The backend of the control server. */
export class Control extends Commands implements ControlBackend {
  readonly #options: ControlOptions;
  readonly #startedMs: number;
  readonly #listeners = new Set<(event: EventRow) => void>();

  constructor(options: ControlOptions) {
    super(options);
    this.#options = options;
    this.#startedMs = options.nowMs();
  }

  async status(): Promise<StatusRow> {
    const { system, version, nowMs } = this.#options;
    const { state: groupsState, groups, signature, down } = system.describeStatus();
    const uptimeS = Math.floor((nowMs() - this.#startedMs) / 1000);
    const uses = system.describeInterfaces().flatMap(({ ifname }) => {
      const use = this.#options.useByHost(ifname);
      return use === undefined ? [] : `${ifname}: ${use.message}`;
    });
    const lacks = [...this.#options.problems(), ...uses, ...down.map(downProblem)];
    // A monitor that reads the state alone must see that a group is not as configured.
    const state = groupsState === 'ok' && lacks.length > 0 ? 'degraded' : groupsState;
    const problems = [...lacks, ...this.#options.surfaceProblems()];
    return { state, version, uptime_s: uptimeS, problems, groups, signature };
  }

  /** Each of the five takes its copy before it waits for a turn: all are of this one. */
  async snapshot(): Promise<SnapshotRow> {
    const { system, nowMs, wallTime } = this.#options;
    const { signature } = system.describeStatus();
    const time = wallTime(nowMs());
    const [groups, interfaces, addresses, multicast, targets] = await Promise.all([
      this.groups(),
      this.interfaces(),
      this.addresses(),
      this.multicast(),
      this.targets(),
    ]);
    return { time, signature, groups, interfaces, addresses, multicast, targets };
  }

  async groups(): Promise<readonly GroupRow[]> {
    return this.#options.system.describeGroups();
  }

  async interfaces(): Promise<readonly InterfaceRow[]> {
    const { system, isUnanswered } = this.#options;
    return system.describeInterfaces().map((row) => {
      return { ...row, unanswered: isUnanswered(row.ifname), cause_text: this.#causeOf(row) };
    });
  }

  /** What is there and cannot be used must not be called absent, nor what is shared go unsaid. */
  #causeOf({ ifname, state, cause_text }: InterfaceView): string {
    const { refusalOf, useByHost } = this.#options;
    if (state !== 'absent') {
      const use = useByHost(ifname);
      return use === undefined ? cause_text : `${cause_text}; ${use.message}`;
    }
    const refusal = refusalOf(ifname);
    const isThere = refusal !== undefined && refusal.code !== 'ENODEV';
    return isThere ? `${refusal.message} (${refusal.code})` : cause_text;
  }

  async addresses(): Promise<readonly AddressRow[]> {
    return await mapInTurns(this.#options.system.takeAddresses(), (row) => row);
  }

  async neighbors(): Promise<readonly NeighborRow[]> {
    return await mapInTurns(this.#options.system.takeNeighbors(), (row) => row);
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
    const entries = configEntries(this.#options.store.effective, configSchema());
    return await mapInTurns(entries, (row) => row);
  }

  async checkConfig(file: string, text: string): Promise<ConfigCheckRow> {
    const result = configFromSources([{ file, text }]);
    return { errors: 'errors' in result ? result.errors.map(configErrorFormat) : [] };
  }

  subscribe(listener: (event: EventRow) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Rows are taken after the drivers have answered, so that they are of one moment. */
  async metrics(): Promise<MetricsSnapshot> {
    const { system, version } = this.#options;
    const records = await this.kstats(() => true);
    const data = new Map(records.map((record) => [`${record.module}:${record.name}`, record.data]));
    const dataOf = (module: string, name: string): KstatData | undefined =>
      data.get(`${module}:${name}`);
    const addresses = system.takeAddresses();
    const rest = {
      version,
      groups: system.describeGroups().map((row) => ({
        group: row.group,
        state: row.state,
        interfaces: row.interfaces.length,
        active: row.active.length,
        failureDetectionSeconds: row.fdt_ms / 1000,
        // The kstat of a group bears the name of its device, whatever the group is called.
        statistics: dataOf('ipmp', row.ifname),
      })),
      interfaces: system.describeInterfaces().map((row) => ({
        ifname: row.ifname,
        group: row.group,
        state: row.state,
        isLinkUp: row.link !== 'down' && row.state !== 'absent',
        statistics: dataOf('link', row.ifname),
      })),
      failovers: system.describeFailovers(),
      drops: dataOf('ipmpd', 'drops') ?? {},
    };
    return { ...rest, addresses: await addressesOf(addresses) };
  }

  readiness(): Readiness {
    return this.#options.readiness();
  }

  /** Calls all listeners with a change of state. */
  publish(event: SystemEvent): void {
    const { atMs, ...rest } = event;
    const time = this.#options.wallTime(atMs);
    this.#giveToListeners({ time, ...rest, version: EVENT_VERSION });
  }

  /** Calls all listeners with a change of the configuration. */
  publishNews({ event, cause, detail }: ConfigurationNews, atMs: number): void {
    const time = this.#options.wallTime(atMs);
    this.#giveToListeners({ time, event, ...EVENT_OF_NOTHING, cause, detail });
  }

  #giveToListeners(row: EventRow): void {
    for (const listener of this.#listeners) {
      try {
        listener(row);
      } catch (error) {
        this.#options.onFailure(error);
      }
    }
  }
}

/** The data addresses among `rows`, which were copied together with everything else. */
async function addressesOf(rows: Iterable<AddressRow>): Promise<MetricsSnapshot['addresses']> {
  const made = await mapInTurns(rows, ({ group, type, address, inbound }) =>
    group === null || type !== 'data' ? [] : [{ group, address, inbound }],
  );
  return made.flat();
}

/** What is set down is neither answered for nor served. */
function downProblem(device: string): string {
  return `${device} is set down (ip link set ${device} up)`;
}
