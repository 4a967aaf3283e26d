/**
 * The HTTP API on the Unix socket (contract 5).
 *
 * Who asks is known by the peer's credentials, read once when the connection is accepted.
 * Everything a client could make large or slow is bounded: clients, clients of one user, the
 * body, the time for a request, idle time, unread events. A refusal is an `OperatorError` and
 * becomes `{"error":{"code","message","hint"}}`; an error of our own ends the process after the
 * reply, as everywhere.
 *
 * Import this file only when the datapath runs: its libraries take a quarter of a second to load.
 */
import type { Socket } from 'node:net';
import {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
} from 'fastify';
import { isMistake, OperatorError } from '../base/errors.ts';
import { jsonWrite } from '../base/json.ts';
import { type ApiRoute, ERROR_REPLY, httpStatusOf, isPermitted, ROUTES } from './api.ts';
import type { ControlBackend, Credentials } from './backend.ts';
import { EventStream } from './events.ts';
import { METRICS_TYPE } from './metrics-listener.ts';
import type { SharedText } from './shared-text.ts';
import { credentialsOf, type PeerCredentials, SocketPlace } from './socket.ts';

/** Bytes of a request's body, checked before it is parsed (T20). */
const BODY_BYTES_MAX = 64 * 1024;
/** Clients at one time (T21); the last of them are kept for root, so that nobody locks it out. */
const CLIENTS_MAX = 64;
const CLIENTS_KEPT_FOR_ROOT = 16;
const CLIENTS_OF_ONE_USER_MAX = 16;
/** For a request to arrive whole (T21). */
const REQUEST_MS = 5000;
/** Without a byte in either direction, while no events are subscribed. */
const IDLE_MS = 10_000;
/** The kernel's own limit, usually; a short backlog refuses most of a burst of clients (T22). */
const BACKLOG = 4096;

export interface ControlServerOptions {
  readonly backend: ControlBackend;
  readonly socketPath: string;
  readonly version: string;
  /** Members of this group may operate; undefined: root alone. */
  readonly operatorGid: number | undefined;
  readonly peerCredentials: PeerCredentials;
  readonly metrics: SharedText;
  /** Each change is logged with who asked for it. */
  readonly log?: FastifyBaseLogger;
}

export interface ControlServer {
  /** Ends all connections and removes the socket. */
  close(): Promise<void>;
}

/** Starts to serve. Refusals: EPERM, EEXIST, EBUSY (see SocketPlace). */
export async function startControlServer(options: ControlServerOptions): Promise<ControlServer> {
  const place = new SocketPlace(options.socketPath);
  await place.prepare(options.peerCredentials);
  const clients = new Clients(options.peerCredentials);
  const streams = new Set<EventStream>();
  const app = makeApp();
  app.server.on('connection', (socket: Socket) => clients.admit(socket));
  app.setReplySerializer((payload) => jsonWrite(payload));
  app.setSerializerCompiler(() => jsonWrite);
  app.setErrorHandler((error: FastifyError, _, reply) => refuse(error, reply, options.log));
  app.setNotFoundHandler((request, reply) => {
    const message = `there is no ${request.method} ${request.url.slice(0, 100)}`;
    refuse(new OperatorError('ENOENT', message), reply, options.log);
  });
  await addDocument(app, options.version);
  addApiRoutes(app, options, clients);
  refuseWrites(app);
  addEvents(app, options.backend, streams);
  addHealth(app, options);
  await app.listen({ path: place.temporaryPath, backlog: BACKLOG });
  place.place();
  return {
    close: async () => {
      place.remove();
      for (const stream of streams) stream.close();
      await app.close();
    },
  };
}

function makeApp(): FastifyInstance {
  return fastify({
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: REQUEST_MS,
    connectionTimeout: IDLE_MS,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    http: { headersTimeout: REQUEST_MS, connectionsCheckingInterval: 1000 },
    clientErrorHandler: (error, socket) => refuseBrokenRequest(error, socket),
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, strict: true } },
  });
}

async function addDocument(app: FastifyInstance, version: string): Promise<void> {
  const { default: swagger } = await import('@fastify/swagger');
  await app.register(swagger, {
    openapi: { openapi: '3.1.0', info: { title: 'ipmpd', version } },
  });
  app.after(() => {
    app.get('/v1/openapi.json', { schema: { hide: true } }, async () => app.swagger());
  });
}

function addApiRoutes(app: FastifyInstance, options: ControlServerOptions, clients: Clients): void {
  app.after(() => {
    for (const route of ROUTES) {
      app.route({
        method: route.method,
        url: route.path,
        schema: {
          summary: route.summary,
          ...(route.parameters === undefined ? {} : { params: route.parameters }),
          ...(route.query === undefined ? {} : { querystring: route.query }),
          response: {
            ...(route.reply === undefined ? {} : { 200: route.reply }),
            '4xx': ERROR_REPLY,
            '5xx': ERROR_REPLY,
          },
        },
        handler: (request, reply) => serve(route, options, clients, request, reply),
      });
    }
  });
}

/** kstats cannot be written, by nobody (IPMP semantics 7.1); said before a body is read. */
function refuseWrites(app: FastifyInstance): void {
  const method = ['POST', 'PUT', 'PATCH', 'DELETE'];
  const onRequest = async (): Promise<void> => {
    throw new OperatorError('EACCES', 'kstats are read-only');
  };
  for (const url of ['/v1/kstats', '/v1/kstats/*']) {
    app.route({ method, url, schema: { hide: true }, onRequest, handler: onRequest });
  }
}

