/**
 * The HTTP API on the Unix socket (contract 5).
 *
 * The peer's credentials identify a client: they are read once, when the connection is accepted.
 * Its rights are checked before a body is read. Everything a client could make large or slow is
 * bounded: clients, clients of one user, the body, the time for a request, idle time, unread
 * events. A refusal is an `OperatorError` and becomes `{"error":{"code","message","hint"}}`; an
 * error of our own ends the process after the reply, as everywhere.
 *
 * Import this file only when the datapath runs: its libraries take a quarter of a second to load.
 */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
} from 'fastify';
import { OperatorError } from '../../base/errors.ts';
import { isRecord } from '../../base/keys.ts';
import { jsonWrite } from '../../base/text/json.ts';
import { LineLimit } from '../../base/text/line-limit.ts';
import { isNestedWithin } from '../../base/text/nesting.ts';
import { mapInTurns } from '../../base/turns.ts';
import { BODY_BYTES_MAX, DEPTH_MAX } from '../../model/limits.ts';
import type { ControlBackend } from '../backend.ts';
import { type ApiCall, type ApiRoute, isPermitted } from '../route.ts';
import { type After, Clients } from './clients.ts';
import { addEvents, HEARTBEAT_MS } from './event-route.ts';
import { EventHub } from './events.ts';
import { METRICS_TYPE } from './metrics-listener.ts';
import { addDocument, routeSchema, successStatus } from './openapi.ts';
import { HEALTHZ, METRICS, READYZ } from './plain-routes.ts';
import { refusalOfFindings, refuse, refuseBrokenRequest, refuseExpectation } from './refusal.ts';
import { ROUTES } from './routes.ts';
import type { SharedText } from './shared.ts';
import { type PeerCredentials, SocketPlace } from './socket.ts';
import { NO_COMPILERS, setCompilers } from './validation.ts';

/** Characters of a parameter in a path: more than a valid one has, so a schema can refuse it. */
const PARAMETER_LENGTH_MAX = 256;
/** For a request to arrive whole (T21). */
const REQUEST_MS = 5000;
/** Without a byte in either direction, while no events are subscribed. */
const IDLE_MS = 10_000;
/** Rows that are written in one turn (ours); of a longer list a part in each. */
const ROWS_AT_ONCE = 100;
const JSON_TYPE = 'application/json; charset=utf-8';
/** The kernel's own limit, usually; a short backlog refuses most of a burst of clients (T22). */
const BACKLOG = 4096;
/** Of the id of this run in the ids of events: no two runs of a machine have the same. */
const RUN_BYTES = 6;

export interface ControlServerOptions {
  readonly backend: ControlBackend;
  readonly socketPath: string;
  readonly version: string;
  /** Members of this group may operate; undefined: root alone. Asked at each request. */
  readonly operatorGid: () => Promise<number | undefined>;
  readonly peerCredentials: PeerCredentials;
  readonly metrics: SharedText;
  /** RFC 3339 with microseconds. */
  readonly wallTime: () => string;
  readonly after: After;
  /** Each change is logged with the user and the process that asked for it. */
  readonly log?: FastifyBaseLogger;
  /** Silence on a stream of events before it is tested; 15 s. */
  readonly heartbeatMs?: number;
}

export interface ControlServer {
  /** Ends all connections and removes the socket. */
  close(): Promise<void>;
}

/** Starts to serve. Refusals: EPERM, EEXIST, EBUSY (see SocketPlace). */
export async function startControlServer(options: ControlServerOptions): Promise<ControlServer> {
  const { backend, wallTime, log, heartbeatMs = HEARTBEAT_MS } = options;
  const place = new SocketPlace(options.socketPath);
  await place.prepare(options.peerCredentials);
  const app = makeApp(log);
  const clients = holdConnections(app, options);
  app.server.on('checkExpectation', (_, response) => refuseExpectation(response));
  app.setReplySerializer((payload) => jsonWrite(payload));
  setCompilers(app);
  app.setErrorHandler((error: FastifyError, request, reply) => refuse(error, request, reply, log));
  app.setNotFoundHandler((request, reply) => {
    const message = `there is no ${request.method} ${request.url.slice(0, 100)}`;
    refuse(new OperatorError('ENOENT', message), request, reply, log);
  });
  readBodies(app);
  await addDocument(app, options.version);
  const run = randomBytes(RUN_BYTES).toString('hex');
  const hub = new EventHub({ run, wallTime, subscribe: (listener) => backend.subscribe(listener) });
  addApiRoutes(app, options, clients);
  refuseWrites(app);
  addEvents(app, { hub, clients, heartbeatMs });
  addHealth(app, options);
  await app.listen({ path: place.temporaryPath, backlog: BACKLOG });
  place.place();
  return {
    close: async () => {
      place.remove();
      hub.close();
      const closing = app.close();
      clients.close();
      await closing;
    },
  };
}

