/**
 * The text of `/metrics` (contract 7), made from one snapshot.
 *
 * Our counters are absolute already, so nothing is incremented here: a rendering shows what is in
 * its snapshot and nothing else. prom-client adds what the process itself uses. Labels come
 * from configured names and closed lists only, so what arrives from the wire adds no series (T23).
 * Names follow prometheus.io/docs/practices/naming and, for groups, the shape of node_exporter's
 * bonding metrics.
 *
 * A snapshot is a flat copy, so rendering it may take several turns: between them frames and events
 * are handled. As many as its series need and no more: on a crowded machine a turn may take long.
 */

import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { inTurns, nextTurn, ROWS_A_TURN } from '../base/turns.ts';
import type { Cause } from '../model/causes.ts';
import { GROUP_STATES, INTERFACE_STATES } from '../model/states.ts';
import { DATAPATH_DROP_REASONS, IP_DROP_REASONS } from './drop-reasons.ts';
import { labelText, MetricFamily } from './exposition.ts';
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

/**
 * Why a member is taken out of use. Each is a series of every member from the beginning, at 0: a
 * counter that is born at 1 hides its first step from rate() and increase().
 */
export const FAILOVER_CAUSES = [
  'link-down',
  'device-vanished',
  'duplicate-mac',
] as const satisfies readonly Cause[];

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

/** Gauges of prom-client with the suffix of a counter; they exist there without it as well. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

/** All families of ours, in the order in which they are shown: name, type, help. */
const FAMILIES: readonly (readonly [string, 'counter' | 'gauge', string])[] = [
  ['ipmpd_build_info', 'gauge', 'The version of ipmpd'],
  ['ipmpd_event_loop_lag_seconds', 'gauge', 'Largest lag since the last collection'],
  ['ipmp_group_interfaces', 'gauge', 'Interfaces of the group'],
  ['ipmp_group_interfaces_active', 'gauge', 'Interfaces that may carry data'],
  ['ipmp_group_failure_detection_seconds', 'gauge', 'Time to detect a failure'],
  ['ipmp_group_state', 'gauge', '1 for the state that the group is in, else 0'],
  ['ipmp_interface_state', 'gauge', '1 for the state that the interface is in, else 0'],
  ['ipmp_interface_link_up', 'gauge', '1 while the link is up'],
  [
    'ipmp_address_bound',
    'gauge',
    '1 with the interface that the address is bound to, 0 while it is unbound',
  ],
  ['ipmp_failovers_total', 'counter', 'Times that an interface was taken out of use'],
  ['ipmp_drops_total', 'counter', 'Frames dropped, by reason'],
  ...trafficFamilies('group'),
  ...trafficFamilies('interface'),
];

function trafficFamilies(what: string) {
  return TRAFFIC.map(
    ([name, , help]) =>
      [`ipmp_${what}_${name}_total`, 'counter', `${help} by the ${what}`] as const,
  );
}

/** Renders snapshots; made once, since it also watches the process. */
export class MetricsRenderer {
  readonly #process = new Registry();
  readonly #lag: IntervalHistogram;

