/**
 * The life (host/port/life.ts) of devices, NICs and groups alike, with the workers and the system.
 *
 *   open    host opens ──> workers take the descriptors ──> the system adds it
 *   close   the system drops it ──> workers let go ──> host closes
 *
 * The order is the rule: the system never has a device that the workers do not have, and no
 * descriptor is closed while a worker may touch it. A device that is absent or refused is a normal
 * state: it is logged, shown as absent, and opened when the host suggests it.
 *
 * Invariant: for each name one step is under way at most. The table decides which events count when
 * it ends.
 */

import { OperatorError } from '../base/errors.ts';
import { nextTurn } from '../base/turns.ts';
import { type ContentsHost, GroupContents, logDeviceProblem } from '../change/group-contents.ts';
import type { GroupConfig, InterfaceConfig } from '../config/types.ts';
import type { DatapathPool } from '../datapath/pool.ts';
import type { Host } from '../host/host.ts';
import type { DeviceEvent, LinkEvent } from '../host/host-event.ts';
import { type LifeEvent, transition } from '../host/port/life.ts';
import { stableMac } from '../host/port/stable-mac.ts';
import type { Clock } from '../process/clock.ts';
import { LATE_MS } from '../process/late.ts';
import type { Log } from '../process/log.ts';
import type { System } from '../system.ts';
import { Entry, type Steps } from './device-entry.ts';
import type { NicDrivers } from './driver.ts';
import type { Pump } from './pump.ts';

/** Ours: devices whose end the system gets in one turn; on a large host that takes 20 ms. */
const GONE_A_TURN = 8;

/** What the devices are joined from. */
export interface DevicesOptions {
  readonly host: ContentsHost &
    Pick<
      Host,
      | 'attachInterface'
      | 'releaseInterface'
      | 'detachInterface'
      | 'createGroupDevice'
      | 'removeGroupDevice'
      | 'releaseAll'
      | 'refresh'
    >;
  readonly pool: Pick<DatapathPool, 'attach' | 'detach'>;
  readonly pump: Pick<Pump, 'input'>;
  readonly drivers: Pick<NicDrivers, 'attached' | 'released' | 'removed'>;
  readonly machineId: string;
  readonly queues: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly fail: (error: unknown) => void;
}

/** Ours: between two times that a device is opened anew. */
const REOPEN_MS = 5000;

/** All devices of the daemon. */
export class Devices {
  readonly #options: DevicesOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #groups = new Map<string, GroupContents>();

  constructor(options: DevicesOptions) {
    this.#options = options;
  }

  /** Takes a NIC if it is there; resolves when it is attached or refused. */
  async addInterface(config: InterfaceConfig, nic: number): Promise<void> {
    await this.#add(this.#interface(config, nic));
  }

