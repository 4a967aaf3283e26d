/** What a demonstration showed, and whether it was right: each claim with its figure and limit. */

import type { EchoSummary } from './measure/echo-record.ts';
import type { TransferEnd } from './measure/measure.ts';

/** One claim of the summary. */
export interface Claim {
  readonly isRight: boolean;
  readonly text: string;
}

/** Everything that was measured. Byte offsets are those of the receiver. */
export interface Measured {
  readonly pingsAnswered: number;
  readonly pingsSent: number;
  readonly echo: EchoSummary;
  readonly sent: TransferEnd;
  readonly received: TransferEnd;
  readonly transferMs: number;
  readonly cutOffset: number;
  readonly repairOffset: number;
  readonly stateAtEnd: string;
  readonly activeAtEnd: readonly string[];
  readonly members: readonly string[];
}

/** Ours: a single cut on a machine that may be busy; the tests ask for 10 ms in the median. */
export const MAX_FAILOVER_GAP_MS = 100;
/** Ours: with shorter transfers a stalled connection looks like a quick one. */
export const MIN_TRANSFER_MS = 5000;

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;
const ms = (value: number): string => `${value.toFixed(1)} ms`;

/** The claims in the order in which they are printed. */
export function judge(measured: Measured): Claim[] {
  return [ping(measured), ...transfer(measured), ...echo(measured), group(measured)];
}

function ping({ pingsAnswered, pingsSent }: Measured): Claim {
  return {
    isRight: pingsAnswered === pingsSent && pingsSent > 0,
    text: `ping through the group: ${pingsAnswered} of ${pingsSent} answered`,
  };
}

function transfer(measured: Measured): Claim[] {
  const { sent, received, transferMs, cutOffset, repairOffset } = measured;
  const isInside = cutOffset > 0 && cutOffset <= repairOffset && repairOffset < received.bytes;
  const isWhole = sent.bytes === received.bytes && sent.sha256 === received.sha256;
  return [
    {
      isRight: isWhole,
      text:
        `TCP: ${sent.bytes} bytes sent, ${received.bytes} received, SHA-256 ` +
        `${isWhole ? 'equal' : 'DIFFERENT'} (${received.sha256.slice(0, 16)}…)`,
    },
    {
      isRight: isInside && transferMs >= MIN_TRANSFER_MS,
      text:
        `TCP lasted ${(transferMs / 1000).toFixed(1)} s; cut at byte ${cutOffset} ` +
        `(${megabytes(cutOffset)}), repair at byte ${repairOffset} (${megabytes(repairOffset)})`,
    },
  ];
}

function echo({ echo: summary }: Measured): Claim[] {
  const cut = summary.windows.find((window) => window.label === 'cut');
  const repair = summary.windows.find((window) => window.label === 'repair');
  if (cut === undefined || repair === undefined) {
    return [{ isRight: false, text: 'the echo stream saw no cut and no repair' }];
  }
  const perSecond = `${summary.sent} echo requests at 1000 a second`;
  return [
    {
      isRight: cut.longestGapMs <= MAX_FAILOVER_GAP_MS && cut.sent > 0,
      text: `failover: ${cut.lost} packets lost, longest gap ${ms(cut.longestGapMs)}`,
    },
    {
      isRight: repair.lost === 0 && repair.longestGapMs <= MAX_FAILOVER_GAP_MS,
      text: `repair: ${repair.lost} packets lost, longest gap ${ms(repair.longestGapMs)}`,
    },
    {
      isRight: summary.duplicates === 0 && summary.lost === cut.lost + repair.lost,
      text: `${perSecond}: ${summary.lost} lost, ${summary.duplicates} answered twice`,
    },
  ];
}

function group({ stateAtEnd, activeAtEnd, members }: Measured): Claim {
  return {
    isRight: stateAtEnd === 'ok' && activeAtEnd.length === members.length,
    text: `group at the end: ${stateAtEnd}, active: ${activeAtEnd.join(' ') || 'none'}`,
  };
}

/** The claim about the daemon's orderly stop. */
export function judgeStop(daemonExit: number | string, leftBehind: readonly string[]): Claim {
  return {
    isRight: daemonExit === 0 && leftBehind.length === 0,
    text:
      `ipmpd stopped with exit status ${daemonExit}; left behind in the host: ` +
      `${leftBehind.join(', ') || 'nothing'}`,
  };
}

/** A claim as a line of the summary. */
export function claimLine({ isRight, text }: Claim): string {
  return `  ${isRight ? 'ok   ' : 'WRONG'} ${text}`;
}
