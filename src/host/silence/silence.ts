/**
 * Keeping the host's own stack quiet on what lies below us: the NIC below a macvtap, the bridge
 * that our TAP is a port of, with its ports. Without this the kernel answers ARP for the addresses
 * of the group with the NIC's own address, receives every broadcast a second time, and runs IPv6
 * there.
 *
 *   refuse what carries addresses or routes   they would stop working: the operator decides
 *   our nftables table                        frames are dropped before the host's stack
 *   disable_ipv6=1                            no link-local address, no RS, no MLD, no DAD
 *   addr_gen_mode=1 (none)                    nor in the moment after others set that to 0
 *   NOARP                                     no answers to ARP, no questions
 *   gro_max_size at most 64 KiB               larger frames do not fit what a TAP hands over
 *
 * Several interfaces may share a bridge: the first silences it, the last puts it back.
 */

import { isRefusal, OperatorError } from '../../base/errors.ts';
import type { HostLog } from '../../process/log.ts';
import type { NetlinkClient } from '../kernel/netlink.ts';
import type { HostAddress, HostRoute, LinkRecord } from '../kernel/records.ts';
import { RT_SCOPE_LINK, RTN_UNICAST, RTPROT_KERNEL } from '../kernel/route-message.ts';
import type { Rtnl } from '../kernel/rtnl.ts';
import { silenceIpv6, unsilenceIpv6 } from '../port/wiring.ts';
import type { Changes } from '../undo/restore.ts';
import { type FilteredKind, SilenceTable } from './nftables.ts';
import { sysctlRead } from './sysctl.ts';

/** The largest frame that a TAP or macvtap can hand over is 64 KiB long. */
const GRO_SIZE_MAX = 65536;

/** What the refusal names: enough to recognise it, not a page. */
const NAMED_MAX = 4;

/** Whether iptables and nftables see what a bridge forwards (the module br_netfilter). */
const BRIDGE_FIREWALL = '/proc/sys/net/bridge/bridge-nf-call-iptables';

/** The devices that are silent now, on whose behalf, and the groups that do not forward. */
export class Silencer {
  readonly #rtnl: Rtnl;
  readonly #changes: Changes;
  #table: SilenceTable | undefined;
  readonly #log: HostLog;
  readonly #users = new Map<string, Set<string>>();
  /** Ports of silenced bridges, by the same key. */
  readonly #ports = new Map<string, readonly LinkRecord[]>();
  /** Why the rules could not be changed, as logged last. */
  #loggedProblem = '';
  /** Groups that are not kept from forwarding, as logged. */
  readonly #unfiltered = new Set<string>();

  /** `filtering` is the socket of nftables; undefined where the kernel has none. */
  constructor(rtnl: Rtnl, changes: Changes, filtering: NetlinkClient | undefined, log: HostLog) {
    this.#rtnl = rtnl;
    this.#changes = changes;
    this.#log = log;
    this.#table = filtering && new SilenceTable(filtering, (table) => this.#warnOfForeign(table));
  }

  /**
   * Silences `link` on behalf of `user`. EBUSY: it carries addresses or routes. `mustBeUp`: a NIC
   * below a macvtap must run; a bridge is left as its administrator wants it.
   */
  async silence(link: LinkRecord, user: string, mustBeUp: boolean): Promise<void> {
    const key = holderOf(link);
    const users = this.#users.get(key) ?? new Set();
    if (users.size === 0) {
      await this.refuseIfUsed(link);
      try {
        await this.#apply(link, key, mustBeUp);
      } catch (error) {
        await this.#undo(link.name, key);
        throw error;
      }
      if (link.kind === 'bridge') await this.#warnOfFirewall(link.name);
    }
    users.add(user);
    this.#users.set(key, users);
  }

  /** `user` no longer needs any device silent. What cannot be undone is kept and logged. */
  async release(user: string): Promise<void> {
    for (const [key, users] of [...this.#users]) {
      if (!users.delete(user) || users.size > 0) continue;
      this.#users.delete(key);
      await this.#undo(deviceOf(key), key);
    }
  }

  /** `device` brings what is sent in fragments to all stations, or no longer (nftables.ts). */
  async setNominated(device: string, isNominated: boolean): Promise<void> {
    await this.#changeTable((table) => table.setNominated(device, isNominated));
  }

  /** Nothing is forwarded any more that comes or leaves by `group`. EBUSY as for `silence`. */
  async stopForwarding(group: LinkRecord): Promise<void> {
    await this.#drop(group, 'group');
    if (this.#table !== undefined || this.#unfiltered.has(group.name)) return;
    this.#unfiltered.add(group.name);
    this.#log.warn(
      { group: group.name, hint: 'sysctl net.ipv6.conf.all.forwarding=0' },
      `no nftables here: IPv6 is forwarded through ${group.name} as through any device`,
    );
  }

  /** What comes or leaves by `group` may be forwarded again. */
  async allowForwarding(group: string): Promise<void> {
    this.#unfiltered.delete(group);
    await this.#changeTable((table) => table.delete(group));
  }

  /** No device need be silent any more; the changes are taken back with those of all others. */
  async releaseAll(): Promise<void> {
    this.#users.clear();
    this.#ports.clear();
    await this.#changeTable((table) => table.clear());
  }

  /** Writes the rules anew if the last change of them failed. */
  async retry(): Promise<void> {
    await this.#changeTable((table) => table.retry());
  }

  /** Asserts NOARP and the rest again: another tool may have undone it. */
  async assertSilent(link: LinkRecord, mustBeUp: boolean): Promise<void> {
    const key = holderOf(link);
    if (this.#users.has(key)) await this.#apply(link, key, mustBeUp);
  }

  /** EBUSY if the host's own stack uses the device. */
  async refuseIfUsed(link: LinkRecord): Promise<void> {
    const addresses = await this.#rtnl.addresses(link.ifindex);
    const routes = await this.#rtnl.routes(link.ifindex);
    const error = useOf(link.name, addresses, routes);
    if (error !== undefined) throw error;
  }

  async #apply(link: LinkRecord, holder: string, mustBeUp: boolean): Promise<void> {
    await this.#drop(link, link.kind === 'bridge' ? 'bridge' : 'nic');
    await silenceIpv6(this.#changes, holder, link);
    if (link.kind === 'bridge') await this.#silencePorts(link, holder);
    await this.#changes.link(holder, link, {
      noarp: true,
      ...(mustBeUp ? { up: true } : {}),
      ...(link.groMaxSize > GRO_SIZE_MAX ? { groMaxSize: GRO_SIZE_MAX } : {}),
      ...(link.groIpv4MaxSize > GRO_SIZE_MAX ? { groIpv4MaxSize: GRO_SIZE_MAX } : {}),
    });
  }

