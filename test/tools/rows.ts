/** Whole rows of the API for tests: what a test does not name is as in a lab where all is well. */

import { type Cause, causeSentence } from '../../src/model/causes.ts';
import type { AddressRow, GroupRow, InterfaceRow, NeighborRow } from '../../src/model/rows.ts';

/** A cause with its sentence. */
export function because(cause: Cause): { cause: Cause; cause_text: string } {
  return { cause, cause_text: causeSentence(cause) };
}

export function groupRow(group: string, change: Partial<GroupRow> = {}): GroupRow {
  const none = { inactive: [], failed: [], offline: [], absent: [] };
  return {
    group,
    ifname: group,
    state: 'ok',
    ...because('members-equal'),
    fdt_ms: 1000,
    interfaces: [],
    joining: [],
    active: [],
    ...none,
    nominated: null,
    flags: ['RUNNING', 'IPMP'],
    mtu: 1500,
    lladdr: null,
    spreading: 'flow',
    forwarding: false,
    failback: true,
    signature: '0-1',
    ...change,
  };
}

export function interfaceRow(ifname: string, change: Partial<InterfaceRow> = {}): InterfaceRow {
  return {
    ifname,
    group: 'ipmp0',
    state: 'ok',
    active: true,
    standby: false,
    link: 'up',
    probe: 'disabled',
    lladdr: '02:00:00:00:00:01',
    mtu: 1500,
    uplink: null,
    bridge: null,
    flags: ['RUNNING'],
    nominated: false,
    unanswered: false,
    ...because('device-appeared'),
    ...change,
  };
}

export function addressRow(address: string, change: Partial<AddressRow> = {}): AddressRow {
  return {
    address,
    flags: [],
    ifname: 'ipmp0',
    group: 'ipmp0',
    type: 'data',
    state: 'up',
    inbound: null,
    outbound: [],
    cause: null,
    cause_text: null,
    ...change,
  };
}

export function neighborRow(dst: string, change: Partial<NeighborRow> = {}): NeighborRow {
  return {
    dst,
    lladdr: null,
    state: 'REACHABLE',
    group: 'ipmp0',
    proxy: false,
    cause_text: 'it answered',
    ...change,
  };
}
