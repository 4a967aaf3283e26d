/**
 * The daemon's own kstats, and the law of conservation that can be checked with them:
 *
 *   ipmpd:0:datapath   the forwarding path, summed over ports and workers
 *   ipmpd:0:control    the control plane, summed over groups, present and past
 *   ipmpd:0:drops      frames that ended anywhere in the daemon, by reason
 *
 * Beside them worker<N> (datapath, of one worker), neighbors (the neighbour caches), kstats (the
 * chain itself) and witness: its reports by kind, all 0 in a daemon without mistakes.
 *
 * Every frame has one end, and each end is counted where it happens, apart from where the frame
 * came in. While no frame is on its way, all of these are exact:
 *
 *   read       received_wire + received_host       = forwarded + punted + dropped
 *   injected   injected                            = injected_transmitted + injected_dropped
 *   written    transmitted_wire + transmitted_host = forwarded + injected_transmitted
 *   taken      control taken                       = answered + consumed + dropped
 *   sent       control sent                        = the sum of its causes (SENT_CAUSES)
 *   upward     datapath punted                     = control taken
 *   downward   control sent                        = datapath injected + control lost
 *   reasons    the sum of drops = datapath dropped + injected_dropped + control dropped + lost
 *
 * While traffic flows, what a worker has not committed yet and what waits in a ring is missing on
 * one side. datapath `dropped` is the one that is computed: all reasons less injected_dropped.
 */

import { violationCounts } from '../base/witness.ts';
import type { DatapathTotals } from '../datapath/counters.ts';
import { READ_BUDGET_MS } from '../stats/collector.ts';
import {
  DATAPATH_DROP_REASONS,
  type DatapathDropReason,
  type DropReason,
  IP_DROP_REASONS,
} from '../stats/drop-reasons.ts';
import { type KstatChain, MemoryKstat } from '../stats/kstat.ts';
import type { KstatData } from '../stats/schema.ts';
import type { ControlCounters, System } from '../system.ts';

/** Where the kstats are read from. */
export interface KstatSources {
  readonly system: System;
  readonly datapath: {
    totals(): DatapathTotals;
    /** The same of each worker alone; their number is fixed. */
    workerTotals(): readonly DatapathTotals[];
    drops(): ReadonlyMap<DatapathDropReason, bigint>;
  };
  /** Frames of the system for which a worker's queue had no room. */
  readonly lostInjections: () => bigint;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
}

/** Installs the daemon's own kstats in the chain of its system. */
export function installKstats(sources: KstatSources): void {
  const { system, datapath, nowMs } = sources;
  const install = (name: string, copy: () => KstatData): void => {
    const identity = { module: 'ipmpd', instance: 0, name, class: 'misc' };
    system.kstats.install(new MemoryKstat(identity, { crtimeMs: nowMs(), nowMs, copy }));
  };
  install('datapath', () => datapathData(datapath.totals()));
  for (const worker of datapath.workerTotals().keys()) {
    install(`worker${worker}`, () => datapathData(datapath.workerTotals()[worker]!));
  }
  install('control', () => {
    return controlData(system.controlCounters(), sumOf(system.dropCounters()), lostOf(sources));
  });
  install('drops', () => {
    const drops = dropsOf(sources);
    const reasons = [...DATAPATH_DROP_REASONS, ...IP_DROP_REASONS];
    return Object.fromEntries(reasons.map((reason) => [reason, drops.get(reason) ?? 0n]));
  });
  install('neighbors', () => ({ ...system.controlCounters().neighbors }));
  install('kstats', () => chainData(system.kstats));
  install('witness', witnessData);
}

/** The chain's own statistics, and how long a driver may keep a reader waiting. */
function chainData(chain: KstatChain): KstatData {
  return {
    chain_id: chain.id,
    installed: chain.size,
    read_limit_ms: READ_BUDGET_MS,
    readings: chain.readings,
    stale_readings: chain.staleReadings,
  };
}

function witnessData(): KstatData {
  const counts = Object.entries(violationCounts());
  return Object.fromEntries(
    counts.map(([kind, count]) => [kind.replaceAll('-', '_'), BigInt(count)]),
  );
}

/** Frames that ended anywhere in the daemon, by reason; a reason without frames may be absent. */
export function dropsOf(sources: KstatSources): ReadonlyMap<DropReason, bigint> {
  const drops = new Map<DropReason, bigint>(sources.datapath.drops());
  const add = (reason: DropReason, count: bigint): void => {
    drops.set(reason, (drops.get(reason) ?? 0n) + count);
  };
  for (const [reason, count] of sources.system.dropCounters()) add(reason, count);
  add('inject_full', lostOf(sources));
  return drops;
}

/** Frames that the control plane sent and no worker was given. */
function lostOf({ system, lostInjections }: KstatSources): bigint {
  return BigInt(system.lostCounters().frames) + lostInjections();
}

function sumOf(drops: ReadonlyMap<DropReason, bigint>): bigint {
  let sum = 0n;
  for (const count of drops.values()) sum += count;
  return sum;
}

function datapathData(totals: DatapathTotals): KstatData {
  return {
    received_wire: totals.receivedWire,
    received_host: totals.receivedHost,
    forwarded: totals.forwarded,
    punted: totals.punted,
    dropped: totals.dropped,
    injected: totals.injected,
    injected_transmitted: totals.injectedTransmitted,
    injected_dropped: totals.injectedDropped,
    transmitted_wire: totals.transmittedWire,
    transmitted_host: totals.transmittedHost,
  };
}

/** The statistics of `control` that make up its `sent`. */
export const SENT_CAUSES = [
  'questions',
  'verifications',
  'wire_answers',
  'host_answers',
  'host_told',
  'handed_up',
  'detection_probes',
  'announcements',
  'router_messages',
  'membership_queries',
  'listener_reports',
  'echo_replies',
] as const;

function controlData({ taken, sent, lan }: ControlCounters, drops: bigint, lost: bigint) {
  const causes: Record<(typeof SENT_CAUSES)[number], number> = {
    questions: lan.questionsSent,
    verifications: lan.verificationsSent,
    wire_answers: lan.wireAnswers,
    host_answers: lan.hostAnswers,
    host_told: lan.hostTold,
    handed_up: lan.handedUp,
    detection_probes: lan.detectionProbes,
    announcements: lan.announcements,
    router_messages: lan.routerMessages,
    membership_queries: lan.membershipQueries,
    listener_reports: lan.listenerReports,
    echo_replies: lan.echoReplies,
  };
  const counts = {
    taken,
    answered: lan.framesAnswered,
    consumed: lan.framesConsumed,
    sent,
    ...causes,
    questions_suppressed: lan.questionsSuppressed,
    neighbor_moves: lan.neighborMoves,
    neighbor_failures: lan.neighborFailures,
    conflicts: lan.conflicts,
    defences: lan.defences,
  };
  const exact = Object.entries(counts).map(([name, count]) => [name, BigInt(count)] as const);
  return { ...Object.fromEntries(exact), dropped: drops, lost } satisfies KstatData;
}
