/**
 * The text of `/metrics` (contract 7), made by prom-client from one snapshot.
 *
 * Our counters are absolute already, so nothing is incremented here: each rendering sets every
 * series from the snapshot, and a series that is no longer in it is gone. Labels come from
 * configured names and closed lists only, so what arrives from the wire adds no series (T23).
 * Names follow prometheus.io/docs/practices/naming and, for groups, the shape of node_exporter's
 * bonding metrics.
 *
 * Counters are 64-bit. prom-client's own metrics hold doubles and round above 2^53; ours are
 * rendered exactly.
 */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { DATAPATH_DROP_REASONS, IP_DROP_REASONS } from './drop-reasons.ts';
import { ExactCounter, ExactRegistry } from './exact-counter.ts';
import type { KstatData } from './schema.ts';

export interface GroupMetrics {
  readonly group: string;
  readonly state: string;
  readonly interfaces: number;
  readonly active: number;
  readonly failureDetectionSeconds: number;
  /** The fifteen statistics of the group's kstat; undefined if it could not be read. */
  readonly statistics: KstatData | undefined;
}

export interface InterfaceMetrics {
  readonly ifname: string;
  readonly group: string | null;
  readonly state: string;
  readonly isLinkUp: boolean;
  readonly statistics: KstatData | undefined;
}

export interface AddressMetrics {
  readonly group: string;
  readonly address: string;
  /** The interface it is bound to, or null. */
  readonly inbound: string | null;
}

export interface FailoverMetrics {
  readonly group: string;
  readonly ifname: string;
  readonly cause: string;
  readonly count: number | bigint;
}

/** Everything that one scrape shows; flat copies, taken at one time. */
export interface MetricsSnapshot {
  readonly version: string;
  readonly groups: readonly GroupMetrics[];
  readonly interfaces: readonly InterfaceMetrics[];
  readonly addresses: readonly AddressMetrics[];
  readonly failovers: readonly FailoverMetrics[];
  /** The statistics of `ipmpd:0:drops`: reason -> frames; those left out are 0. */
  readonly drops: KstatData;
}

const GROUP_STATES = ['ok', 'degraded', 'failed'] as const;
const INTERFACE_STATES = ['ok', 'failed', 'offline', 'unknown', 'absent'] as const;

/** Series of one metric: beyond them a snapshot is cut off (T23: 5,000 in all). */
const SERIES_MAX = 5000;

/** The rows of the byte, packet and error counters: name part, statistic, help. */
const TRAFFIC = [
  ['receive_bytes', 'rbytes64', 'Bytes received'],
  ['transmit_bytes', 'obytes64', 'Bytes sent'],
  ['receive_packets', 'ipackets64', 'Packets received'],
  ['transmit_packets', 'opackets64', 'Packets sent'],
  ['receive_errors', 'ierrors', 'Packets lost while receiving'],
  ['transmit_errors', 'oerrors', 'Packets lost while sending'],
] as const;

/** Resolution of the event loop's lag: finer costs wake-ups of an idle daemon. */
const LAG_RESOLUTION_MS = 20;

/** Gauges of prom-client with the suffix of a counter; each stands there without it as well. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

/** Renders snapshots; made once, since it also watches the process. */
export class MetricsRenderer {
  readonly #registry = new ExactRegistry();
  readonly #process = new Registry();
  readonly #lag: IntervalHistogram;
  readonly #gauges = new Map<string, Gauge>();
  readonly #counters = new Map<string, ExactCounter>();

