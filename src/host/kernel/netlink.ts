/**
 * Requests to the kernel over one netlink socket: numbered, and answered in order.
 *
 * A request is never given up. The kernel works on it from the moment it is sent, and answers when
 * it is done with it: after a few microseconds as a rule, after many seconds while its
 * configuration lock is held by others. A time-out could only report as failed what succeeds
 * later. So a request that takes long is reported as late, once (each try of a dump by itself), and
 * its answer as usual; the caller decides how long it waits for something else. Modelled in
 * test/model/main-thread.pml.
 *
 * One request is under way at a time, the rest wait in a queue: a second dump on one socket would
 * be refused (EBUSY), and an order that follows from the program is easier to reason about than
 * one that follows from the kernel. An urgent request goes to the head of the queue.
 *
 * The answer to a dump is of any length: it is worked on in turns, and the next request follows
 * when all of it is.
 *
 * A dump that the kernel could not keep consistent (NLM_F_DUMP_INTR) is asked for again. What
 * belongs to no pending request (the rest of one that ran out of time) is ignored.
 */

import { isErrorCode, OperatorError } from '../../base/errors.ts';
import { assertNoOpenRegion } from '../../base/lock.ts';
import { inTurns } from '../../base/turns.ts';
import { errnoName, failedWith } from '../../native/addon.ts';
import type { Clock } from '../../process/clock.ts';
import { type LateHandler, reportingLate } from '../../process/late.ts';
import {
  type Answer,
  answerParse,
  dumpEndParse,
  type Message,
  messageEmit,
  messagesOf,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  type Request,
} from './netlink-message.ts';

/** Ours: tries of a dump; then the caller gets EAGAIN. */
const DUMP_ATTEMPTS = 8;

/** Requests that may wait: more than any start-up asks, few enough to notice a runaway. */
const QUEUE_LIMIT = 65536;

/** A socket for requests, as transport.ts or a test provides it. */
export interface NetlinkTransport {
  /**
   * Sends one datagram, on another thread. The result is all that the kernel answers, one or more
   * messages in a buffer that is the caller's from then on. It fails if the kernel did not take
   * the datagram, or with ENOBUFS if part of the answer is lost.
   */
  exchange(messages: Uint8Array): Promise<Buffer>;
  /** Waits for the exchange that is under way: the kernel may not be interrupted in it. */
  close(): Promise<void>;
}

/** Opens a socket of `protocol` for requests. */
export type OpenTransport = (protocol: number) => Promise<NetlinkTransport>;

interface Pending {
  readonly what: string;
  readonly requests: readonly Request[];
  readonly settle: (error: OperatorError | undefined, replies: Buffer[]) => void;
  attempts: number;
  firstSequence: number;
  lastSequence: number;
  replies: Buffer[];
  error: OperatorError | undefined;
  isInterrupted: boolean;
  /** An answer for the last request has come. */
  isAnswered: boolean;
}

/** The error for an errno of the kernel (positive) met by `what`. */
function kernelError(errno: number, what: string, text = ''): OperatorError {
  const name = errnoName(errno);
  // ESRCH is the kernel's answer for a route that is not there.
  const code = name === 'ESRCH' ? 'ENOENT' : name;
  const detail = text === '' ? '' : ` (${text})`;
  const message = `${what}: the kernel says ${name}${detail}`;
  return new OperatorError(isErrorCode(code) ? code : 'EIO', message);
}

/** A queue of requests over one socket. */
export class NetlinkClient {
  readonly #transport: NetlinkTransport;
  readonly #clock: Clock;
  readonly #onLate: LateHandler;
  readonly #queue: Pending[] = [];
  #current: Pending | undefined;
  #sequence = 0;
  #isClosed = false;

  private constructor(transport: NetlinkTransport, clock: Clock, onLate: LateHandler) {
    this.#transport = transport;
    this.#clock = clock;
    this.#onLate = onLate;
  }

  /** Opens the socket. `onLate` is called for what takes longer than LATE_MS. */
  static async open(
    open: OpenTransport,
    protocol: number,
    clock: Clock,
    onLate: LateHandler = () => undefined,
  ): Promise<NetlinkClient> {
    return new NetlinkClient(await open(protocol), clock, onLate);
  }

  /**
   * The bodies that the kernel answers with: none for a change, one for a question about one
   * object, any number for a dump. `what` begins the sentence of an error.
   */
  request(what: string, request: Request, options?: { urgent: boolean }): Promise<Buffer[]> {
    return this.#enqueue(what, [request], options?.urgent ?? false);
  }

  /** Sends several requests as one datagram; the last must ask for an acknowledgement. */
  batch(what: string, requests: readonly Request[]): Promise<Buffer[]> {
    return this.#enqueue(what, requests, false);
  }

