/**
 * One address of the stack, of either family (docs/law.md rows 35, 37): a data address, which lives
 * on the group and is bound to one NIC at a time, or a test address, which stays on its NIC.
 *
 * `boundIll` belongs to the group layer (bind, unbind); `state` belongs to duplicate address
 * detection (dad.ts); the group layer reports to it when a binding begins or ends.
 */

import { assert } from '../../base/assert.ts';
import { IFA_F_NODAD, IFA_F_PERMANENT } from '../../model/address-flags.ts';
import type { IpifState } from '../../model/states.ts';
import { type Family, type IpAddress, ipFamily } from '../../wire/addr.ts';
import type { Ill } from './ill.ts';

export type IpifKind = 'data' | 'test';

/** One address. */
export class Ipif {
  readonly address: IpAddress;
  readonly family: Family;
  /**
   * 0 .. 32 or 128. For people only: the host may change it, and nothing on the LAN depends on it.
   */
  prefixLength: number;
  readonly kind: IpifKind;
  /** What the host's kernel notes of it, IFA_F_*. */
  hostFlags = IFA_F_PERMANENT;
  state: IpifState;
  #boundIll: Ill | undefined = undefined;

  private constructor(address: IpAddress, prefixLength: number, kind: IpifKind) {
    this.family = ipFamily(address);
    const most = this.family === 4 ? 32 : 128;
    assert(prefixLength >= 0 && prefixLength <= most, `prefix length ${prefixLength}`);
    this.address = address;
    this.prefixLength = prefixLength;
    this.kind = kind;
    this.state = 'tentative';
  }

  /** A data address, bound to no NIC yet. */
  static data(address: IpAddress, prefixLength: number, hostFlags = IFA_F_PERMANENT): Ipif {
    const ipif = new Ipif(address, prefixLength, 'data');
    ipif.hostFlags = hostFlags;
    return ipif;
  }

  /** A test address of `ill`, bound to it for life. */
  static test(address: IpAddress, prefixLength: number, ill: Ill): Ipif {
    const ipif = new Ipif(address, prefixLength, 'test');
    ipif.#boundIll = ill;
    ill.testIpifs.push(ipif);
    return ipif;
  }

  /** The administrator wants no duplicate address detection for it. */
  get nodad(): boolean {
    return (this.hostFlags & IFA_F_NODAD) !== 0;
  }

  /** The NIC that receives for this address; undefined while there is none. */
  get boundIll(): Ill | undefined {
    return this.#boundIll;
  }

  /** Binds an unbound data address at the head of the list of `ill` (docs/law.md row 44). */
  bind(ill: Ill): void {
    assert(this.kind === 'data', 'a test address is bound for life');
    assert(this.#boundIll === undefined, 'bind of a bound address');
    this.#boundIll = ill;
    ill.boundIpifs[this.family].unshift(this);
  }

  /** Takes a data address off its NIC; nothing happens when it has none. */
  unbind(): void {
    assert(this.kind === 'data', 'a test address is bound for life');
    const ill = this.#boundIll;
    if (ill === undefined) return;
    const list = ill.boundIpifs[this.family];
    const position = list.indexOf(this);
    assert(position >= 0, 'a bound address is in the list of its NIC');
    list.splice(position, 1);
    this.#boundIll = undefined;
  }

  /** Takes a test address off its NIC for good. */
  removeTest(): void {
    assert(this.kind === 'test', 'removeTest of a data address');
    const list = this.#boundIll?.testIpifs;
    const position = list?.indexOf(this) ?? -1;
    if (list !== undefined && position >= 0) list.splice(position, 1);
    this.#boundIll = undefined;
    this.state = 'down';
  }
}
