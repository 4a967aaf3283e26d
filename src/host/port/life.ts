/**
 * The life of a device as a table: of a NIC and of a group's device on the host's side
 * (interfaces.ts, group/devices.ts), and of either with the workers (daemon/devices.ts).
 *
 * `-`: the state alone changes. `*`: it changes, and a step begins or the level above is called.
 * `.`: nothing changes. `!`: impossible.
 *
 *            open      opened   refused   news      lost     close     closed    forget
 *   absent   opening*  !        !         waiting*  .        .         !         gone-
 *   waiting  opening*  !        !         suggest   absent-  .         !         gone-
 *   refused  opening*  !        !         suggest   absent-  .         !         gone-
 *   opening  refuse    open-    refused-  keep      keep     !         open it   gone-
 *   open     refuse    !        !         tell      lost*    closing*  !         gone*
 *   lost     refuse    !        !         .         .        closing*  !         gone*
 *   closing  opening-  !        !         suggest   .        .         waiting-  gone-
 *   gone     refuse    close    .         .         .        .         .         .
 *
 * An `open` while the device is being closed waits: it is opened when that is done.
 *
 * Invariants
 * 1. A port holds its descriptors and its changes in the journal exactly in `open` and `lost`; what
 *    takes them gives them back, or hands them over.
 * 2. A step begins when none is under way, or at the end of one.
 * 3. Nothing leaves `gone`: what is opened there is closed again.
 */

import { assert } from '../../base/assert.ts';
import { OperatorError } from '../../base/errors.ts';
import type { Device } from './tap.ts';

/** Ours: how long after a refusal without a sign of change the next attempt is suggested. */
const RETRY_MS = 5000;

export const LIFE_STATES = [
  'absent' /* what it needs is not there */,
  'waiting' /* to be opened */,
  'refused' /* waiting, after an attempt that was refused */,
  'opening',
  'open',
  'lost' /* open, and its device or what that needs is gone */,
  'closing',
  'gone' /* given back for good, or about to be */,
] as const;
export type LifeState = (typeof LIFE_STATES)[number];

export const LIFE_EVENTS = [
  'open' /* request: a step begins, which waits for the kernel */,
  'opened' /* its end */,
  'refused' /* its other end */,
  'news' /* report about the device, or about the NIC or bridge that it needs */,
  'lost' /* one of them is not there */,
  'close' /* request: a step begins */,
  'closed' /* its end */,
  'forget' /* request: closed for good, when no step is under way */,
] as const;
export type LifeEvent = (typeof LIFE_EVENTS)[number];

/** What the owner does on a transition; `impossible` asserts. */
export type LifeAction =
  | 'none'
  | 'impossible'
  | 'open' /* begin to open it */
  | 'close' /* begin to close it */
  | 'refuse' /* refuse the request */
  | 'suggest' /* the level above may open it */
  | 'keep' /* handle the event again when the device is open */
  | 'tell' /* pass the news on */
  | 'report' /* report the loss: the level above closes it */;

/** One cell of the table. */
export interface LifeCell {
  readonly next: LifeState;
  readonly action: LifeAction;
  readonly why: string;
}

type LifeRow = Readonly<Record<LifeEvent, LifeCell>>;

function cell(next: LifeState, action: LifeAction, why: string): LifeCell {
  return { next, action, why };
}

/** In `state` no step is under way that could end. */
function noStep(state: LifeState) {
  const impossible = cell(state, 'impossible', 'no such step is under way');
  return { opened: impossible, refused: impossible, closed: impossible };
}

/** Nothing is held, and no step is under way: news suggest an attempt. */
function rowOfIdle(state: LifeState, afterNews = state): LifeRow {
  return {
    ...noStep(state),
    open: cell('opening', 'open', 'it may be opened'),
    news: cell(afterNews, 'suggest', 'what it needs, or what refused it, may have changed'),
    lost: cell('absent', 'none', 'what it needs is not there'),
    close: cell(state, 'none', 'it is not open'),
    forget: cell('gone', 'none', GIVEN_BACK),
  };
}

const LATER = 'it counts when the device is open';
const LOST = 'its device is gone';
const GIVEN_BACK = 'it was given back';
const STAYS_GONE = cell('gone', 'none', GIVEN_BACK);