  /** Refuses what waits, and closes the socket. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const waiting = [...(this.#current === undefined ? [] : [this.#current]), ...this.#queue];
    this.#queue.length = 0;
    this.#current = undefined;
    for (const pending of waiting) {
      pending.settle(new OperatorError('ECANCELED', `${pending.what}: closing`), []);
    }
    await this.#transport.close();
  }

  #enqueue(what: string, requests: readonly Request[], urgent: boolean): Promise<Buffer[]> {
    if (this.#isClosed) return Promise.reject(new OperatorError('ECANCELED', `${what}: closed`));
    if (this.#queue.length >= QUEUE_LIMIT) {
      return Promise.reject(new OperatorError('ENOBUFS', `${what}: too many requests wait`));
    }
    return new Promise((resolve, reject) => {
      const pending: Pending = {
        what,
        requests,
        settle: (error, replies) => (error === undefined ? resolve(replies) : reject(error)),
        attempts: 0,
        firstSequence: 0,
        lastSequence: 0,
        replies: [],
        error: undefined,
        isInterrupted: false,
        isAnswered: false,
      };
      if (urgent) this.#queue.unshift(pending);
      else this.#queue.push(pending);
      this.#next();
    });
  }

  #next(): void {
    while (this.#current === undefined) {
      const pending = this.#queue.shift();
      if (pending === undefined) return;
      this.#current = pending;
      void this.#work(pending);
    }
  }

  /** Sends a request, as often as a dump needs it, and settles it by what comes back. */
  async #work(pending: Pending): Promise<void> {
    const error = await this.#exchanges(pending);
    if (this.#current !== pending) return; // closed meanwhile
    this.#current = undefined;
    pending.settle(error ?? outcomeOf(pending), pending.replies);
    this.#next();
  }

  /** As many tries as a dump needs; the result is what kept the kernel's answer from us. */
  async #exchanges(pending: Pending): Promise<OperatorError | undefined> {
    let error: OperatorError | undefined;
    do {
      error = await this.#exchange(pending);
    } while (error === undefined && this.#isToRepeat(pending));
    return error;
  }

  /** One try; the result is what kept the kernel's answer from us. */
  async #exchange(pending: Pending): Promise<OperatorError | undefined> {
    const messages = this.#emit(pending);
    try {
      // The time that we need for the answer does not make the kernel late.
      const call = this.#transport.exchange(messages);
      const answer = await reportingLate(pending.what, this.#clock, this.#onLate, call);
      await inTurns(this.#messagesFor(pending, answer), (message) => {
        handleMessage(pending, message);
      });
      return undefined;
    } catch (error) {
      // Part of the answer is lost: a question is asked again, a change may have been made.
      if (failedWith(error, 'ENOBUFS') && pending.requests.every(isDump)) {
        pending.isInterrupted = true;
        return undefined;
      }
      return transportError(pending.what, error);
    }
  }

  /** The messages of an answer, as long as its request is pending. */
  *#messagesFor(pending: Pending, answer: Buffer): Generator<Message, undefined, undefined> {
    for (const message of messagesOf(answer)) {
      if (this.#current !== pending) return;
      yield message;
    }
  }

  #emit(pending: Pending): Buffer {
    assertNoOpenRegion(pending.what);
    pending.attempts++;
    pending.replies = [];
    pending.error = undefined;
    pending.isInterrupted = false;
    pending.isAnswered = false;
    const parts = pending.requests.map((request) => {
      this.#sequence = (this.#sequence + 1) >>> 0;
      return messageEmit(request, this.#sequence);
    });
    const expecting = pending.requests.findLastIndex(isAnswered);
    pending.lastSequence = this.#sequence - (parts.length - 1 - expecting);
    pending.firstSequence = this.#sequence - (parts.length - 1);
    return Buffer.concat(parts);
  }

  /** A dump that changed while it was read is read again, some times. */
  #isToRepeat(pending: Pending): boolean {
    const isUnstable = pending.isInterrupted && pending.error === undefined;
    return isUnstable && pending.attempts < DUMP_ATTEMPTS && this.#current === pending;
  }
}

/** The result of a request that is not to be repeated, by the messages of its answer. */
function outcomeOf(pending: Pending): OperatorError | undefined {
  const { what, error, isInterrupted, isAnswered: isWhole } = pending;
  if (error !== undefined) return error;
  if (isInterrupted) return new OperatorError('EAGAIN', `${what}: changes while it is read`);
  return isWhole ? undefined : new OperatorError('ENOBUFS', `${what}: the answer was lost`);
}

function handleMessage(pending: Pending, message: Message): void {
  const offset = message.sequence - pending.firstSequence;
  if (offset < 0 || message.sequence > pending.lastSequence) return;
  if ((message.flags & NLM_F_DUMP_INTR) !== 0) pending.isInterrupted = true;
  if (message.type === NLMSG_ERROR) {
    handleAnswer(pending, message, answerParse(message));
  } else if (message.type === NLMSG_DONE) {
    handleAnswer(pending, message, dumpEndParse(message));
  } else {
    pending.replies.push(message.body);
  }
}

function handleAnswer(pending: Pending, message: Message, answer: Answer): void {
  if (answer.errno !== 0) pending.error ??= kernelError(answer.errno, pending.what, answer.text);
  const isLast = message.sequence === pending.lastSequence;
  if (isLast || isWholeRefused(pending, message)) pending.isAnswered = true;
}

/**
 * True if the kernel refuses the first message of a batch: nfnetlink does so for the whole of it
 * (no nf_tables here, no permission, no memory) and answers none of the others.
 */
function isWholeRefused(pending: Pending, message: Message): boolean {
  const isFirst = message.sequence === pending.firstSequence;
  return isFirst && pending.error !== undefined;
}

function isDump(request: Request): boolean {
  return (request.flags & NLM_F_DUMP) === NLM_F_DUMP;
}

/** True if the kernel ends its answer with a message of its own (NLM_F_ACK, or a dump's end). */
function isAnswered(request: Request): boolean {
  return isDump(request) || (request.flags & NLM_F_ACK) !== 0;
}

function transportError(what: string, error: unknown): OperatorError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return new OperatorError(isErrorCode(code) ? code : 'EIO', `${what}: ${String(error)}`);
}
