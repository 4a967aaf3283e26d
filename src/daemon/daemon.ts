/**
 * The composition root: joins the system to the machine. Here and nowhere else do the datapath, the
 * host adapters, the control plane and the control surface know of each other.
 *
 * Order of the start, and why: the directory of the socket, where changes to the host are written
 * down too; the workers, since devices are given to them (they begin before this file is loaded);
 * then, if no other daemon is running, what a killed predecessor left is put back; then the
 * configuration is brought into force, in the order of difference.ts; and the control surface last,
 * because its libraries take long to load and packets should flow meanwhile. The stop goes back.
 */

import { randomInt } from 'node:crypto';
import { OperatorError } from '../base/errors.ts';
import { external, type Operation } from '../base/operation.ts';
import { Rng } from '../base/rng.ts';
import { beginServing, endServing } from '../base/serving.ts';
import { Applier } from '../change/applier.ts';
import { Reconfiguration } from '../change/reconfiguration.ts';
import type { ConfigStore } from '../config/store.ts';
import { lockNamespace } from '../ctl/api/namespace-lock.ts';
import { prepareDirectory } from '../ctl/api/socket.ts';
import type { DatapathPool } from '../datapath/pool.ts';
import { readCounters } from '../host/counters.ts';
import { Host } from '../host/host.ts';
import type { HostEvent } from '../host/host-event.ts';
import type { Leftovers } from '../host/undo/undo.ts';
import { native } from '../native/addon.ts';
import { hostClock, wallTime } from '../process/clock.ts';
import { logLate } from '../process/late.ts';
import type { Log } from '../process/log.ts';
import type { ServiceManager } from '../process/service-manager.ts';
import { VERSION } from '../process/version.ts';
import { System, type SystemEvent } from '../system.ts';
import { Control } from './control.ts';
import { Devices } from './devices.ts';
import { NicDrivers } from './driver.ts';
import { handleHostRequest } from './host-requests.ts';
import { RouteFeed } from './host-routes.ts';
import { dropsOf, installKstats, type KstatSources } from './kstats.ts';
import { journalPathFor, readMachineId } from './machine.ts';
import { Pump } from './pump.ts';
import { EventLog, logPriority, logStop } from './reports.ts';
import { Supervision } from './supervision.ts';
import { Surface } from './surface.ts';
import type { Workers } from './workers.ts';

/** One running daemon. */
export class Daemon {
  readonly #store: ConfigStore;
  readonly #log: Log;
  readonly #eventLog: EventLog;
  readonly #fail: (error: unknown) => void;
  readonly #workers: Workers;
  readonly #pool: DatapathPool;
  readonly #system: System;
  readonly #pump: Pump;
  readonly #routes: RouteFeed;
  readonly #host: Host;
  readonly #drivers: NicDrivers;
  readonly #devices: Devices;
  readonly #reconfiguration: Reconfiguration;
  readonly #control: Control;
  readonly #surface: Surface;
  readonly #supervision: Supervision;
  readonly #kstatSources: KstatSources;
  /** Milliseconds since the process began, by what was done by then. */
  readonly #startMs: Record<string, number> = {};
  #starting: Promise<void> = Promise.resolve();
  #unlockNamespace: () => void = () => undefined;
  #isReady = false;
  #isStopping = false;

