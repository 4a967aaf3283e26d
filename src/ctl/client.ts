/**
 * The client's end of the API: one request and its reply, or the stream of events, over the Unix
 * socket.
 *
 * The client waits for a busy daemon: after a full backlog (EAGAIN), a refusal for want of room
 * (503) or a lost connection it tries again, with a random pause so that many clients do not come
 * back together (T22); a change only if it cannot have arrived whole. Without a daemon it fails at
 * once.
 */

import { randomInt } from 'node:crypto';
import { type IncomingMessage, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { isErrorCode, OperatorError } from '../base/errors.ts';
import { isRecord } from '../base/keys.ts';
import { type JsonValue, jsonRead, jsonWrite } from '../base/text/json.ts';
import { type Fields, type RowOf, type RowType, rowRead, rowsRead } from '../model/fields.ts';
import { EVENT_BYTES_MAX, REPLY_BYTES_MAX } from '../model/limits.ts';
import type { Method } from './route.ts';

/** Pauses before the tries after the first, at most: together 5 s (T22). */
const PAUSES_MS: readonly number[] = [20, 50, 100, 200, 400, 800, 1600, 1830];
/**
 * For a reply to come. A question is answered from memory, or after drivers had some hundred
 * milliseconds; a change when the kernel has made it, and other programs may hold the kernel's
 * configuration lock for minutes.
 */
const REPLY_MS = { question: 30_000, change: 600_000 } as const;

/** A change whose reply does not come is not undone by that. */
const MAY_BE_DONE = 'what was asked for may still be done';

/** The daemon cannot be reached: there is no listener, or we may not connect. */
export class UnreachableError extends Error {
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** One event, as its JSON text. */
export interface EventMessage {
  readonly name: string;
  readonly data: string;
}

/** Sends requests to the daemon behind one socket. */
export class ControlClient {
  readonly socketPath: string;
  readonly #replyMs: { readonly question: number; readonly change: number };

  constructor(
    socketPath: string,
    replyMs: { readonly question: number; readonly change: number } = REPLY_MS,
  ) {
    this.socketPath = socketPath;
    this.#replyMs = replyMs;
  }

  /**
   * The JSON that the daemon replies, undefined for a reply without body. Throws the daemon's
   * refusal as OperatorError, UnreachableError if there is no daemon.
   */
  async request(method: Method, path: string, body?: JsonValue): Promise<JsonValue | undefined> {
    const response = await this.#send(method, path, body);
    const text = await textOf(response, REPLY_BYTES_MAX);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return text === '' ? undefined : replyRead(text);
    throw refusalOf(status, text);
  }

  /** The rows under `path`. Throws as `request`, and EIO if the reply is no list of such rows. */
  async rows<F extends Fields>(
    type: RowType<F>,
    path: string,
  ): Promise<readonly RowOf<RowType<F>>[]> {
    return rowsRead(type, await this.request('GET', path));
  }

  /** The one row under `path`. Throws as `request`, and EIO if the reply is no such row. */
  async row<F extends Fields>(type: RowType<F>, path: string): Promise<RowOf<RowType<F>>> {
    return rowRead(type, await this.request('GET', path));
  }

  /**
   * Calls `onEvent` with each event of `path` until the daemon ends the stream or `signal` is
   * aborted.
   */
  async events(
    onEvent: (message: EventMessage) => void,
    signal: AbortSignal,
    path = '/v1/events',
  ): Promise<void> {
    const response = await this.#send('GET', path);
    if (response.statusCode !== 200) {
      throw refusalOf(response.statusCode ?? 0, await textOf(response, REPLY_BYTES_MAX));
    }
    signal.addEventListener('abort', () => response.destroy(), { once: true });
    const reader = new EventReader(onEvent);
    response.setEncoding('utf8');
    try {
      for await (const chunk of response) reader.take(String(chunk));
    } catch (error) {
      if (!signal.aborted) throw new UnreachableError('the connection broke', String(error));
    }
  }

  async #send(method: Method, path: string, body?: JsonValue): Promise<IncomingMessage> {
    const text = body === undefined ? undefined : jsonWrite(body);
    for (let attempt = 0; ; attempt++) {
      const pauseMs = PAUSES_MS[attempt];
      try {
        const response = await this.#sendOnce(method, path, text);
        if (response.statusCode !== 503 || path === '/readyz' || pauseMs === undefined) {
          return response;
        }
        response.destroy();
      } catch (error) {
        if (!(error instanceof LostRequest)) throw error;
        if (pauseMs === undefined || !isWorthAnotherTry(error, method)) {
          throw this.#unreachable(error.reason, error.isSent && method !== 'GET');
        }
      }
      await delay(randomInt(Math.ceil((pauseMs ?? 1) / 2), (pauseMs ?? 1) + 1));
    }
  }

  #sendOnce(method: Method, path: string, text: string | undefined): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const options = { socketPath: this.socketPath, path, method, agent: false as const };
      const headers = { host: 'ipmpd', ...(text === undefined ? {} : bodyHeaders(text)) };
      const sent = request({ ...options, headers }, (response) => {
        sent.setTimeout(0);
        resolve(response);
      });
      const replyMs = this.#replyMs[method === 'GET' ? 'question' : 'change'];
      sent.setTimeout(replyMs, () => sent.destroy(new Error('no reply came in time')));
      let isSent = false;
      sent.on('finish', () => {
        // It is also the end of writing that has failed.
        isSent = (sent.socket?.errored ?? null) === null;
      });
      sent.on('error', (reason) => reject(new LostRequest(reason, isSent)));
      sent.end(text);
    });
  }

  #unreachable({ code, message }: NodeJS.ErrnoException, mayBeDone: boolean): UnreachableError {
    const why: Readonly<Record<string, string>> = {
      ENOENT: 'there is no such socket',
      ECONNREFUSED: 'no process listens there',
      EACCES: 'permission denied',
      EAGAIN: 'it is too busy',
    };
    const reason = why[code ?? ''] ?? message;
    const hint = code === 'EACCES' ? 'the socket’s directory' : 'is ipmpd running?';
    const problem = `cannot reach ipmpd at ${this.socketPath}: ${reason}`;
    return new UnreachableError(mayBeDone ? `${problem}; ${MAY_BE_DONE}` : problem, hint);
  }
}

