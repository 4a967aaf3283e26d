/** What one LAN counts; flat, read by the kstats of its owner. Frames that end here without being
 * used are counted by their reason instead (stats/drop-reasons.ts). */

export class LanCounters {
  /** Frames given to the Lan; equal `used` plus the drops it reported. */
  framesFromWire = 0;
  framesFromHost = 0;
  /** Frames that were answered, learnt from, handed on, or defended against. */
  framesUsed = 0;
  /** Questions to everybody, and to one known MAC. */
  questionsSent = 0;
  verificationsSent = 0;
  /** Questions left unsent because the NIC's rate was used up. */
  questionsSuppressed = 0;
  /** Requests of the wire answered. */
  wireAnswers = 0;
  /** Requests of the host answered. */
  hostAnswers = 0;
  /** Replies sent to the host because a neighbour's MAC changed. */
  hostTold = 0;
  /** Neighbours that changed their MAC, and neighbours that never answered. */
  neighborMoves = 0;
  neighborFailures = 0;
  /** Detection: probes and announcements sent, conflicts seen, defences made. */
  detectionProbes = 0;
  announcements = 0;
  conflicts = 0;
  defences = 0;
  /** Echo requests to the stack's own addresses answered. */
  echoReplies = 0;
}