  constructor() {
    collectDefaultMetrics({ register: this.#process });
    for (const name of MISNAMED) this.#process.removeSingleMetric(name);
    this.#lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
    this.#lag.enable();
  }

  /** The exposition text of one snapshot. */
  async render(snapshot: MetricsSnapshot): Promise<string> {
    const rendering = new Rendering();
    rendering.set('ipmpd_build_info', labelText({ version: snapshot.version }), 1);
    rendering.set('ipmpd_event_loop_lag_seconds', '', this.#takeLagSeconds());
    for (const reason of [...DATAPATH_DROP_REASONS, ...IP_DROP_REASONS]) {
      const count = snapshot.drops[reason] ?? 0n;
      rendering.set('ipmp_drops_total', labelText({ reason }), BigInt(count));
    }
    await inTurns(shown(snapshot.groups), (row) => rendering.setGroup(row));
    await inTurns(shown(snapshot.interfaces), (row) => rendering.setInterface(row));
    await inTurns(shown(snapshot.addresses), (row) => rendering.setAddress(row));
    await inTurns(shown(failoversOf(snapshot)), (row) => rendering.setFailovers(row));
    return (await rendering.text()) + (await this.#process.metrics());
  }

  /** Stops to watch the process. */
  close(): void {
    this.#lag.disable();
  }

  #takeLagSeconds(): number {
    const largestNs = this.#lag.max;
    this.#lag.reset();
    const seconds = largestNs / 1e9 - LAG_RESOLUTION_MS / 1000;
    return Number.isFinite(seconds) ? Math.max(0, seconds) : 0;
  }
}

/** One text in the making. */
class Rendering {
  readonly #families = new Map(
    FAMILIES.map(([name, type, help]) => [name, new MetricFamily(name, type, help)]),
  );

  set(name: string, labels: string, value: bigint | number): void {
    this.#families.get(name)?.set(labels, value);
  }

  setGroup(row: GroupMetrics): void {
    const { group } = row;
    const labels = labelText({ group });
    this.set('ipmp_group_interfaces', labels, row.interfaces);
    this.set('ipmp_group_interfaces_active', labels, row.active);
    this.set('ipmp_group_failure_detection_seconds', labels, row.failureDetectionSeconds);
    for (const state of GROUP_STATES) {
      this.set('ipmp_group_state', labelText({ group, state }), row.state === state ? 1 : 0);
    }
    this.#setTraffic('group', labels, row.statistics);
  }

  setInterface(row: InterfaceMetrics): void {
    const names = { interface: row.ifname, group: row.group ?? '' };
    const labels = labelText(names);
    this.set('ipmp_interface_link_up', labels, row.isLinkUp ? 1 : 0);
    for (const state of INTERFACE_STATES) {
      const value = row.state === state ? 1 : 0;
      this.set('ipmp_interface_state', labelText({ ...names, state }), value);
    }
    this.#setTraffic('interface', labels, row.statistics);
  }

  setAddress({ group, address, inbound }: AddressMetrics): void {
    const labels = labelText({ group, address, interface: inbound ?? '' });
    this.set('ipmp_address_bound', labels, inbound === null ? 0 : 1);
  }

  setFailovers({ group, ifname, cause, count }: FailoverMetrics): void {
    this.set('ipmp_failovers_total', labelText({ group, interface: ifname, cause }), count);
  }

  async text(): Promise<string> {
    let text = '';
    let series = 0;
    for (const family of this.#families.values()) {
      text += `${family.text()}\n`;
      series += family.size;
      if (series < ROWS_A_TURN) continue;
      series = 0;
      await nextTurn();
    }
    return text;
  }

  #setTraffic(what: string, labels: string, data: KstatData | undefined): void {
    if (data === undefined) return;
    for (const [name, statistic] of TRAFFIC) {
      this.set(`ipmp_${what}_${name}_total`, labels, BigInt(data[statistic] ?? 0));
    }
  }
}

/** The counted failovers, and those of the members that have not been. */
function failoversOf({ interfaces, failovers }: MetricsSnapshot): FailoverMetrics[] {
  const keyOf = ({ group, ifname, cause }: FailoverMetrics): string =>
    `${group} ${ifname} ${cause}`;
  const counted = new Set(failovers.map(keyOf));
  const none = interfaces.flatMap(({ group, ifname }) =>
    group === null ? [] : FAILOVER_CAUSES.map((cause) => ({ group, ifname, cause, count: 0 })),
  );
  return [...failovers, ...none.filter((row) => !counted.has(keyOf(row)))];
}

/** The rows that have a place in a snapshot. */
function shown<Row>(rows: readonly Row[]): readonly Row[] {
  return rows.slice(0, SERIES_MAX);
}