  /**
   * The NICs of a bridge: what their own IPv6 sends leaves by the cable, although they receive
   * nothing. One that leaves the bridge gets its IPv6 back. TAPs are their owners'.
   */
  async #silencePorts(bridge: LinkRecord, holder: string): Promise<void> {
    const ports = (await this.#rtnl.ports(bridge.ifindex)).filter(({ kind }) => kind !== 'tun');
    const before = this.#ports.get(holder) ?? [];
    this.#ports.set(holder, ports);
    for (const port of ports) await silenceIpv6(this.#changes, holder, port);
    for (const { ifindex } of before) {
      if (ports.some((port) => port.ifindex === ifindex)) continue;
      const left = await this.#rtnl.link(ifindex);
      if (left !== undefined) await unsilenceIpv6(this.#changes, holder, left);
    }
  }

  /** On a kernel without nf_tables the other settings still silence most. */
  async #drop(link: LinkRecord, kind: FilteredKind): Promise<void> {
    try {
      await this.#table?.add(link.name, kind);
    } catch (error) {
      // ENOENT: a kernel without an expression that we need, or a device that is gone.
      if (!isRefusal(error, 'EOPNOTSUPP', 'ENOTSUP', 'ENOENT')) throw error;
      const isMade = this.#table?.isMade === true;
      if (isMade || (await this.#rtnl.link(link.name)) === undefined) throw error;
      this.#table = undefined;
      this.#log.warn(
        { code: error.code },
        `no nftables here: the host hears broadcasts twice (${error.message})`,
      );
    }
  }

  async #undo(device: string, holder: string): Promise<void> {
    this.#ports.delete(holder);
    await this.#changes.undo(holder);
    const isSilentOtherwise = [...this.#users.keys()].some((key) => deviceOf(key) === device);
    if (!isSilentOtherwise) await this.#changeTable((table) => table.delete(device));
  }

  /** A rule for forwarded packets that drops what the bridge carries cuts the group off. */
  async #warnOfFirewall(bridge: string): Promise<void> {
    if ((await sysctlRead(BRIDGE_FIREWALL)) !== '1') return;
    const hint = `accept what ${bridge} forwards, or: sysctl net.bridge.bridge-nf-call-iptables=0`;
    this.#log.warn(
      { event: 'bridge-firewall', bridge, hint },
      `the host's firewall judges frames of ${bridge} as forwarded packets (br_netfilter)`,
    );
  }

  #warnOfForeign(table: string): void {
    this.#log.warn(
      { event: 'foreign-table', table, hint: `nft delete table inet ${table} (or netdev)` },
      `there is a table ${table} of no process (of a saved ruleset?): ours gets another name`,
    );
  }

  /** A rule too many cuts off a NIC that is the host's again: logged, and tried again. */
  async #changeTable(change: (table: SilenceTable) => Promise<void>): Promise<void> {
    if (this.#table === undefined) return;
    try {
      await change(this.#table);
      this.#loggedProblem = '';
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      if (this.#loggedProblem === error.message) return;
      this.#loggedProblem = error.message;
      this.#log.warn({ code: error.code }, `the rules will be written anew: ${error.message}`);
    }
  }
}

/** Why the host's own stack uses a device; undefined if it does not. */
export function useOf(
  device: string,
  addresses: readonly HostAddress[],
  routes: readonly HostRoute[],
): OperatorError | undefined {
  const found = [
    ...addresses.filter(isUsedAddress).map((a) => `${a.address}/${a.prefixLength}`),
    ...routes.filter(isUsedRoute).map((r) => `route ${r.destination}/${r.prefixLength}`),
  ];
  if (found.length === 0) return undefined;
  const named = found.slice(0, NAMED_MAX).join(', ');
  const rest = found.length > NAMED_MAX ? ` and ${found.length - NAMED_MAX} more` : '';
  return new OperatorError(
    'EBUSY',
    `${device} is used by the host itself: ${named}${rest}`,
    `move them to the group, then: ip addr flush dev ${device}; stop DHCP and accept_ra on it`,
  );
}

/** The kernel's own link-local address is not a use. */
function isUsedAddress(address: HostAddress): boolean {
  return address.family === 4 || address.scope !== RT_SCOPE_LINK;
}

/** Local, broadcast and multicast routes follow from addresses, or are there without any. */
function isUsedRoute(route: HostRoute): boolean {
  return route.type === RTN_UNICAST && route.protocol !== RTPROT_KERNEL;
}

function holderOf(device: { name: string; ifindex: number }): string {
  return `silence:${device.ifindex}:${device.name}`;
}

function deviceOf(holder: string): string {
  return holder.slice(holder.indexOf(':', 'silence:'.length) + 1);
}
