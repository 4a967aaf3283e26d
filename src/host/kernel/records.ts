/**
 * The devices, addresses and routes of the host's kernel, as flat records: the
 * shapes that the mirror compares and the daemon hands to the system. Nothing here is ours.
 */

import type { Mac } from '../../wire/addr.ts';

/** Which network device. */
export interface DeviceName {
  readonly ifindex: number;
  readonly name: string;
}

/** One network device, from RTM_NEWLINK. */
export interface LinkRecord extends DeviceName {
  /** IFF_UP: the administrator wants it to run. */
  readonly up: boolean;
  /** ARPHRD_*: 1 Ethernet. */
  readonly hardware: number;
  /** IFF_NOARP. */
  readonly noarp: boolean;
  /** IFF_MULTICAST: the device can send multicast. */
  readonly multicast: boolean;
  /** IFF_ALLMULTI as set by an administrator (not the kernel's own count). */
  readonly allmulti: boolean;
  readonly carrier: boolean;
  /** Carrier changes since the device exists. */
  readonly carrierChanges: number;
  readonly mtu: number;
  /** Link-layer address; 0 where the device has none of six octets. */
  readonly mac: Mac;
  /** Index of the bridge (or other master) that it is a port of; 0 for none. */
  readonly master: number;
  /** False for a port of a bridge that spanning tree keeps from forwarding. */
  readonly forwards: boolean;
  /** Index of the device below; 0 for none. Equal to a peer's index for veth. */
  readonly lower: number;
  /** Driver kind as `ip -d link` names it: 'macvtap', 'bridge', 'tun', 'veth' …; '' if none. */
  readonly kind: string;
  /** MACVLAN_MODE_* of a macvlan or macvtap; 0 otherwise. */
  readonly macvlanMode: number;
  readonly txQueueLength: number;
  /** Octets; 0 where the kernel does not report it. */
  readonly groMaxSize: number;
  readonly groIpv4MaxSize: number;
}

/** What can be changed on a device; absent fields stay as they are. */
export interface LinkSettings {
  readonly up?: boolean;
  readonly noarp?: boolean;
  readonly allmulti?: boolean;
  readonly mtu?: number;
  readonly mac?: Mac;
  /** Index of the bridge to become a port of; 0 to leave. */
  readonly master?: number;
  readonly txQueueLength?: number;
  readonly groMaxSize?: number;
  readonly groIpv4MaxSize?: number;
}

/** One address of a device, from RTM_NEWADDR. */
export interface HostAddress {
  readonly family: 4 | 6;
  /** Canonical text without prefix length. */
  readonly address: string;
  readonly prefixLength: number;
  /** IFA_F_* bits. */
  readonly flags: number;
  /** RT_SCOPE_*: 0 everywhere, 253 on the link. */
  readonly scope: number;
}

/** One way out of a route. */
export interface HostHop {
  readonly ifindex: number;
  /**
   * Gateway in canonical text; undefined for an on-link route. That of an IPv4 route may be an
   * address of IPv6.
   */
  readonly via: string | undefined;
  /** 1 .. 256. */
  readonly weight: number;
  /** RTNH_F_* bits: dead 1, onlink 4, linkdown 16. */
  readonly flags: number;
}

/** One route with a hop through the device asked for, from RTM_NEWROUTE. */
export interface HostRoute {
  readonly family: 4 | 6;
  /** Destination in canonical text; '0.0.0.0' or '::' with length 0 for a default route. */
  readonly destination: string;
  readonly prefixLength: number;
  readonly table: number;
  /** RTN_*: 1 unicast, 2 local, 3 broadcast, 5 multicast, 6 blackhole … */
  readonly type: number;
  /** RTPROT_*, its origin: 2 kernel, 3 boot, 4 static, 9 ra, 16 dhcp … */
  readonly protocol: number;
  readonly scope: number;
  readonly tos: number;
  /** RTA_PRIORITY; lower is preferred. */
  readonly metric: number;
  /** Source that the kernel prefers for this route; undefined if none is named. */
  readonly source: string | undefined;
  /** Nexthop object, 0 for none. */
  readonly nexthopId: number;
  readonly hops: readonly HostHop[];
}

/** A route to put on a group device. */
export interface RouteSettings {
  /** 'default' or a prefix 'A.B.C.D/L', 'X::/L'. */
  readonly to: string;
  /** Of the family of `to`; or of IPv6 for a prefix of IPv4. The family of `default` is its own. */
  readonly via?: string;
  /** `via` is on the link, although it is in the network of no address or route. */
  readonly onlink?: boolean;
  readonly metric?: number;
  /** Number of the routing table; the main table if absent. */
  readonly table?: number;
}

/** Frames that a device lost or refused, as its driver counts them. */
export interface DeviceCounters {
  readonly rxErrors: bigint;
  readonly txErrors: bigint;
  readonly rxDropped: bigint;
  readonly txDropped: bigint;
}