async function serve(
  route: ApiRoute,
  options: ControlServerOptions,
  clients: Clients,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const { backend, operatorGid, log } = options;
  const by = clients.credentialsOf(request.socket);
  const action = `${route.method} ${request.url.slice(0, 100)}`;
  if (by === undefined || !isPermitted(route.role, by, operatorGid)) {
    log?.warn({ action, uid: by?.uid, pid: by?.pid }, 'refused: not permitted');
    const hint = route.role === 'operate' ? 'be root, or in the operators’ group' : 'be root';
    throw new OperatorError('EPERM', `${action} is not permitted to user ${by?.uid ?? '?'}`, hint);
  }
  const parameters = request.params as Readonly<Record<string, string>>;
  if (route.role !== 'read') log?.info({ action, uid: by.uid, pid: by.pid }, 'asked for a change');
  const query = request.query as Readonly<Record<string, string>>;
  const result = await route.handle({ backend, parameters, query, by });
  if (route.reply === undefined) return reply.code(204).send();
  return result;
}

function addEvents(app: FastifyInstance, backend: ControlBackend, streams: Set<EventStream>): void {
  app.get('/v1/events', { schema: { summary: 'Events as server-sent events' } }, (_, reply) => {
    reply.hijack();
    const { raw } = reply;
    // Events may be hours apart: silence is not idleness here.
    raw.socket?.setTimeout(0);
    raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const stream = new EventStream(
      {
        write: (text) => {
          raw.write(text);
        },
        end: (text) => {
          raw.end(text);
          // Who did not read before may not read the notice either; the connection is not kept
          // for it.
          raw.socket?.setTimeout(REQUEST_MS, () => raw.destroy());
        },
        queuedBytes: () => raw.writableLength,
      },
      (listener) => backend.subscribe(listener),
    );
    streams.add(stream);
    raw.on('error', () => raw.destroy());
    raw.on('close', () => {
      stream.close();
      streams.delete(stream);
    });
  });
}

function addHealth(app: FastifyInstance, { backend, metrics }: ControlServerOptions): void {
  const schema = { hide: true };
  app.get('/healthz', { schema }, async () => ({ healthy: true }));
  app.get('/readyz', { schema }, async (_, reply) => {
    const readiness = backend.readiness();
    return reply.code(readiness.ready ? 200 : 503).send(readiness);
  });
  app.get('/metrics', { schema }, async (_, reply) => {
    const text = await metrics.get();
    return reply.type(METRICS_TYPE).send(text);
  });
}

function refuse(
  error: FastifyError | OperatorError,
  reply: FastifyReply,
  log: FastifyBaseLogger | undefined,
): void {
  const refusal = refusalOf(error);
  if (refusal !== undefined) {
    const { code, message } = refusal;
    const body = { error: { code, message, hint: refusal.hint ?? null } };
    void reply.code(httpStatusOf(code)).type('application/json').send(body);
    return;
  }
  log?.error({ err: error }, 'a request failed for a reason of our own');
  const body = { error: { code: 'EIO', message: 'the daemon failed', hint: 'see its log' } };
  void reply.code(500).type('application/json').send(body);
  if (isMistake(error)) {
    setImmediate(() => {
      throw error;
    });
  }
}

/** What the client did wrong, or undefined if the fault is ours. */
function refusalOf(error: FastifyError | OperatorError): OperatorError | undefined {
  if (error instanceof OperatorError) return error;
  const { statusCode = 500, code } = error;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new OperatorError('EMSGSIZE', `the body is larger than ${BODY_BYTES_MAX / 1024} KiB`);
  }
  if (statusCode < 400 || statusCode >= 500) return undefined;
  return new OperatorError('EINVAL', `the request is not valid: ${error.message}`);
}

/** What is not HTTP, or did not arrive in time, gets its reply past the framework. */
function refuseBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const isLate = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const line = isLate ? '408 Request Timeout' : '400 Bad Request';
  const code = isLate ? 'ETIMEDOUT' : 'EINVAL';
  const message = isLate ? 'the request did not arrive in time' : 'the request is not HTTP';
  const body = jsonWrite({ error: { code, message, hint: null } });
  const head = `HTTP/1.1 ${line}\r\nconnection: close\r\ncontent-type: application/json\r\n`;
  socket.end(`${head}content-length: ${body.length}\r\n\r\n${body}`, () => socket.destroy());
}

const FULL =
  'HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\n' +
  'content-type: application/json\r\n\r\n' +
  '{"error":{"code":"EAGAIN","message":"too many clients at one time","hint":"try again"}}';

/** The connected clients, and who they are. */
class Clients {
  readonly #peerCredentials: PeerCredentials;
  readonly #connected = new Map<Socket, Credentials>();

  constructor(peerCredentials: PeerCredentials) {
    this.#peerCredentials = peerCredentials;
  }

  /** Lets a new connection in, or tells it that there is no room. */
  admit(socket: Socket): void {
    const credentials = credentialsOf(socket, this.#peerCredentials);
    if (credentials === undefined) {
      socket.destroy();
      return;
    }
    if (!this.#hasRoomFor(credentials.uid)) {
      socket.end(FULL, () => socket.destroy());
      return;
    }
    this.#connected.set(socket, credentials);
    socket.once('close', () => this.#connected.delete(socket));
  }

  credentialsOf(socket: Socket): Credentials | undefined {
    return this.#connected.get(socket);
  }

  #hasRoomFor(uid: number): boolean {
    if (uid === 0) return this.#connected.size < CLIENTS_MAX;
    if (this.#connected.size >= CLIENTS_MAX - CLIENTS_KEPT_FOR_ROOT) return false;
    let own = 0;
    for (const client of this.#connected.values()) if (client.uid === uid) own++;
    return own < CLIENTS_OF_ONE_USER_MAX;
  }
}