/** New connections and requests go to the clients first, and from there to the HTTP server. */
function holdConnections({ server }: FastifyInstance, options: ControlServerOptions): Clients {
  const serveConnection = takeListeners(server, 'connection');
  const serveRequest = takeListeners(server, 'request');
  // An option of net.createServer that http.createServer does not pass on: nothing is read yet.
  Reflect.set(server, 'pauseOnConnect', true);
  const clients = new Clients(options.peerCredentials, options.after, {
    serve: (socket) => {
      serveConnection(socket);
      socket.resume();
    },
    answer: serveRequest,
  });
  server.on('connection', (socket: Socket) => clients.admit(socket));
  server.on('request', (request, response) => clients.handleRequest(request, response));
  return clients;
}

/** What `server` has listened to `event` with so far; it does not any more. */
function takeListeners(server: FastifyInstance['server'], event: string) {
  const listeners = server.listeners(event);
  server.removeAllListeners(event);
  return (...values: unknown[]): void => {
    for (const listener of listeners) listener.apply(server, values);
  };
}

function makeApp(log: FastifyBaseLogger | undefined): FastifyInstance {
  return fastify({
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: REQUEST_MS,
    connectionTimeout: IDLE_MS,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: PARAMETER_LENGTH_MAX },
    // There is one host behind a Unix socket: a request without a Host header means it too.
    http: {
      headersTimeout: REQUEST_MS,
      connectionsCheckingInterval: 1000,
      requireHostHeader: false,
    },
    clientErrorHandler: (error, socket) => refuseBrokenRequest(error, socket),
    frameworkErrors: (error, request, reply) => refuse(error, request, reply, log),
    schemaErrorFormatter: (findings, where) => refusalOfFindings(findings, where),
    schemaController: NO_COMPILERS,
  });
}

/** JSON bodies: their size is checked by the framework, their depth before anything is made. */
function readBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser<string>(
    'application/json',
    { parseAs: 'string' },
    (request, body, done) => {
      if (isNestedWithin(body, DEPTH_MAX)) return parse(request, body, done);
      const message = `the body is nested deeper than ${DEPTH_MAX} levels`;
      done(new OperatorError('EINVAL', message));
    },
  );
}

function addApiRoutes(app: FastifyInstance, options: ControlServerOptions, clients: Clients): void {
  app.after(() => {
    const { log } = options;
    const lines = new LineLimit<number | undefined>(options.after, (uid, more) =>
      log?.warn({ uid, more }, `refused: not permitted, ${more} times more`),
    );
    for (const route of ROUTES) {
      app.route<ApiRequest>({
        method: route.method,
        url: route.path,
        schema: routeSchema(route),
        ...(route.bodyBytesMax === undefined ? {} : { bodyLimit: route.bodyBytesMax }),
        onRequest: (request) => permit(route, { ...options, lines }, clients, request),
        handler: (request, reply) => serve(route, options, clients, request, reply),
      });
    }
  });
}

/** No user can write kstats (docs/law.md row 110): refused before a body is read. */
function refuseWrites(app: FastifyInstance): void {
  const method = ['POST', 'PUT', 'PATCH', 'DELETE'];
  const onRequest = async (): Promise<void> => {
    throw new OperatorError('EACCES', 'kstats are read-only');
  };
  for (const url of ['/v1/kstats', '/v1/kstats/*']) {
    app.route({ method, url, schema: { hide: true }, onRequest, handler: onRequest });
  }
}

/** What the schemas of a route let pass. */
interface ApiRequest {
  Params: ApiCall['parameters'];
  Querystring: ApiCall['query'];
  Body: ApiCall['body'] | undefined;
}

