/**
 * The link of one attached interface: which devices decide about it, their state now, and how
 * often they have changed. Joins the carrier watch (at once, carrier only) with the mirror
 * (everything, perhaps later).
 *
 *   up   --------------------------> down   at once, by either source
 *   down ----> held for HOLD_MS ----> up     a loss meanwhile: still down, two changes more
 *
 * Counter and state come from two sources, of which either may be first. A state that is as it was
 * has seen an even number of changes, another one an odd number: a change too many belongs to a
 * state still to come, one too few to a counter still to come. What has not come within SETTLE_MS
 * never will: a device that is set down and up may change its state without a change of carrier.
 */

import type { LinkState } from '../../model/states.ts';
import type { Clock, Timer } from '../../process/clock.ts';
import type { CarrierMonitor } from '../carrier.ts';
import type { Mirror } from '../kernel/mirror.ts';
import type { LinkRecord } from '../kernel/records.ts';
import type { InterfaceSpec } from './attach.ts';
import { lowerNameOf, wiringOf } from './attach.ts';
import { carrierDevicesOf, linkStateOf } from './link-state.ts';

/** Ours: a switch gives carrier before it forwards; a bridge of the kernel needs some ms. */
const HOLD_MS = 50;

/** Ours: a hundred periods of the carrier watch, and the kernel answers a question sooner. */
const SETTLE_MS = 100;

/** What the tracker reads. */
export interface LinkSources {
  readonly clock: Clock;
  readonly carrier: Pick<CarrierMonitor, 'set' | 'isLost' | 'isWatching' | 'changes'> | undefined;
  readonly mirror: () => Pick<Mirror, 'link' | 'ports'>;
  /** True for a TAP of ours: it always has carrier and so does not count for a bridge. */
  readonly isInterface: (name: string) => boolean;
  /** `link` or `changes` is new; never called within `start` or `stop`. */
  readonly onNews: () => void;
}

/** See the head of the file. */
export class LinkTracker {
  /** The link as reported: a repair is held back for a moment. */
  link: LinkState = 'down';
  /** Changes of carrier since the interface was first attached, as reported; never falls. */
  changes = 0;
  readonly #spec: InterfaceSpec;
  readonly #sources: LinkSources;
  #hasCarried = false;
  #state: LinkState = 'down';
  #total = 0;
  #counted = 0;
  #count = 0;
  #changedAtMs = Number.NEGATIVE_INFINITY;
  #hold: Timer | undefined;

  constructor(spec: InterfaceSpec, sources: LinkSources) {
    this.#spec = spec;
    this.#sources = sources;
  }

  /** The devices whose carrier decides. */
  devices(): readonly LinkRecord[] {
    return carrierDevicesOf(wiringOf(this.#spec), this.#lower(), this.#otherPorts());
  }

  /** The interface is attached: what its link is now is the beginning, and nothing is held. */
  start(): void {
    this.#watch();
    this.#state = this.#readState();
    this.#settle();
  }

  /** Ends the watch; the link is down from now on. */
  stop(): void {
    this.#sources.carrier?.set(this.#spec.nic, []);
    this.#cancelHold();
    this.#hasCarried = false;
    this.#state = 'down';
    this.#settle();
  }

  /** Other devices decide now than before; their changes of the past are not ours. */
  watchAgain(): void {
    this.#watch();
    this.evaluate();
  }

  /** Watches again what could not be watched before. */
  watchIfNot(): void {
    const { carrier } = this.#sources;
    const isDue = carrier?.isWatching(this.#spec.nic) === false && this.devices().length > 0;
    if (isDue) this.watchAgain();
  }

  /** Reads the sources, and reports what is new at once or after the hold. */
  evaluate(): void {
    this.#readSources();
    if (this.link === 'down' && this.#state !== 'down') {
      this.#hold ??= this.#sources.clock.after(HOLD_MS, () => {
        this.#hold = undefined;
        this.#report();
      });
      return;
    }
    this.#cancelHold();
    this.#report();
  }

  #report(): void {
    if (this.#settle()) this.#sources.onNews();
  }

  /** What is known becomes what is reported; true if that is new. */
  #settle(): boolean {
    const isNews = this.link !== this.#state || this.changes !== this.#total;
    this.link = this.#state;
    this.changes = this.#total;
    return isNews;
  }

  #cancelHold(): void {
    this.#hold?.cancel();
    this.#hold = undefined;
  }

  #watch(): void {
    const { carrier } = this.#sources;
    const devices = this.devices();
    if (carrier !== undefined && !carrier.set(this.#spec.nic, devices)) return;
    this.#count = this.#readCount();
    this.#counted = this.#count;
  }

  /** See the head of the file for how changes are counted. */
  #readSources(): void {
    const state = this.#readState();
    const count = this.#readCount();
    const isOther = state !== this.#state;
    const nowMs = this.#sources.clock.nowMs();
    if (nowMs - this.#changedAtMs >= SETTLE_MS) this.#counted = this.#count;
    if (isOther || count !== this.#count) this.#changedAtMs = nowMs;
    const fresh = count - this.#counted;
    const isOdd = fresh % 2 !== 0;
    const changes = Math.max(isOther ? 1 : 0, isOdd === isOther ? fresh : fresh - 1);
    this.#state = state;
    this.#count = count;
    this.#counted += changes;
    this.#total += changes;
  }

  #readState(): LinkState {
    const device = this.#sources.mirror().link(this.#spec.name);
    if (device?.carrier === true) this.#hasCarried = true;
    return linkStateOf({
      wiring: wiringOf(this.#spec),
      device,
      hasCarried: this.#hasCarried,
      lower: this.#lower(),
      otherPorts: this.#otherPorts(),
      isCarrierLost: this.#sources.carrier?.isLost(this.#spec.nic) ?? false,
    });
  }

  #readCount(): number {
    const { carrier } = this.#sources;
    if (carrier !== undefined) return carrier.changes(this.#spec.nic);
    return this.devices().reduce((sum, device) => sum + device.carrierChanges, 0);
  }

  #lower(): LinkRecord | undefined {
    const name = lowerNameOf(this.#spec);
    return name === null ? undefined : this.#sources.mirror().link(name);
  }

  #otherPorts(): readonly LinkRecord[] {
    const { bridge } = this.#spec;
    if (bridge === null) return [];
    const ports = this.#sources.mirror().ports(bridge);
    return ports.filter((port) => !this.#sources.isInterface(port.name));
  }
}