  /** Makes a group's device; resolves when it is there or refused. */
  async addGroup(config: GroupConfig, port: number): Promise<void> {
    const { name } = config;
    const contents = new GroupContents(config, this.#options.host);
    this.#groups.set(name, contents);
    await this.#add(this.#group(contents, port));
  }

  /** What a group's device carries; undefined if there is no such group. */
  contentsOf(name: string): GroupContents | undefined {
    return this.#groups.get(name);
  }

  /** True while a step of this device waits for the kernel for long. */
  isUnanswered(name: string): boolean {
    const entry = this.#entries.get(name);
    if (entry?.running === undefined) return false;
    return this.#options.clock.nowMs() - entry.busySinceMs > LATE_MS;
  }

  /** Why a device is not open: undefined if it is, or was and went away. */
  refusalOf(name: string): OperatorError | undefined {
    return this.#entries.get(name)?.refusal;
  }

  /** What the devices of groups are to carry and do not: one sentence each. */
  problems(): string[] {
    return [...this.#groups.values()].flatMap((contents) => contents.problems());
  }

  /** Puts back what others took off the devices of groups; answers what, one sentence each. */
  async restore(): Promise<string[]> {
    const restored: string[] = [];
    for (const contents of this.#groups.values()) {
      restored.push(...(await contents.restore(this.#options.log)));
    }
    return restored;
  }

  /** Gives a device back for good. What fails on the way goes to `fail`, and is never thrown. */
  async remove(name: string): Promise<void> {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#begin(entry, 'forget');
    await entry.running;
    try {
      await entry.steps.forget();
    } catch (error) {
      this.#warn('device-not-given-back', entry, error);
    }
    this.#entries.delete(name);
    this.#groups.delete(name);
  }

  /** Gives every device back for good: each step of `remove` for all, then the next one. */
  async removeAll(): Promise<void> {
    const entries = [...this.#entries.values()].reverse();
    let running: Promise<void>[];
    do {
      // An open one may be lost, and closed by itself, while the others are waited for.
      for (const entry of entries) if (entry.state !== 'open') transition(entry, 'forget');
      running = entries.flatMap((entry) => entry.running ?? []);
      await Promise.all(running);
    } while (running.length > 0);
    const open = entries.filter((entry) => transition(entry, 'forget').action === 'close');
    for (const { name } of open) this.#groups.get(name)?.handleClosed();
    const { pool, drivers, host } = this.#options;
    for (const [at, { name }] of open.entries()) {
      this.#reportDevice(name, ABSENT);
      if (at % GONE_A_TURN === GONE_A_TURN - 1) await nextTurn();
    }
    await Promise.all(open.map(({ steps }) => pool.detach(steps.port)));
    for (const { name } of open) drivers.released(name);
    await host.releaseAll();
    this.#entries.clear();
    this.#groups.clear();
  }

  /** A device has changed or is gone. */
  handleDevice(event: DeviceEvent): void {
    const { ifname: name, present } = event;
    const entry = this.#entries.get(name);
    const again = (): void => this.handleDevice(event);
    if (entry === undefined || !this.#counts(entry, present ? 'news' : 'lost', again)) return;
    if (present) {
      const { mac, mtu, up } = event;
      this.#reportDevice(name, { present, mac, mtu, up });
      return;
    }
    this.#options.log.warn({ event: 'device-lost', device: name }, event.cause);
    this.#reportDevice(name, ABSENT);
    this.#begin(entry, 'close');
  }

  /** The link of a NIC has changed. */
  handleLink(event: LinkEvent): void {
    const entry = this.#entries.get(event.ifname);
    const again = (): void => this.handleLink(event);
    if (entry === undefined || !this.#counts(entry, 'news', again)) return;
    this.#options.pump.input((system, nowMs) => system.handleLink(entry.name, event, nowMs));
  }

  /** What was absent or refused may be tried now. */
  handleAttachable(name: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined || this.#options.clock.nowMs() < entry.heldUntilMs) return;
    this.#begin(entry, 'open');
  }

  /**
   * A worker cannot read the device any more. If it is gone the host reports it; otherwise it is
   * closed, so that what it carried goes another way, and opened anew.
   */
  handlePortError(port: number, errno: number): void {
    const entry = [...this.#entries.values()].find(({ steps }) => steps.port === port);
    if (entry === undefined) return;
    const { name } = entry;
    const fields = { event: 'port-error', device: name, errno };
    this.#options.log.info(fields, `${name} cannot be read any more`);
    const reopen = (): void => {
      this.#reopen(entry, errno).catch((error: unknown) => this.#options.fail(error));
    };
    // While it is being opened, the workers have it before the system does.
    if (this.#counts(entry, 'news', reopen)) reopen();
  }

  async #reopen(entry: Entry, errno: number): Promise<void> {
    const { clock, host, log } = this.#options;
    const { name, openings } = entry;
    await host.refresh();
    if (entry.state !== 'open' || entry.openings !== openings) return;
    log.warn({ event: 'device-reopened', device: name, errno }, `${name} is opened anew`);
    const nowMs = clock.nowMs();
    const pauseMs = nowMs - entry.reopenedMs < REOPEN_MS ? REOPEN_MS : 0;
    entry.reopenedMs = nowMs;
    entry.heldUntilMs = nowMs + pauseMs;
    this.#begin(entry, 'close');
    await entry.running;
    if (pauseMs === 0) this.handleAttachable(name);
    else clock.after(pauseMs, () => this.handleAttachable(name));
  }

  async #add(steps: Steps): Promise<void> {
    const entry = new Entry(steps);
    this.#entries.set(entry.name, entry);
    this.#begin(entry, 'open');
    await entry.running;
  }

  /** Makes the step that an event calls for, at once or after the one that is under way. */
  #begin(entry: Entry, event: LifeEvent): void {
    const { action } = transition(entry, event);
    if (action !== 'open' && action !== 'close') return;
    entry.next = action;
    entry.running ??= this.#run(entry);
  }

  /** True if an event counts now; one that comes while the device is being opened counts then. */
  #counts(entry: Entry, event: 'news' | 'lost', again: () => void): boolean {
    const { action } = transition(entry, event);
    if (action === 'keep') entry.kept.push(again);
    return action === 'tell' || action === 'report';
  }

  async #run(entry: Entry): Promise<void> {
    entry.busySinceMs = this.#options.clock.nowMs();
    try {
      for (let { next } = entry; next !== undefined; { next } = entry) {
        entry.next = undefined;
        await (next === 'open' ? this.#open(entry) : this.#close(entry));
      }
    } catch (error) {
      this.#options.fail(error);
    } finally {
      entry.running = undefined;
    }
  }

  async #open(entry: Entry): Promise<void> {
    entry.kept = [];
    try {
      const { fds, ready } = await entry.steps.open();
      try {
        await this.#options.pool.attach(entry.steps.port, fds);
        await ready();
      } catch (error) {
        await this.#giveBack(entry);
        throw error;
      }
    } catch (error) {
      entry.refusal = this.#warn('device-refused', entry, error);
      this.#begin(entry, 'refused');
      return;
    }
    this.#begin(entry, 'opened');
    entry.openings++;
    entry.refusal = undefined;
    for (const again of entry.kept) again();
  }

  async #close(entry: Entry): Promise<void> {
    await this.#giveBack(entry);
    this.#begin(entry, 'closed');
  }

  /** What cannot be given back in order does not stop the daemon. */
  async #giveBack(entry: Entry): Promise<void> {
    const { name, steps } = entry;
    this.#groups.get(name)?.handleClosed();
    this.#reportDevice(name, ABSENT);
    await this.#options.pool.detach(steps.port);
    try {
      await steps.close();
    } catch (error) {
      this.#warn('device-not-given-back', entry, error);
    }
  }

  /** Logs what the host refused; anything else is thrown. */
  #warn(event: string, { name: device }: Entry, error: unknown): OperatorError {
    if (!(error instanceof OperatorError)) throw error;
    const { code, hint, message } = error;
    this.#options.log.warn({ event, device, code, hint }, message);
    return error;
  }

  #interface(config: InterfaceConfig, nic: number): Steps {
    const { host, pump, drivers, queues, log } = this.#options;
    const { name, uplink, bridge } = config;
    return {
      name,
      port: nic,
      open: async () => {
        const device = await host.attachInterface({ name, nic, uplink, bridge }, queues);
        const { fds, mac, mtu, link, changes } = device;
        const ready = (): void => {
          drivers.attached(name, uplink === null);
          log.info({ event: 'device-attached', device: name, link }, `${name} is attached`);
          pump.input((system, nowMs) => {
            system.handleDevice(name, { present: true, mac, mtu, link }, nowMs);
            system.handleLink(name, { link, changes }, nowMs);
          });
        };
        return { fds, ready };
      },
      close: async () => {
        drivers.released(name);
        await host.releaseInterface(name);
      },
      forget: async () => {
        try {
          await host.detachInterface(name);
        } finally {
          drivers.removed(name, nic);
        }
      },
    };
  }

  #group(contents: GroupContents, port: number): Steps {
    const { host, log, machineId, queues } = this.#options;
    const { name } = contents;
    const mac = stableMac(machineId, name, 'group');
    return {
      name,
      port,
      open: async () => {
        const spec = contents.deviceSpec();
        const { fds, mtu, problems } = await host.createGroupDevice({ ...spec, mac, queues });
        for (const problem of problems) logDeviceProblem(log, name, problem);
        const ready = async (): Promise<void> => {
          this.#reportDevice(name, { present: true, mac, mtu, up: true });
          await host.refresh(name);
          await contents.joinAgain(log);
          // Last: nothing may be waited for between this and changes that are made at once.
          await contents.catchUp(spec, log);
        };
        return { fds, ready };
      },
      close: () => host.removeGroupDevice(name),
      forget: () => host.removeGroupDevice(name),
    };
  }

  #reportDevice(name: string, info: Parameters<System['handleGroupDevice']>[1]): void {
    this.#options.pump.input((system, nowMs) => {
      if (system.groupPortOf(name) !== undefined) system.handleGroupDevice(name, info, nowMs);
      else system.handleDevice(name, info, nowMs);
    });
  }
}

const ABSENT = { present: false, mac: 0, mtu: 0, up: false } as const;
