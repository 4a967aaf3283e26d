/**
 * The one table of drop reasons: name -> sentence.
 *
 * Every frame that the daemon does not deliver, answer or hand on ends in exactly one of these
 * reasons, and each reason is one counter: the statistic `ipmpd:0:drops:<reason>` and the series
 * `ipmp_drops_total{reason="<reason>"}`. The sentence is what an operator reads, so it describes
 * the frame, not the place in the code.
 *
 * Two sections, by the layer that gives the reason. Names are snake_case, unique over both
 * sections, and stable once released: dashboards and alert rules name them.
 */

import { keysOf } from '../base/keys.ts';

export const DROP_REASONS = {
  datapath: {
    runt: 'shorter than an Ethernet header, or than the header its type promises',
    truncated: 'filled its buffer, so its end was cut off',
    bad_vnet_header: 'offload description (virtio net header) contradicts the frame',
    receive_refused: 'could not be read from its device (EINVAL, ENOMEM)',
    group_source: 'source MAC is a group address, which no station can have',
    own_source: 'came back from the wire with the MAC of one of our own NICs as source',
    own_source_address: 'came from the wire with one of our own IP addresses as source',
    no_group: 'arrived on an interface that is in no group',
    foreign_destination: 'unicast to a MAC that is neither this NIC’s nor its group’s',
    not_nominated:
      'copy for all, or to the group’s own MAC, on a NIC that is not the nominated one',
    martian_source: 'source address that may not appear on a network',
    martian_destination: 'destination address that may not appear on a network',
    same_addresses: 'the same address as source and as destination',
    bad_ipv4_header: 'IPv4 header with a wrong version, length, total length or options',
    bad_ipv6_header:
      'IPv6 header with a wrong version or length, or extension headers that cannot be walked',
    jumbogram: 'IPv6 jumbogram, longer than any buffer',
    source_route:
      'carries an IPv4 source route option, or an IPv6 routing header of type 0 with segments left',
    icmp_redirect: 'ICMP redirect of IPv4 from the wire',
    own_destination: 'sent by the host to the MAC of a group device',
    test_source: 'sent by the host from a test address, which belongs to one NIC',
    no_active_member: 'the group had no active interface to send it from',
    too_big: 'longer than the MTU of the interface that it would leave by',
    vlan: 'VLAN tag on a group or interface that has none',
    unknown_ethertype: 'neither IP nor ARP',
    stack_fragment: 'fragment for an address of the stack itself, which reassembles nothing',
    punt_refused: 'for the control plane, but a super-frame or longer than it takes',
    punt_rate_limited:
      'ARP, neighbor discovery or listener query beyond the rate that is taken from one station',
    punt_full: 'for the control plane, whose queue was full',
    transmit_full: 'the device had no room (EAGAIN, ENOBUFS)',
    transmit_down: 'the device was down (EIO)',
    transmit_refused: 'the kernel refused the frame as malformed (EINVAL)',
    transmit_gone: 'the device no longer exists (EBADFD)',
  },
  ip: {
    arp_malformed: 'ARP whose lengths, types or operation are not those of IPv4 over Ethernet',
    arp_martian: 'ARP about an address that no station may have',
    arp_bad_sender: 'ARP whose sender MAC is zero or a group address',
    arp_reflection: 'ARP that came back from the wire with one of our own MACs as sender',
    arp_other_target: 'ARP request of a stranger for an address that is not ours',
    arp_other_interface:
      'ARP request for an address of ours that another interface serves and answers',
    arp_unsolicited: 'ARP reply or announcement of a station without a question of ours',
    arp_static_neighbor: 'ARP that contradicts a neighbor set by the operator',
    arp_change_locked: 'ARP with yet another MAC for a neighbor that changed it within a second',
    arp_conflict:
      'ARP of another station that uses one of our addresses, within the defence interval',
    nd_malformed: 'neighbor discovery with a wrong length, type, code or option',
    nd_extension_header:
      'neighbor discovery in fragments, or behind another header than that of IPv6',
    nd_bad_hop_limit: 'neighbor discovery with a hop limit that is not 255, so from another link',
    nd_checksum: 'neighbor discovery with a wrong checksum',
    nd_martian: 'neighbor discovery with an address that may not be where it is',
    nd_bad_sender: 'neighbor discovery with a MAC that is zero or a group address in an option',
    nd_reflection:
      'neighbor discovery that came back from the wire with one of our own MACs as sender',
    nd_other_target: 'neighbor solicitation of a stranger for an address that is not ours',
    nd_other_interface:
      'neighbor solicitation for an address of ours that another interface serves and answers',
    nd_unsolicited: 'neighbor advertisement of a station without a question of ours',
    nd_static_neighbor: 'neighbor discovery that contradicts a neighbor set by the operator',
    nd_change_locked:
      'neighbor discovery with yet another MAC for a neighbor that changed it within a second',
    nd_conflict:
      'neighbor discovery of another station with an address of ours, within the defence interval',
    nd_redirect: 'ICMPv6 redirect from the wire, which is not followed',
    nd_router_solicitation: 'router solicitation from the wire while the host is no router',
    mld_invalid: 'multicast listener discovery that is no valid query',
    address_tentative: 'for an address of ours that is being probed or is a duplicate',
    address_unbound: 'for an address of ours that no interface serves at the moment',
    host_down: 'ARP or neighbor discovery while the device of the group is set down',
    host_detection:
      'the host’s own detection or announcement of an address, which the stack does itself',
    host_arp_reply: 'ARP reply of the host without a question of ours',
    host_advertisement: 'neighbor advertisement of the host without a question of ours',
    host_redirect: 'ICMPv6 redirect of the host, which would name MACs that are not on the wire',
    host_own_target: 'ARP or neighbor discovery of the host for an address that is its own',
    neighbor_table_full: 'question about a new neighbor while no entry of the table may give way',
    neighbor_incomplete_limit: 'question about a new neighbor while too many are being asked',
    neighbor_rate_limited: 'question about a neighbor beyond the rate of the interface',
    neighbor_waiters_full: 'question about a neighbor for which too many wait already',
    local_destination: 'to the stack itself, but not to an address of the interface it came to',
    local_source: 'to the stack itself from an address that cannot be answered',
    local_fragment: 'fragment to an address of the stack itself, which reassembles nothing',
    local_protocol: 'to an address of the stack itself, but not an ICMP echo request',
    local_checksum: 'to an address of the stack itself with a wrong IPv4 or ICMP checksum',
    local_rate_limited: 'ICMP echo request to the stack itself beyond the rate of its answers',
    inject_full: 'from the control plane, whose queue to the forwarding path was full',
  },
} as const;

/** Reasons given by the forwarding path. */
export type DatapathDropReason = keyof (typeof DROP_REASONS)['datapath'];

/** Reasons given by the IP layer of the control plane. */
export type IpDropReason = keyof (typeof DROP_REASONS)['ip'];

export type DropReason = DatapathDropReason | IpDropReason;

/**
 * Datapath reasons in table order: a reason's position is its index in a worker's counter block.
 */
export const DATAPATH_DROP_REASONS = keysOf(DROP_REASONS.datapath);

/** IP layer reasons in table order. */
export const IP_DROP_REASONS = keysOf(DROP_REASONS.ip);
