/** A network device as rtnetlink describes it, for tests that change what they are about. */

import type { LinkRecord } from '../../src/host/records.ts';

const LINK: LinkRecord = {
  ifindex: 1,
  name: 'x',
  up: true,
  noarp: false,
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
