/**
 * Detection done by a program of the host (`arping -D`, a DHCP client) about an address that is
 * not ours. The stack asks the wire in its place, and for a while hands up ARP that claims the
 * address or also probes for it: both mean that it is taken (RFC 5227 2.1.1).
 */

import type { IpAddress, Mac } from '../../wire/addr.ts';

// Ours
/** ARP from the wire after this is no answer any more; RFC 5227 waits 2 s after its last probe. */
export const HOST_PROBE_MS = 3000;
/** Addresses under detection at a time; the oldest gives way. */
export const HOST_PROBE_LIMIT = 64;

interface HostProbe {
  readonly sha: Mac;
  readonly untilMs: number;
}

/** Addresses that the host is asking about on its own. */
export class HostProbes {
  readonly #probes = new Map<IpAddress, HostProbe>();

  /** A program with the MAC `sha` probes for `address`. */
  add(address: IpAddress, sha: Mac, nowMs: number): void {
    this.#probes.delete(address);
    if (this.#probes.size >= HOST_PROBE_LIMIT) {
      for (const oldest of this.#probes.keys()) {
        this.#probes.delete(oldest);
        break;
      }
    }
    this.#probes.set(address, { sha, untilMs: nowMs + HOST_PROBE_MS });
  }

  /** The MAC of the program that is detecting `address`; 0 if none is. */
  askerOf(address: IpAddress, nowMs: number): Mac {
    const probe = this.#probes.get(address);
    if (probe === undefined) return 0;
    if (nowMs <= probe.untilMs) return probe.sha;
    this.#probes.delete(address);
    return 0;
  }
}
