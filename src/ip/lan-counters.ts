/**
 * What one LAN counts; flat, read by the kstats of its owner.
 *
 * Two laws hold after every call. Of the frames given to a Lan each has one end: framesFromWire +
 * framesFromHost = framesAnswered + framesConsumed + the drops that it reported. Of the frames that
 * it sends each is counted under the one cause that made it: questionsSent, verificationsSent,
 * wireAnswers, hostAnswers, hostTold, handedUp, detectionProbes, announcements, routerMessages,
 * membershipQueries, listenerReports, echoReplies.
 */

import { keysOf } from '../base/keys.ts';
import type { DropReason } from '../stats/drop-reasons.ts';

/**
 * How a frame given to a Lan ended. `answered`: a reply to this very frame was sent at once.
 * `consumed`: it was learnt from, heeded, handed up, or taken as a question that is answered when
 * the neighbour has answered. Else dropped, for that reason.
 */
export type FrameEnd = 'answered' | 'consumed' | DropReason;

export class LanCounters {
  /** Frames given to the Lan. */
  framesFromWire = 0;
  framesFromHost = 0;
  framesAnswered = 0;
  framesConsumed = 0;
  /** Broadcast questions, and questions to one known MAC. */
  questionsSent = 0;
  verificationsSent = 0;
  /** Questions left unsent because the NIC's rate was used up. */
  questionsSuppressed = 0;
  /** Requests of the wire answered. */
  wireAnswers = 0;
  /** Requests of the host answered. */
  hostAnswers = 0;
  /** Sent to the host unasked: a neighbour's MAC changed, or another station has its address. */
  hostTold = 0;
  /** Frames that were handed to a detecting program of the host, and MLD queries to its kernel. */
  handedUp = 0;
  /** Neighbours that changed their MAC, and neighbours that never answered. */
  neighborMoves = 0;
  neighborFailures = 0;
  /** Detection: probes and announcements sent, conflicts seen, defences (by announcement) made. */
  detectionProbes = 0;
  announcements = 0;
  conflicts = 0;
  defences = 0;
  /** Questions to the host's kernel about its multicast memberships. */
  membershipQueries = 0;
  /** Router solicitations and advertisements passed on between host and wire. */
  routerMessages = 0;
  /** Reports of the groups of our own IPv6 addresses. */
  listenerReports = 0;
  /** Echo requests to the stack's own addresses answered. */
  echoReplies = 0;
}

/** How full the neighbour caches are. */
export interface NeighborCounts {
  readonly entries: number;
  /** Of them, those that are being asked for the first time. */
  readonly incomplete: number;
  readonly limit: number;
}

/** Adds every counter of `other` to `sum`. */
export function lanCountersAdd(sum: LanCounters, other: Readonly<LanCounters>): void {
  for (const name of keysOf(other)) sum[name] += other[name];
}
