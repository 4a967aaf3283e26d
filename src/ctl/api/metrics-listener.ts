/**
 * The optional TCP listener for Prometheus: GET /metrics and nothing else (T23).
 *
 * A browser can be made to send requests here under an attacker's host name (DNS rebinding), so
 * the Host header must name this listener: the address on which the connection came in,
 * localhost, or a name from the configuration. A refusal is logged, once a minute at most, since it
 * is mostly a scraper that uses a name which the configuration lacks.
 *
 * Connections are few. When they are all in use, the one that has been without a request for
 * longest makes room, so a client with many idle connections keeps no scraper out. While all the
 * others are in the middle of a request, that is the newest, and it is closed.
 */
import { type FastifyError, type FastifyInstance, type FastifyRequest, fastify } from 'fastify';
import { endAfterMistake } from './refusal.ts';
import type { SharedText } from './shared.ts';
import { NO_COMPILERS } from './validation.ts';

/** Collections in hand at one time. */
const CONCURRENT_MAX = 4;
/** Connections at one time: a handful of scrapers, and room for a storm. */
const CONNECTIONS_MAX = 64;
/** Of a name that is refused so much is shown: a host name has no more. */
const SHOWN_MAX = 253;
/** For a request to arrive whole, and for an idle connection. */
const IDLE_MS = 5000;

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export interface MetricsListenerOptions {
  readonly host: string;
  /** 0: any free port (for tests). */
  readonly port: number;
  /** Further names that the Host header may carry. */
  readonly hosts: readonly string[];
  readonly metrics: SharedText;
  /** Called at each request whose Host header names another host than ours. */
  readonly onRefused?: (name: string, address: string) => void;
}

export interface MetricsListener {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Starts to listen. Fails with the system's error (EADDRINUSE, EADDRNOTAVAIL, EACCES). */
export async function startMetricsListener(
  options: MetricsListenerOptions,
): Promise<MetricsListener> {
  const app = fastify({
    exposeHeadRoutes: false,
    requestTimeout: IDLE_MS,
    keepAliveTimeout: IDLE_MS,
    connectionTimeout: 2 * IDLE_MS,
    bodyLimit: 1024,
    forceCloseConnections: true,
    schemaController: NO_COMPILERS,
  });
  limitConnections(app);
  addRoute(app, options);
  await app.listen({ host: options.host, port: options.port });
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.port;
  return { host: options.host, port, close: () => app.close() };
}

function addRoute(app: FastifyInstance, options: MetricsListenerOptions): void {
  let inHand = 0;
  app.addHook('onRequest', async (request, reply) => {
    if (isOurHost(request, options.hosts)) return;
    const name = nameOf(request);
    options.onRefused?.(name, request.socket.remoteAddress ?? '');
    const text = `this listener is not called ${name}: add its name to metrics.hosts\n`;
    await reply.code(421).type('text/plain').send(text);
  });
  app.setNotFoundHandler(async (_, reply) => {
    await reply.code(404).type('text/plain').send('only GET /metrics is served here\n');
  });
  // What failed inside is for the log: a client here need not be a user of this host.
  app.setErrorHandler(async (error: FastifyError, _, reply) => {
    const { statusCode = 500 } = error;
    const status = statusCode < 500 ? statusCode : 500;
    const text = status < 500 ? error.message : 'the metrics could not be collected';
    await reply.code(status).type('text/plain').send(`${text}\n`);
    if (status === 500) endAfterMistake(error);
  });
  app.get('/metrics', async (_, reply) => {
    if (inHand >= CONCURRENT_MAX) {
      return reply.code(503).type('text/plain').send('too many scrapes at one time\n');
    }
    inHand++;
    try {
      const text = await options.metrics.get();
      return await reply.type(METRICS_TYPE).send(text);
    } finally {
      inHand--;
    }
  });
}

/** Lets the connection go that has been without a request for longest, when there are too many. */
function limitConnections(app: FastifyInstance): void {
  type Socket = FastifyRequest['socket'];
  /** Those without a request, longest first; and those with one. */
  const [idle, busy] = [new Set<Socket>(), new Set<Socket>()];
  app.server.on('connection', (socket: Socket) => {
    idle.add(socket);
    socket.once('close', () => {
      idle.delete(socket);
      busy.delete(socket);
    });
    if (idle.size + busy.size <= CONNECTIONS_MAX) return;
    for (const oldest of idle) {
      idle.delete(oldest);
      oldest.destroy();
      return;
    }
  });
  app.server.on('request', ({ socket }: { socket: Socket }, response: { once: OnceFinished }) => {
    idle.delete(socket);
    busy.add(socket);
    response.once('close', () => {
      if (busy.delete(socket) && !socket.destroyed) idle.add(socket);
    });
  });
}

type OnceFinished = (event: 'close', listener: () => void) => void;

/** The name in the Host header, as it may be shown. */
function nameOf({ headers: { host = '' } }: FastifyRequest): string {
  const name = host.slice(0, SHOWN_MAX).replace(/[^\x20-\x7e]/g, '?');
  return name === '' ? 'nothing' : name;
}

/** One Host header that is ours; and no host in the request's target, which would overrule it. */
function isOurHost(request: FastifyRequest, hosts: readonly string[]): boolean {
  const { url = '', rawHeaders } = request.raw;
  const isHost = (_: string, at: number): boolean =>
    at % 2 === 0 && rawHeaders[at]?.toLowerCase() === 'host';
  if (!url.startsWith('/') || rawHeaders.filter(isHost).length !== 1) return false;
  const { localAddress = '', localPort = 0 } = request.socket;
  const local = localAddress.replace(/^::ffff:(?=\d+\.)/, '');
  const names = ['localhost', local.includes(':') ? `[${local}]` : local, ...hosts];
  const given = (request.headers.host ?? '').toLowerCase();
  return names.some((name) => given === `${name.toLowerCase()}:${localPort}`);
}
