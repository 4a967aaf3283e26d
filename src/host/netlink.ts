/**
 * Requests to the kernel over one netlink socket: numbered, answered in order, with a deadline.
 *
 * One request is under way at a time, the rest wait in a queue: a second dump on one socket would
 * be refused (EBUSY), and an order that follows from the program is easier to reason about than
 * one that follows from the kernel. An urgent request goes to the head of the queue.
 *
 * A dump that the kernel could not keep consistent (NLM_F_DUMP_INTR) is asked for again. What
 * belongs to no pending request (the rest of one that ran out of time) is ignored.
 */

import { getSystemErrorName } from 'node:util';
import { isErrorCode, OperatorError } from '../base/errors.ts';
import { assertNoOpenRegion } from '../base/lock.ts';
import type { Clock, Timer } from './clock.ts';
import {
  type Answer,
  answerParse,
  dumpEndParse,
  type Message,
  messageEmit,
  messagesParse,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  type Request,
} from './netlink-message.ts';

/** Ours: how long the kernel may take; it answers from within send() unless it is very busy. */
const ANSWER_TIMEOUT_MS = 5000;

/** Ours: how often a dump is asked for again before the caller hears that it is not stable. */
const DUMP_ATTEMPTS = 8;

/** Requests that may wait: more than any start-up asks, few enough to notice a runaway. */
const QUEUE_LIMIT = 65536;

/**
 * ESRCH is what the kernel says for a route that is not there; ENOTSUP is Node's name for the
 * kernel's EOPNOTSUPP.
 */
const ERRNO_SYNONYMS: Readonly<Record<string, string>> = { ESRCH: 'ENOENT', ENOTSUP: 'EOPNOTSUPP' };

/** The socket beneath, as datapath/native.ts or a test provides it. */
export interface NetlinkTransport {
  /** Sends one datagram; throws if the kernel does not take it. */
  send(bytes: Uint8Array): void;
  close(): void;
}

/** What a transport calls. */
export interface TransportHandlers {
  /** Received messages, one or more; the buffer is reused after the call. */
  received(bytes: Buffer): void;
  /** The kernel dropped messages for want of room (ENOBUFS). */
  overrun(): void;
}

/** Opens a socket of `protocol` that hears the multicast `groups`, named by number. */
export type OpenTransport = (
  protocol: number,
  groups: readonly number[],
  handlers: TransportHandlers,
) => NetlinkTransport;

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
  timer: Timer | undefined;
}

/** The error for an errno of the kernel (positive) met by `what`. */
export function kernelError(errno: number, what: string, text = ''): OperatorError {
  const name = getSystemErrorName(-errno);
  const code = ERRNO_SYNONYMS[name] ?? name;
  const detail = text === '' ? '' : ` (${text})`;
  return isErrorCode(code)
    ? new OperatorError(code, `${what}: the kernel says ${name}${detail}`)
    : new OperatorError('EIO', `${what}: the kernel says ${name}${detail}`);
}

/** A queue of requests over one socket. */
export class NetlinkClient {
  readonly #transport: NetlinkTransport;
  readonly #clock: Clock;
  readonly #queue: Pending[] = [];
  #current: Pending | undefined;
  #sequence = 0;
  #isClosed = false;

  constructor(open: OpenTransport, protocol: number, clock: Clock) {
    this.#clock = clock;
    this.#transport = open(protocol, [], {
      received: (bytes) => this.#handleBytes(bytes),
      overrun: () => this.#restart(),
    });
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
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#transport.close();
    const waiting = [...(this.#current === undefined ? [] : [this.#current]), ...this.#queue];
    this.#queue.length = 0;
    this.#current = undefined;
    for (const pending of waiting) {
      pending.timer?.cancel();
      pending.settle(new OperatorError('ECANCELED', `${pending.what}: closing`), []);
    }
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
        timer: undefined,
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
      this.#send(pending);
    }
  }

  #send(pending: Pending): void {
    assertNoOpenRegion(pending.what);
    pending.attempts++;
    pending.replies = [];
    pending.error = undefined;
    pending.isInterrupted = false;
    const parts = pending.requests.map((request) => {
      this.#sequence = (this.#sequence + 1) >>> 0;
      return messageEmit(request, this.#sequence);
    });
    const expecting = pending.requests.findLastIndex(isAnswered);
    pending.lastSequence = this.#sequence - (parts.length - 1 - expecting);
    pending.firstSequence = this.#sequence - (parts.length - 1);
    pending.timer?.cancel();
    pending.timer = this.#clock.after(ANSWER_TIMEOUT_MS, () =>
      this.#settle(new OperatorError('ETIMEDOUT', `${pending.what}: the kernel did not answer`)),
    );
    try {
      this.#transport.send(Buffer.concat(parts));
    } catch (error) {
      this.#settle(transportError(pending.what, error));
    }
  }

  #handleBytes(bytes: Buffer): void {
    for (const message of messagesParse(bytes)) this.#handleMessage(message);
  }

  #handleMessage(message: Message): void {
    const pending = this.#current;
    if (pending === undefined) return;
    const offset = message.sequence - pending.firstSequence;
    if (offset < 0 || message.sequence > pending.lastSequence) return;
    if ((message.flags & NLM_F_DUMP_INTR) !== 0) pending.isInterrupted = true;
    if (message.type === NLMSG_ERROR) {
      this.#handleAnswer(pending, message, answerParse(message));
    } else if (message.type === NLMSG_DONE) {
      this.#handleAnswer(pending, message, dumpEndParse(message));
    } else {
      pending.replies.push(Buffer.from(message.body));
    }
  }

  #handleAnswer(pending: Pending, message: Message, answer: Answer): void {
    if (answer.errno !== 0) {
      pending.error ??= kernelError(answer.errno, pending.what, answer.text);
    }
    if (message.sequence !== pending.lastSequence && !isWholeRefused(pending, message)) return;
    if (pending.isInterrupted && pending.error === undefined) this.#repeat(pending);
    else this.#settle(pending.error);
  }

  #repeat(pending: Pending): void {
    if (pending.attempts < DUMP_ATTEMPTS) this.#send(pending);
    else this.#settle(new OperatorError('EAGAIN', `${pending.what}: changes while it is read`));
  }

  /** Part of an answer is lost: nothing but asking again helps, and all we ask can be repeated
   * except a change, whose outcome the caller must then find out. */
  #restart(): void {
    const pending = this.#current;
    if (pending === undefined) return;
    if (pending.requests.every(isDump)) this.#repeat(pending);
    else this.#settle(new OperatorError('ENOBUFS', `${pending.what}: the answer was lost`));
  }

  #settle(error: OperatorError | undefined): void {
    const pending = this.#current;
    if (pending === undefined) return;
    this.#current = undefined;
    pending.timer?.cancel();
    pending.settle(error, pending.replies);
    queueMicrotask(() => this.#next());
  }
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