  /** `fail` is called at most once, with what makes it impossible to go on. */
  constructor(
    store: ConfigStore,
    workers: Workers,
    log: Log,
    manager: ServiceManager,
    fail: (error: unknown) => void,
  ) {
    this.#mark('loaded');
    this.#store = store;
    this.#workers = workers;
    this.#pool = workers.pool;
    this.#log = log;
    this.#eventLog = new EventLog(log, hostClock);
    let hasFailed = false;
    this.#fail = (error) => {
      if (this.#isStopping) log.error({ event: 'stop-troubled', err: error }, 'while stopping');
      if (hasFailed || this.#isStopping) return;
      hasFailed = true;
      fail(error);
    };
    this.#drivers = new NicDrivers(this.#pool, readCounters, hostClock, (call) =>
      logLate(log, call),
    );
    this.#system = new System({
      publication: this.#pool.publication,
      rng: new Rng(randomInt(2 ** 32)),
      run: randomInt(2 ** 32).toString(16),
      linkStatistics: (nic, ifname) => this.#drivers.statistics(nic, ifname),
      isHostMac: (mac) => this.#host.isHostMac(mac),
      closeGroupDevice: (name) =>
        promised(`close the device of ${name}`, () => this.#devices.remove(name)),
      setGroupForwarding: (name, forwarding) =>
        promised(`forwarding of ${name}`, async () =>
          this.#devices.contentsOf(name)?.setForwarding(forwarding),
        ),
      setGroupMulticast: (name, address, isMember) =>
        promised(`multicast ${address} of ${name}`, async () =>
          this.#devices.contentsOf(name)?.setMulticast(address, isMember),
        ),
      nowMs: hostClock.nowMs(),
      lockClock: hostClock.nowMs,
    });
    this.#pump = this.#makePump();
    this.#routes = new RouteFeed(this.#pump, this.#fail);
    const machineId = readMachineId(log);
    this.#host = this.#makeHost(machineId);
    this.#devices = new Devices({
      host: this.#host,
      pool: this.#pool,
      pump: this.#pump,
      drivers: this.#drivers,
      machineId,
      queues: workers.count,
      clock: hostClock,
      log,
      fail: this.#fail,
    });
    this.#reconfiguration = this.#makeReconfiguration();
    this.#control = this.#makeControl();
    this.#surface = new Surface({ backend: this.#control, log, clock: hostClock });
    this.#supervision = new Supervision({
      manager,
      system: this.#system,
      pool: this.#pool,
      pump: this.#pump,
      clock: hostClock,
      log,
    });
    this.#kstatSources = {
      system: this.#system,
      datapath: {
        totals: () => this.#pool.totals(),
        workerTotals: () => this.#pool.workerTotals(),
        drops: () => this.#pool.dropCounters(),
      },
      lostInjections: () => this.#pump.lostFrames,
      nowMs: hostClock.nowMs,
    };
    installKstats(this.#kstatSources);
  }

  /** Resolves when the daemon serves; fails if it cannot. */
  start(): Promise<void> {
    this.#starting = this.#start();
    return this.#starting;
  }

  /**
   * Puts everything back. Also after a start that failed or is still under way. A step that fails
   * does not keep the others; its error is thrown in the end.
   */
  async stop(): Promise<void> {
    this.#isStopping = true;
    endServing();
    this.#supervision.handleStopping();
    await this.#starting.catch(() => undefined);
    const errors: unknown[] = [];
    let leftovers: Leftovers = { failed: [], unseen: [] };
    for (const step of [
      () => this.#reconfiguration.idle(),
      () => this.#surface.stop(),
      () => this.#devices.removeAll(),
      () => this.#pool.stop(),
      async () => {
        leftovers = await this.#host.stop();
      },
      () => this.#unlockNamespace(),
    ]) {
      try {
        await step();
      } catch (error) {
        errors.push(error);
      }
    }
    this.#supervision.stop();
    this.#pump.stop();
    if (errors.length > 0) throw errors[0];
    logStop(this.#log, leftovers);
  }

  /** Writes the state to the log, and in a second line kstats, when drivers have answered. */
  async dump(): Promise<void> {
    const { groups } = this.#system.describeStatus();
    const drops = [...dropsOf(this.#kstatSources)].filter(([, count]) => count > 0n);
    this.#log.info(
      {
        event: 'dump',
        groups,
        interfaces: this.#system.describeInterfaces(),
        addresses: this.#system.describeAddresses(),
        neighbors: this.#system.describeNeighbors(),
        drops: Object.fromEntries(drops.map(([name, count]) => [name, String(count)])),
        lost: { ...this.#system.lostCounters(), injections: String(this.#pump.lostFrames) },
        longestLockHoldMs: this.#system.longestLockHoldMs,
      },
      'state',
    );
    const records = await this.#control.kstats(() => true);
    const kstats = records.map(({ module, instance, name, data }) => [
      `${module}:${instance}:${name}`,
      data,
    ]);
    const fields = { event: 'dump-statistics', kstats: Object.fromEntries(kstats) };
    this.#log.info(fields, 'statistics');
  }

  /**
   * Reads the configuration anew, as soon as the daemon serves; what is wrong or could not be
   * applied is logged.
   */
  async reload(): Promise<void> {
    await this.#starting.catch(() => undefined);
    if (!this.#isReady || this.#isStopping) return;
    this.#supervision.handleReloading();
    try {
      await this.#reconfiguration.reload();
    } catch (error) {
      if (!(error instanceof OperatorError)) this.#fail(error);
    } finally {
      this.#supervision.handleReloaded();
    }
  }

  async #start(): Promise<void> {
    prepareDirectory(this.#store.config.control.socket);
    this.#connectPool();
    await this.#workers.ready;
    this.#mark('workers');
    logPriority(this.#log, this.#pool.nices());
    if (this.#isStopping) return;
    const credentials = (fd: number) => native.peerCredentials(fd);
    this.#unlockNamespace = await lockNamespace(credentials, this.#log);
    const takenBack = await this.#host.start();
    if (takenBack > 0) {
      this.#log.warn(
        { event: 'restored', changes: takenBack },
        `took back ${takenBack} changes that a killed predecessor had left`,
      );
    }
    this.#mark('host');
    await this.#reconfiguration.start();
    this.#mark('devices');
    if (this.#isStopping) return;
    await this.#surface.start(this.#reconfiguration.config);
    if (this.#isStopping) return;
    this.#mark('surface');
    this.#isReady = true;
    beginServing();
    this.#supervision.start();
    const { interfaces, groups, control } = this.#reconfiguration.config;
    this.#log.info(
      { event: 'ready', version: VERSION, socket: control.socket, startMs: this.#startMs },
      `ipmpd ${VERSION} serves ${groups.length} groups with ${interfaces.length} interfaces`,
    );
  }

  #mark(done: string): void {
    this.#startMs[done] = Math.round(hostClock.nowMs());
  }

  #connectPool(): void {
    const pool = this.#pool;
    pool.onPunts = (frames) => this.#pump.takeFrames(frames);
    pool.onPortError = (port, errno) => this.#devices.handlePortError(port, errno);
    pool.onFailure = (worker, error) => {
      this.#log.fatal({ event: 'worker-failed', worker, err: error }, 'a datapath worker died');
      this.#fail(error);
    };
  }

  #makePump(): Pump {
    return new Pump(this.#system, hostClock, {
      transmit: (port, frame) => this.#pool.inject(port, frame),
      request: (request) => {
        handleHostRequest(request, { host: this.#host, log: this.#log, fail: this.#fail });
      },
      event: (event) => this.#handleSystemEvent(event),
      fail: (error) => this.#fail(error),
    });
  }

  #makeHost(machineId: string): Host {
    return new Host({
      journalPath: journalPathFor(this.#store.config.control.socket),
      machineId,
      log: this.#log,
      onEvent: (event) => this.#handleHostEvent(event),
      carrier: { words: this.#pool.carrierWords, wakeFds: this.#pool.wakeFds },
    });
  }

  #makeReconfiguration(): Reconfiguration {
    const applier = new Applier({
      system: this.#system,
      devices: this.#devices,
      run: (label, body) => this.#pump.run(label, body),
      setLogLevel: (level) => {
        this.#log.level = level;
      },
      setMetrics: (metrics) => this.#surface.setMetrics(metrics),
      setOperators: (group) => this.#surface.setOperators(group),
    });
    return new Reconfiguration({
      store: this.#store,
      applier,
      log: this.#log,
      tell: (news) =>
        this.#pump.afterEvents(() => this.#control.publishNews(news, hostClock.nowMs())),
      isStopping: () => this.#isStopping,
      refusalOf: (name) => this.#devices.refusalOf(name),
      restore: () => this.#devices.restore(),
    });
  }

  #makeControl(): Control {
    return new Control({
      system: this.#system,
      devices: this.#devices,
      reconfiguration: this.#reconfiguration,
      store: this.#store,
      version: VERSION,
      run: (label, body) => this.#pump.run(label, body),
      readiness: () => ({
        ready: this.#isReady && !this.#isStopping,
        reason: this.#isStopping ? 'stopping' : this.#isReady ? 'ready' : 'starting',
      }),
      isUnanswered: (ifname) =>
        this.#drivers.isUnanswered(ifname) || this.#devices.isUnanswered(ifname),
      problems: () => [...this.#reconfiguration.problems, ...this.#devices.problems()],
      surfaceProblems: () => this.#surface.problems,
      refusalOf: (name) => this.#devices.refusalOf(name),
      useByHost: (name) => this.#host.useByHost(name),
      nowMs: hostClock.nowMs,
      wallTime,
      onFailure: this.#fail,
    });
  }

  #handleHostEvent(event: HostEvent): void {
    switch (event.kind) {
      case 'device':
        this.#devices.handleDevice(event);
        break;
      case 'attachable':
        this.#devices.handleAttachable(event.ifname);
        break;
      case 'link':
        this.#devices.handleLink(event);
        break;
      case 'addresses':
        this.#pump.input((system, nowMs) =>
          system.handleHostAddresses(event.device, event.list, nowMs),
        );
        break;
      case 'routes':
        this.#routes.handleRoutes(event.device, event.list);
        break;
      case 'uplink-refused':
        this.#log.warn(
          { event: event.kind, device: event.ifname, code: event.error.code },
          event.error.message,
        );
        break;
    }
  }

  #handleSystemEvent(event: SystemEvent): void {
    this.#eventLog.handleEvent(event);
    this.#control.publish(event);
    this.#supervision.handleEvent(event);
  }
}

/** Waits for what the host is asked to do. */
function promised<T>(label: string, start: () => Promise<T>): Operation<T> {
  return external<T>(label, (settle) => {
    start().then(settle.resolve, settle.reject);
    return undefined;
  });
}
