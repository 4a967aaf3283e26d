/**
 * Asking about neighbours: by which NIC a question leaves, with which sender address, and how
 * often.
 *
 * The first question of an asker leaves by the NIC to which its address is bound, with that NIC's
 * MAC. If the address is bound nowhere it leaves by any active member; if we may not claim it yet
 * (it is being probed, or is a duplicate) the question carries none, as a probe does (RFC 5227).
 * Each one that follows without an answer leaves by the next active member, from an address that is
 * bound there: the path behind the first may be dead, although its link is not. A NIC that has none
 * asks the known MAC alone: a broadcast without a sender address is a probe, and a station that is
 * detecting takes it for a rival's. Which NIC that is gets decided anew each time: a failover in
 * between moves it.
 *
 * A question of IPv6 always has an address, since the neighbour takes that and the MAC into its
 * table: another one of the same NIC, or of the next NIC that has one.
 *
 * Limits: two rates per NIC, so that a scan through us cannot flood the LAN, nor keep known
 * neighbours from being verified.
 */

import { TokenBucket } from '../../base/token-bucket.ts';
import {
  type IpAddress,
  ipFamily,
  ipIsLinkLocal,
  ipSameSubnet,
  type Mac,
} from '../../wire/addr.ts';
import type { LanCounters } from '../lan-counters.ts';
import type { LanMembership, LanOutput } from '../lan-port.ts';
import type { Ill } from '../object/ill.ts';
import type { ProtocolOf } from '../protocol.ts';
import type { Nce } from './nce.ts';

// Ours
/** Broadcast questions, per second and NIC (T6): a busy host's first second. */
export const ASK_RATE = 1000;
/** Questions to known MACs, per second and NIC: the host's own probes of its neighbours. */
export const VERIFY_RATE = 1000;

interface Rates {
  readonly ask: TokenBucket;
  readonly verify: TokenBucket;
}

interface AskingPoint {
  readonly ill: Ill;
  /** Undefined: the question carries no sender address. */
  readonly spa: IpAddress | undefined;
}

export interface QuestionsOptions {
  readonly membership: LanMembership;
  readonly output: LanOutput;
  readonly protocolOf: ProtocolOf;
  readonly counters: LanCounters;
}

/** Why a question cannot be asked now. */
export type QuestionRefusal = 'no_active_member' | 'address_tentative' | 'neighbor_rate_limited';

/** The questions of one LAN. */
export class Questions {
  readonly #membership: LanMembership;
  readonly #output: LanOutput;
  readonly #protocolOf: ProtocolOf;
  readonly #counters: LanCounters;
  /** By NIC number; as many as there are NICs. */
  readonly #rates = new Map<number, Rates>();

  constructor(options: QuestionsOptions) {
    this.#membership = options.membership;
    this.#output = options.output;
    this.#protocolOf = options.protocolOf;
    this.#counters = options.counters;
  }

  /** Why a first question of `spa`, by broadcast or to one, cannot be asked. */
  refusal(
    spa: IpAddress | undefined,
    target: IpAddress,
    isToAll: boolean,
    nowMs: number,
  ): QuestionRefusal | undefined {
    const point = this.#firstPoint(spa, target);
    if (point === undefined) {
      return this.#wantedPoint(spa) === undefined ? 'no_active_member' : 'address_tentative';
    }
    const { ask, verify } = this.#ratesOf(point.ill);
    return (isToAll ? ask : verify).has(nowMs) ? undefined : 'neighbor_rate_limited';
  }

  /** Room in the rate of `ill` for a broadcast question; takes it. */
  takeAskToken(ill: Ill, nowMs: number): boolean {
    return this.#ratesOf(ill).ask.take(nowMs);
  }

  /** Asks about `nce`: by broadcast if `to` is empty, else the stations with these MACs. */
  ask(nce: Nce, to: readonly Mac[], nowMs: number): void {
    const isToAll = to.length === 0;
    const point = this.#point(nce, isToAll);
    nce.unanswered++;
    if (point === undefined) return;
    const { ask, verify } = this.#ratesOf(point.ill);
    for (const destination of isToAll ? [undefined] : to) {
      if (!(isToAll ? ask : verify).take(nowMs)) {
        this.#counters.questionsSuppressed++;
        continue;
      }
      if (isToAll) this.#counters.questionsSent++;
      else this.#counters.verificationsSent++;
      if (!nce.sentSpas.includes(point.spa)) nce.sentSpas.push(point.spa);
      const { ill, spa } = point;
      const frame = this.#protocolOf(nce.address).question(ill, spa, nce.address, destination);
      this.#output.toWire(ill, frame);
    }
  }

  #point(nce: Nce, isToAll: boolean): AskingPoint | undefined {
    const first = this.#firstPoint(nce.askSpa, nce.address);
    if (first === undefined || nce.unanswered === 0) return first;
    const needsAddress = isToAll || this.#protocolOf(nce.address).needsSender;
    const active = this.#membership.activeIlls().filter((ill) => {
      if (ill === first.ill) return true;
      return ill.physAddr !== 0 && (!needsAddress || addressOf(ill, nce.address) !== undefined);
    });
    const at = active.indexOf(first.ill) + nce.unanswered;
    const ill = active[at % active.length];
    if (ill === undefined || ill === first.ill) return first;
    return { ill, spa: addressOf(ill, nce.address) };
  }

  /** Undefined: no NIC can ask, or none has the address that a question needs. */
  #firstPoint(spa: IpAddress | undefined, target: IpAddress): AskingPoint | undefined {
    const wanted = this.#wantedPoint(spa);
    if (wanted === undefined || wanted.spa !== undefined) return wanted;
    if (!this.#protocolOf(target).needsSender) return wanted;
    for (const ill of [wanted.ill, ...this.#membership.activeIlls()]) {
      const own = ill.physAddr === 0 ? undefined : addressOf(ill, target);
      if (own !== undefined) return { ill, spa: own };
    }
    return undefined;
  }

  /** The NIC that asks for `spa`, and `spa` if it may ask from there. */
  #wantedPoint(spa: IpAddress | undefined): AskingPoint | undefined {
    const ipif = spa === undefined ? undefined : this.#membership.findIpif(spa);
    const bound = ipif?.boundIll;
    if (bound !== undefined && bound.physAddr !== 0) {
      return { ill: bound, spa: ipif?.state === 'up' ? spa : undefined };
    }
    const ill = this.#membership.probeIll();
    if (ill === undefined || ill.physAddr === 0) return undefined;
    return { ill, spa: ipif === undefined ? spa : undefined };
  }

  #ratesOf(ill: Ill): Rates {
    let rates = this.#rates.get(ill.nic);
    if (rates === undefined) {
      const ask = new TokenBucket(ASK_RATE, ASK_RATE);
      rates = { ask, verify: new TokenBucket(VERIFY_RATE, VERIFY_RATE) };
      this.#rates.set(ill.nic, rates);
    }
    return rates;
  }
}

/**
 * An address that `ill` serves, in the subnet of `target`; of IPv6 else a link-local one, which
 * every neighbour can answer.
 */
function addressOf(ill: Ill, target: IpAddress): IpAddress | undefined {
  const near = ill.boundIpifs[ipFamily(target)].find(({ address, prefixLength, state }) => {
    return state === 'up' && ipSameSubnet(address, target, prefixLength);
  });
  if (near !== undefined || ipFamily(target) === 4) return near?.address;
  const local = ill.boundIpifs[6].find(({ address, state }) => {
    return state === 'up' && ipIsLinkLocal(address);
  });
  return local?.address;
}
