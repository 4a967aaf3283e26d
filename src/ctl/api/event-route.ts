/** `GET /v1/events`: the stream of events over HTTP, its limits, and what it may be asked for. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { OperatorError } from '../../base/errors.ts';
import type { Clients } from './clients.ts';
import type { EventFilter, EventHub, EventSink } from './events.ts';
import { EVENT_STREAM } from './plain-routes.ts';

/**
 * Streams at one time: half of all clients, so that requests always find room. The last of them
 * are kept for root.
 */
const STREAMS_MAX = 32;
const STREAMS_KEPT_FOR_ROOT = 8;

/** Silence on a stream after which a comment is sent: a proxy may drop idle streams. */
export const HEARTBEAT_MS = 15_000;

/** For a dropped subscriber to read what is still in flight. */
const ENDING_MS = 5000;

/** `run-number`, as the stream gives it. */
const EVENT_ID = /^[0-9a-z]{1,32}-\d{1,15}$/;

/** The query, as its schema lets it pass. */
interface EventRequest {
  Querystring: EventFilter & { readonly after?: string };
}

export interface EventRouteOptions {
  readonly hub: EventHub;
  readonly clients: Clients;
  readonly heartbeatMs: number;
}

export function addEvents(app: FastifyInstance, options: EventRouteOptions): void {
  const { hub, clients, heartbeatMs } = options;
  app.get<EventRequest>(EVENT_STREAM.path, { schema: EVENT_STREAM.schema }, (request, reply) => {
    const isRoot = clients.credentialsOf(request.socket)?.uid === 0;
    if (hub.size >= STREAMS_MAX - (isRoot ? 0 : STREAMS_KEPT_FOR_ROOT)) {
      throw new OperatorError('EAGAIN', 'too many event streams at one time', 'try again');
    }
    const after = lastEventId(request);
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const stream = hub.open(sinkOf(raw), request.query, after);
    // Events may be hours apart: silence is not idleness here.
    raw.setTimeout(heartbeatMs, () => stream.handleSilence());
    raw.on('drain', () => stream.pump());
    raw.on('error', () => raw.destroy());
    raw.on('close', () => stream.close());
  });
}

/** What the client has seen last: its header, as browsers send it, or `?after=`. */
function lastEventId(request: FastifyRequest<EventRequest>): string | undefined {
  const given = request.headers['last-event-id'] ?? request.query.after;
  if (given === undefined || given === '') return undefined;
  if (typeof given === 'string' && EVENT_ID.test(given)) return given;
  const hint = 'an id as the stream gives it, such as 5f3a9c1e-42';
  throw new OperatorError('EINVAL', `"${String(given).slice(0, 60)}" is no id of an event`, hint);
}

function sinkOf(raw: FastifyReply['raw']): EventSink {
  return {
    write: (text) => {
      raw.write(text);
    },
    end: (text) => {
      raw.end(text);
      // A client that did not read before may not read the notice either: it has limited time.
      raw.socket?.setTimeout(ENDING_MS, () => raw.destroy());
    },
    abort: () => {
      raw.destroy();
    },
    queuedBytes: () => raw.writableLength,
  };
}