function bodyHeaders(text: string): Record<string, string | number> {
  return { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
}

/** A request to which no reply has come. */
class LostRequest extends Error {
  readonly reason: NodeJS.ErrnoException;
  /** All of it has left: the daemon may have done what it asks for. */
  readonly isSent: boolean;

  constructor(reason: NodeJS.ErrnoException, isSent: boolean) {
    super(reason.message);
    this.reason = reason;
    this.isSent = isSent;
  }
}

/** Codes of a daemon that is there but has no room. */
const BUSY = ['EAGAIN', 'ECONNRESET', 'EPIPE'];

function isWorthAnotherTry({ reason, isSent }: LostRequest, method: Method): boolean {
  return BUSY.includes(reason.code ?? '') && (method === 'GET' || !isSent);
}

async function textOf(response: IncomingMessage, limitBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    const bytes = Buffer.from(chunk);
    chunks.push(bytes);
    length += bytes.length;
    if (length > limitBytes) throw new OperatorError('EMSGSIZE', 'the reply is too long');
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The content of a reply or an event; EIO for what is no JSON. */
export function replyRead(text: string): JsonValue {
  try {
    return jsonRead(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const hint = 'is it ipmpd that listens there?';
    throw new OperatorError('EIO', `the reply cannot be read: ${error.message}`, hint);
  }
}

function refusalOf(status: number, text: string): OperatorError {
  const fallback = new OperatorError('EIO', `the daemon replied with status ${status}`);
  let body: JsonValue;
  try {
    body = replyRead(text);
  } catch {
    return fallback;
  }
  const error = field(body, 'error');
  const code = field(error, 'code');
  const message = field(error, 'message');
  const hint = field(error, 'hint');
  if (!isErrorCode(code) || typeof message !== 'string') return fallback;
  return new OperatorError(code, message, typeof hint === 'string' ? hint : undefined);
}

function field(value: unknown, key: string): unknown {
  return isRecord(value) ? value[key] : undefined;
}

/** Server-sent events from text that arrives in pieces. */
class EventReader {
  readonly #onEvent: (message: EventMessage) => void;
  #text = '';

  constructor(onEvent: (message: EventMessage) => void) {
    this.#onEvent = onEvent;
  }

  take(chunk: string): void {
    this.#text += chunk;
    for (;;) {
      const end = this.#text.indexOf('\n\n');
      if (end < 0) break;
      this.#deliver(this.#text.slice(0, end));
      this.#text = this.#text.slice(end + 2);
    }
    if (this.#text.length > EVENT_BYTES_MAX) {
      throw new OperatorError('EMSGSIZE', 'an event is too long');
    }
  }

  #deliver(block: string): void {
    let name = '';
    const data: string[] = [];
    for (const line of block.split('\n')) {
      if (line.startsWith('event: ')) name = line.slice(7);
      else if (line.startsWith('data: ')) data.push(line.slice(6));
    }
    if (name !== '') this.#onEvent({ name, data: data.join('\n') });
  }
}
