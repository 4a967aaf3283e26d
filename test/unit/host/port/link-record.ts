/** A network device and a route as rtnetlink describes them, for tests. */

import type { HostRoute, LinkRecord } from '../../../../src/host/kernel/records.ts';

const LINK: LinkRecord = {
  ifindex: 1,
  name: 'x',
  up: true,
  hardware: 1,
  noarp: false,
  multicast: true,
  allmulti: false,
  carrier: true,
  carrierChanges: 0,
  mtu: 1500,
  mac: 2,
  master: 0,
  forwards: true,
  lower: 0,
  kind: '',
  macvlanMode: 0,
  txQueueLength: 0,
  groMaxSize: 0,
  groIpv4MaxSize: 0,
};

/** A device that is up and has carrier, except for `changes`. */
export function linkRecord(changes: Partial<LinkRecord> = {}): LinkRecord {
  return { ...LINK, ...changes };
}

/** The default route by 192.0.2.1 and the device `ifindex`. */
export function defaultRoute(ifindex: number): HostRoute {
  return {
    family: 4,
    destination: '0.0.0.0',
    prefixLength: 0,
    table: 254,
    type: 1,
    protocol: 4,
    scope: 0,
    tos: 0,
    metric: 0,
    source: undefined,
    nexthopId: 0,
    hops: [{ ifindex, via: '192.0.2.1', weight: 1, flags: 0 }],
  };
}