/** Refuses a user without the right to the route; the body has not been read yet. */
async function permit(
  route: ApiRoute,
  { operatorGid, log, lines }: ControlServerOptions & { lines: LineLimit<number | undefined> },
  clients: Clients,
  request: Pick<FastifyRequest, 'socket' | 'url'>,
): Promise<void> {
  const by = clients.credentialsOf(request.socket);
  // The operators' group is looked up only where it matters.
  const gid = route.role === 'operate' && by?.uid !== 0 ? await operatorGid() : undefined;
  if (by !== undefined && isPermitted(route.role, by, gid)) return;
  const action = actionOf(route, request);
  if (lines.admits(by?.uid)) {
    log?.warn({ action, uid: by?.uid, pid: by?.pid }, 'refused: not permitted');
  }
  const hint = route.role === 'operate' ? 'be root, or in the operators’ group' : 'be root';
  throw new OperatorError('EPERM', `${action} is not permitted to user ${by?.uid ?? '?'}`, hint);
}

function actionOf(route: ApiRoute, request: Pick<FastifyRequest, 'url'>): string {
  return `${route.method} ${request.url.slice(0, 100)}`;
}

async function serve(
  route: ApiRoute,
  { backend, log }: ControlServerOptions,
  clients: Clients,
  request: FastifyRequest<ApiRequest>,
  reply: FastifyReply,
): Promise<unknown> {
  const by = clients.credentialsOf(request.socket);
  if (by === undefined) throw new OperatorError('EPERM', 'the client has gone');
  if (route.role !== 'read') {
    log?.info({ action: actionOf(route, request), uid: by.uid, pid: by.pid }, 'asked for a change');
  }
  const call: ApiCall = {
    backend,
    parameters: request.params,
    query: request.query,
    body: bodyOf(route, request),
    by,
  };
  // A connection without traffic is not idle while the daemon works on a change.
  if (route.role !== 'read') request.socket.setTimeout(0);
  let result: unknown;
  try {
    result = await route.handle(call);
  } finally {
    request.socket.setTimeout(IDLE_MS);
  }
  const status = successStatus(route);
  if (status === 200 && isLong(result)) {
    return reply.type(JSON_TYPE).send(await replyWrite(result));
  }
  if (status === 200) return result;
  if (route.location !== undefined) void reply.header('location', route.location(call));
  return reply.code(status).send();
}

/** A list of many rows, or an object with one. */
function isLong(result: unknown): boolean {
  const lists = isRecord(result) ? Object.values(result) : [result];
  return lists.some((list) => Array.isArray(list) && list.length > ROWS_AT_ONCE);
}

/** A long reply as JSON, made in turns: the text is that of `jsonWrite`. */
async function replyWrite(result: unknown): Promise<string> {
  if (Array.isArray(result)) return await rowsWrite(result);
  if (!isRecord(result)) return jsonWrite(result);
  const parts: string[] = [];
  for (const [name, value] of Object.entries(result)) {
    const text = Array.isArray(value) ? await rowsWrite(value) : jsonWrite(value);
    parts.push(`${jsonWrite(name)}:${text}`);
  }
  return `{${parts.join(',')}}`;
}

async function rowsWrite(rows: readonly unknown[]): Promise<string> {
  return `[${(await mapInTurns(rows, (row) => jsonWrite(row))).join(',')}]`;
}

/** The body of a route that takes none must be empty: an ignored body would look effective. */
function bodyOf(route: ApiRoute, request: FastifyRequest<ApiRequest>): ApiCall['body'] {
  const body = request.body ?? {};
  const isEmpty = typeof body === 'object' && Object.keys(body).length === 0;
  if (route.body === undefined && !isEmpty) {
    throw new OperatorError('EINVAL', `${actionOf(route, request)} takes no body`);
  }
  return body;
}

function addHealth(app: FastifyInstance, { backend, metrics }: ControlServerOptions): void {
  app.get(HEALTHZ.path, { schema: HEALTHZ.schema }, async () => ({ healthy: true }));
  app.get(READYZ.path, { schema: READYZ.schema }, async (_, reply) => {
    const readiness = backend.readiness();
    return reply.code(readiness.ready ? 200 : 503).send(readiness);
  });
  app.get(METRICS.path, { schema: METRICS.schema }, async (_, reply) => {
    const text = await metrics.get();
    return reply.type(METRICS_TYPE).send(text);
  });
}