  constructor() {
    collectDefaultMetrics({ register: this.#process });
    for (const name of MISNAMED) this.#process.removeSingleMetric(name);
    this.#lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
    this.#lag.enable();
    this.#addOwn();
    this.#addTraffic('group', ['group']);
    this.#addTraffic('interface', ['interface', 'group']);
  }

  /** The exposition text of one snapshot. */
  async render(snapshot: MetricsSnapshot): Promise<string> {
    for (const gauge of this.#gauges.values()) gauge.reset();
    for (const counter of this.#counters.values()) counter.reset();
    this.#set('ipmpd_build_info', { version: snapshot.version }, 1);
    this.#set('ipmpd_event_loop_lag_seconds', {}, this.#takeLagSeconds());
    for (const row of snapshot.groups.slice(0, SERIES_MAX)) this.#setGroup(row);
    for (const row of snapshot.interfaces.slice(0, SERIES_MAX)) this.#setInterface(row);
    for (const { group, address, inbound } of snapshot.addresses.slice(0, SERIES_MAX)) {
      const labels = { group, address, interface: inbound ?? '' };
      this.#set('ipmp_address_bound', labels, inbound === null ? 0 : 1);
    }
    for (const { group, ifname, cause, count } of snapshot.failovers.slice(0, SERIES_MAX)) {
      this.#count('ipmp_failovers_total', { group, interface: ifname, cause }, BigInt(count));
    }
    for (const reason of [...DATAPATH_DROP_REASONS, ...IP_DROP_REASONS]) {
      this.#count('ipmp_drops_total', { reason }, BigInt(snapshot.drops[reason] ?? 0));
    }
    return (await this.#registry.metrics()) + (await this.#process.metrics());
  }

  /** Stops to watch the process. */
  close(): void {
    this.#lag.disable();
  }

  #addOwn(): void {
    const group = ['group'];
    const stateOf = (what: string): string => `1 for the state that the ${what} is in, else 0`;
    this.#addGauge('ipmpd_build_info', 'The version of ipmpd', ['version']);
    this.#addGauge('ipmpd_event_loop_lag_seconds', 'Largest lag since the last collection', []);
    this.#addGauge('ipmp_group_interfaces', 'Interfaces of the group', group);
    this.#addGauge('ipmp_group_interfaces_active', 'Interfaces that may carry data', group);
    this.#addGauge('ipmp_group_failure_detection_seconds', 'Time to detect a failure', group);
    this.#addGauge('ipmp_group_state', stateOf('group'), ['group', 'state']);
    this.#addGauge('ipmp_interface_state', stateOf('interface'), ['interface', 'group', 'state']);
    this.#addGauge('ipmp_interface_link_up', '1 while the link is up', ['interface', 'group']);
    const bound = '1 with the interface that the address is bound to, 0 while it is unbound';
    this.#addGauge('ipmp_address_bound', bound, ['group', 'address', 'interface']);
    const failovers = 'Times that an interface was taken out of use';
    this.#addCounter('ipmp_failovers_total', failovers, ['group', 'interface', 'cause']);
    this.#addCounter('ipmp_drops_total', 'Frames dropped, by reason', ['reason']);
  }

  #addTraffic(what: string, labelNames: string[]): void {
    for (const [name, , help] of TRAFFIC) {
      this.#addCounter(`ipmp_${what}_${name}_total`, `${help} by the ${what}`, labelNames);
    }
  }

  #addGauge(name: string, help: string, labelNames: string[]): void {
    const gauge = new Gauge({ name, help, labelNames, registers: [this.#registry] });
    this.#gauges.set(name, gauge);
  }

  #addCounter(name: string, help: string, labelNames: string[]): void {
    const counter = new ExactCounter(name, help, labelNames);
    this.#registry.registerExact(counter);
    this.#counters.set(name, counter);
  }

  #set(name: string, labels: Record<string, string>, value: number): void {
    this.#gauges.get(name)?.set(labels, value);
  }

  #count(name: string, labels: Record<string, string>, value: bigint): void {
    this.#counters.get(name)?.set(labels, value);
  }

  #setGroup(row: GroupMetrics): void {
    const { group } = row;
    this.#set('ipmp_group_interfaces', { group }, row.interfaces);
    this.#set('ipmp_group_interfaces_active', { group }, row.active);
    this.#set('ipmp_group_failure_detection_seconds', { group }, row.failureDetectionSeconds);
    for (const state of GROUP_STATES) {
      this.#set('ipmp_group_state', { group, state }, row.state === state ? 1 : 0);
    }
    this.#setTraffic('group', { group }, row.statistics);
  }

  #setInterface(row: InterfaceMetrics): void {
    const labels = { interface: row.ifname, group: row.group ?? '' };
    this.#set('ipmp_interface_link_up', labels, row.isLinkUp ? 1 : 0);
    for (const state of INTERFACE_STATES) {
      this.#set('ipmp_interface_state', { ...labels, state }, row.state === state ? 1 : 0);
    }
    this.#setTraffic('interface', labels, row.statistics);
  }

  #setTraffic(what: string, labels: Record<string, string>, data: KstatData | undefined): void {
    if (data === undefined) return;
    for (const [name, statistic] of TRAFFIC) {
      this.#count(`ipmp_${what}_${name}_total`, labels, BigInt(data[statistic] ?? 0));
    }
  }

  #takeLagSeconds(): number {
    const largestNs = this.#lag.max;
    this.#lag.reset();
    const seconds = largestNs / 1e9 - LAG_RESOLUTION_MS / 1000;
    return Number.isFinite(seconds) ? Math.max(0, seconds) : 0;
  }
}
