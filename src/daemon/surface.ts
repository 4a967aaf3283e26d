/**
 * The daemon's surface: the control socket, the listener for scrapers, and the group that may
 * operate. Its libraries take a quarter of a second to load, so they are loaded when packets flow:
 * all of them before the first request, since the thread reads files while it loads.
 */

import { errnoOf, OperatorError } from '../base/errors.ts';
import type { Config } from '../config/types.ts';
import type { MetricsListener } from '../ctl/api/metrics-listener.ts';
import type { ControlServer } from '../ctl/api/server.ts';
import { Shared, type SharedText } from '../ctl/api/shared.ts';
import type { systemGroupId as SystemGroupId } from '../ctl/api/socket.ts';
import type { ControlBackend } from '../ctl/backend.ts';
import { listenFormat } from '../model/prefix.ts';
import { native } from '../native/addon.ts';
import { type Clock, type Timer, wallTime } from '../process/clock.ts';
import type { Log } from '../process/log.ts';
import { Serial } from '../process/serial.ts';
import { VERSION } from '../process/version.ts';
import type { MetricsRenderer } from '../stats/prometheus.ts';

/** Ours: between two lines about scrapes that are refused. */
const REFUSED_MS = 60_000;

/** What it needs of the rest of the daemon. */
export interface SurfaceOptions {
  readonly backend: ControlBackend;
  readonly log: Log;
  readonly clock: Clock;
  /** Looks a system group up; that of the host if absent. */
  readonly groupId?: typeof SystemGroupId;
}

/** Ours: pauses between attempts to listen, doubled each time. */
const RETRY_FIRST_MS = 1000;
const RETRY_LAST_MS = 60_000;
/** Ours: a change of /etc/group counts by then, and it is read no more often. */
const OPERATORS_MS = 1000;

/** See the head of the file. */
export class Surface {
  readonly #options: SurfaceOptions;
  readonly #serial = new Serial();
  #server: ControlServer | undefined;
  #listener: MetricsListener | undefined;
  /** Scrapes that were refused since the last line about them, and when that was. */
  #refusedScrapes = 0;
  #refusedLoggedMs = Number.NEGATIVE_INFINITY;
  #libraries: ReturnType<typeof loadLibraries> | undefined;
  #metrics: SharedText | undefined;
  #renderer: MetricsRenderer | undefined;
  #listening: Config['metrics'] = { listen: null, hosts: [] };
  /** The number of the operators' group, undefined if there is none of its name. */
  #operatorGid: Shared<number | undefined> | undefined;
  /** Why there is no listener for scrapers; undefined if there is one, or none is wanted. */
  #listenProblem: string | undefined;
  #retry: Timer | undefined;
  /** From the stop on nothing is opened any more. */
  #isStopped = false;

  constructor(options: SurfaceOptions) {
    this.#options = options;
  }

  /** What does not work, one sentence each. */
  get problems(): readonly string[] {
    return this.#listenProblem === undefined ? [] : [this.#listenProblem];
  }