export const LIFE_TABLE: Readonly<Record<LifeState, LifeRow>> = {
  absent: rowOfIdle('absent', 'waiting'),
  waiting: rowOfIdle('waiting'),
  refused: rowOfIdle('refused'),
  opening: {
    open: cell('opening', 'refuse', 'it is being opened'),
    opened: cell('open', 'none', 'it was opened'),
    refused: cell('refused', 'none', 'it was refused'),
    news: cell('opening', 'keep', LATER),
    lost: cell('opening', 'keep', LATER),
    close: cell('opening', 'impossible', 'it is not open'),
    closed: cell('opening', 'open', 'its close, for which this waited, is done'),
    forget: cell('gone', 'none', GIVEN_BACK),
  },
  open: {
    ...noStep('open'),
    open: cell('open', 'refuse', 'it is open'),
    news: cell('open', 'tell', 'it may have changed'),
    lost: cell('lost', 'report', LOST),
    close: cell('closing', 'close', 'to be closed'),
    forget: cell('gone', 'close', GIVEN_BACK),
  },
  lost: {
    ...noStep('lost'),
    open: cell('lost', 'refuse', 'it is not closed yet'),
    news: cell('lost', 'none', LOST),
    lost: cell('lost', 'none', LOST),
    close: cell('closing', 'close', LOST),
    forget: cell('gone', 'close', GIVEN_BACK),
  },
  closing: {
    ...noStep('closing'),
    open: cell('opening', 'none', 'it is opened when it is closed'),
    news: cell('closing', 'suggest', 'it may be opened when it is closed'),
    lost: cell('closing', 'none', LOST),
    close: cell('closing', 'none', 'it is being closed'),
    closed: cell('waiting', 'none', 'it was closed'),
    forget: cell('gone', 'none', GIVEN_BACK),
  },
  gone: {
    open: cell('gone', 'refuse', GIVEN_BACK),
    opened: cell('gone', 'close', 'it was given back while it was being opened'),
    refused: STAYS_GONE,
    news: STAYS_GONE,
    lost: STAYS_GONE,
    close: STAYS_GONE,
    closed: STAYS_GONE,
    forget: STAYS_GONE,
  },
};

/** One device's life. */
export class Life {
  readonly name: string;
  state: LifeState = 'waiting';

  constructor(name: string) {
    this.name = name;
  }
}

/** The one transition: looks the cell up, asserts that it can happen and takes its state. */
export function transition(life: Life, event: LifeEvent): LifeCell {
  const found = LIFE_TABLE[life.state][event];
  assert(found.action !== 'impossible', `${life.name} ${life.state}: ${event}: ${found.why}`);
  life.state = found.next;
  return found;
}

/** What an open port has, to be given back or handed over. */
export interface Held {
  /** Its descriptors. */
  readonly device: Device;
  /** The name under which the journal has its changes. */
  readonly holder: string;
}

/** A life on the host's side. */
export class Port<H extends Held> extends Life {
  #held: H | undefined;
  #retryAtMs = Number.POSITIVE_INFINITY;

  /** Its descriptors and changes, in `open` and `lost`. */
  get held(): H | undefined {
    return this.#held;
  }

  /** An attempt begins. EALREADY: it is open, or another attempt is under way. */
  begin(): void {
    const { action, why } = transition(this, 'open');
    if (action === 'refuse') throw new OperatorError('EALREADY', `${this.name}: ${why}`);
  }

  /** The attempt was refused. */
  refuse(nowMs: number): void {
    transition(this, 'refused');
    this.retryLater(nowMs);
  }

  /** The attempt succeeded; false if the port is gone, and `held` is to be given back. */
  hold(held: H): boolean {
    if (transition(this, 'opened').action === 'close') return false;
    this.#held = held;
    return true;
  }

  /** The port is closed, for good or not: what it held is the caller's. */
  take(event: 'close' | 'forget'): H | undefined {
    transition(this, event);
    const held = this.#held;
    this.#held = undefined;
    return held;
  }

  /** True if another attempt is due without news. */
  isDue(nowMs: number): boolean {
    return nowMs >= this.#retryAtMs;
  }

  /** An attempt was suggested or refused: without news, the next one is due a while later. */
  retryLater(nowMs: number): void {
    this.#retryAtMs = nowMs + RETRY_MS;
  }
}
