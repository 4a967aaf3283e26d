/**
 * The link of one attached interface: which devices decide about it, what they say now, and how
 * often they have changed. Joins the carrier watch (at once, carrier only) with the mirror
 * (everything, perhaps later).
 */

import type { InterfaceSpec } from './attach.ts';
import { lowerNameOf, wiringOf } from './attach.ts';
import type { CarrierMonitor } from './carrier.ts';
import { carrierDevicesOf, type LinkState, linkStateOf } from './link-state.ts';
import type { Mirror } from './mirror.ts';
import type { LinkRecord } from './records.ts';

/** What the tracker asks. */
export interface LinkSources {
  readonly carrier: Pick<CarrierMonitor, 'set' | 'isLost' | 'changes'> | undefined;
  readonly mirror: () => Pick<Mirror, 'link' | 'ports'>;
  /** True for a TAP of ours: it always has carrier and so says nothing about a bridge. */
  readonly isInterface: (name: string) => boolean;
}

/** See the head of the file. */
export class LinkTracker {
  link: LinkState = 'down';
  /** Changes of carrier since the interface was first attached; never falls. */
  changes = 0;
  readonly #spec: InterfaceSpec;
  readonly #sources: LinkSources;
  #counted = 0;
  #hasCarried = false;

  constructor(spec: InterfaceSpec, sources: LinkSources) {
    this.#spec = spec;
    this.#sources = sources;
  }

  /** The devices whose carrier decides. */
  devices(): readonly LinkRecord[] {
    return carrierDevicesOf(wiringOf(this.#spec), this.#lower(), this.#otherPorts());
  }

  /** Watches the devices that decide now; their changes of the past are not ours. */
  watch(): void {
    const { carrier } = this.#sources;
    if (carrier === undefined || carrier.set(this.#spec.nic, this.devices())) {
      this.#counted = this.#count();
    }
  }

  /** Ends the watch; the link is down from now on. */
  unwatch(): void {
    this.#sources.carrier?.set(this.#spec.nic, []);
    this.link = 'down';
    this.#hasCarried = false;
  }

  /**
   * Asks the sources; true if the link or the number of changes is new. Counter and
   * state come from two sources, of which either may be first. A state that is as it was has seen an
   * even number of changes, another one an odd number: one too many belongs to a change of state
   * that is still to come, or was told before it was counted, and waits.
   */
  update(): boolean {
    const { link } = this;
    const device = this.#sources.mirror().link(this.#spec.name);
    if (device?.carrier === true) this.#hasCarried = true;
    this.link = linkStateOf({
      wiring: wiringOf(this.#spec),
      device,
      hasCarried: this.#hasCarried,
      lower: this.#lower(),
      otherPorts: this.#otherPorts(),
      isCarrierLost: this.#sources.carrier?.isLost(this.#spec.nic) ?? false,
    });
    const fresh = Math.max(0, this.#count() - this.#counted);
    const told = Math.max(0, link === this.link ? fresh - (fresh % 2) : fresh - 1 + (fresh % 2));
    this.changes += told;
    this.#counted += told;
    return link !== this.link || told > 0;
  }

  #count(): number {
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