  /**
   * Begins to serve. EPERM, EEXIST, EBUSY: the socket. That the list of groups cannot be read, or
   * the listener for scrapers cannot be opened, is logged, and tried again: its address may come
   * later than the daemon, and the network of the host must wait for neither.
   */
  async start({ control, metrics }: Config): Promise<void> {
    const { backend, log, clock } = this.#options;
    const { SharedText, MetricsRenderer, startControlServer } = await this.#load();
    const render = async (): Promise<string> => {
      const snapshot = await backend.metrics();
      // From the first scrape on it watches the process, and an idle daemon is woken by that.
      this.#renderer ??= new MetricsRenderer();
      return await this.#renderer.render(snapshot);
    };
    this.#metrics = new SharedText(render, clock.nowMs);
    try {
      await this.setOperators(control.group);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      const { code, message } = error;
      log.error({ event: 'no-operators', code }, `${message}: only root may operate until it can`);
    }
    this.#server = await startControlServer({
      backend,
      socketPath: control.socket,
      version: VERSION,
      operatorGid: async () => await this.#operatorGid?.get(),
      peerCredentials: (fd) => native.peerCredentials(fd),
      metrics: this.#metrics,
      wallTime,
      after: clock.after,
      log,
    });
    await this.#serial.run(() => this.#tryToListen(metrics, RETRY_FIRST_MS));
  }

  async #tryToListen(metrics: Config['metrics'], pauseMs: number): Promise<void> {
    const { clock, log } = this.#options;
    try {
      await this.#setMetrics(metrics);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      if (this.#isStopped) return;
      const { code, message } = error;
      if (this.#listenProblem === undefined) log.error({ event: 'metrics-refused', code }, message);
      this.#listenProblem = message;
      this.#retry = clock.after(pauseMs, () => {
        void this.#serial.run(async () => {
          // A reload may have changed meanwhile where to listen.
          if (this.#listenProblem === undefined) return;
          await this.#tryToListen(metrics, Math.min(2 * pauseMs, RETRY_LAST_MS));
        });
      });
    }
  }

  /**
   * Members of `group` may operate from now on; while there is no such group, root alone. EIO: the
   * list of groups cannot be read.
   */
  async setOperators(group: string): Promise<void> {
    const { clock } = this.#options;
    const groupId = this.#options.groupId ?? (await this.#load()).systemGroupId;
    const gid = new Shared(() => groupId(group), OPERATORS_MS, clock.nowMs);
    // None in force yet: the list may be readable when a request comes.
    this.#operatorGid ??= gid;
    const isThere = (await gid.get()) !== undefined;
    this.#operatorGid = gid;
    if (isThere) return;
    const message = `there is no group ${group}: only root may operate`;
    this.#options.log.info({ event: 'no-operators', group }, message);
  }

  /** Listens for scrapers at the place in `metrics` alone; as before if that fails. */
  setMetrics(metrics: Config['metrics']): Promise<void> {
    return this.#serial.run(() => this.#setMetrics(metrics));
  }

  async #setMetrics(metrics: Config['metrics']): Promise<void> {
    if (this.#isStopped) return;
    const before = this.#listener;
    const { listen } = metrics;
    const isSamePlace = before?.host === listen?.host && before?.port === listen?.port;
    if (isSamePlace) await this.#closeListener();
    try {
      this.#listener = await this.#listen(metrics);
    } catch (error) {
      if (isSamePlace) this.#listener = await this.#listen(this.#listening);
      throw error;
    }
    this.#listening = metrics;
    this.#retry?.cancel();
    if (this.#listenProblem !== undefined) {
      this.#listenProblem = undefined;
      this.#options.log.info({ event: 'metrics-recovered' }, 'scrapers are served now');
    }
    if (!isSamePlace) await before?.close();
  }

  async #listen({ listen, hosts }: Config['metrics']): Promise<MetricsListener | undefined> {
    const metrics = this.#metrics;
    if (listen === null || metrics === undefined) return undefined;
    const { startMetricsListener } = await this.#load();
    try {
      const onRefused = this.#warnOfRefused;
      return await startMetricsListener({ ...listen, hosts, metrics, onRefused });
    } catch (error) {
      throw listenRefusal(listenFormat(listen), error);
    }
  }

  /** Once in a while: a scraper comes again and again. */
  readonly #warnOfRefused = (name: string, address: string): void => {
    const { clock, log } = this.#options;
    this.#refusedScrapes++;
    if (clock.nowMs() < this.#refusedLoggedMs + REFUSED_MS) return;
    this.#refusedLoggedMs = clock.nowMs();
    const scrapes = this.#refusedScrapes;
    this.#refusedScrapes = 0;
    const hint = `add ${name} without its port to metrics.hosts`;
    const fields = { event: 'scrape-refused', host: name, address, scrapes, hint };
    log.warn(fields, `a scrape of ${name} was refused: this listener is not called so`);
  };

  /** Ends the service, and removes the socket. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#retry?.cancel();
    this.#listenProblem = undefined;
    // After a listener that is just being opened: it would keep the process.
    await this.#serial.run(() => this.#closeListener());
    await this.#server?.close();
    this.#server = undefined;
    this.#renderer?.close();
  }

  #load(): ReturnType<typeof loadLibraries> {
    this.#libraries ??= loadLibraries();
    return this.#libraries;
  }

  async #closeListener(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    await listener?.close();
  }
}

async function loadLibraries() {
  const [server, listener, text, socket, prometheus] = await Promise.all([
    import('../ctl/api/server.ts'),
    import('../ctl/api/metrics-listener.ts'),
    import('../ctl/api/shared.ts'),
    import('../ctl/api/socket.ts'),
    import('../stats/prometheus.ts'),
  ]);
  return { ...server, ...listener, ...text, ...socket, ...prometheus };
}

function listenRefusal(place: string, error: unknown): unknown {
  const code = errnoOf(error);
  if (code === undefined) return error;
  return new OperatorError('EADDRINUSE', `metrics.listen: cannot listen on ${place}: ${code}`);
}
