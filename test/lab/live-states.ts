/** States of the live view for its tests: a lab as it is, and machines with more of everything. */

import type { Heard, LiveState, Rates } from '../../src/lab/live/state.ts';
import type { Cause } from '../../src/model/causes.ts';
import {
  type AddressRow,
  EVENT_OF_NOTHING,
  type GroupRow,
  type InterfaceRow,
} from '../../src/model/rows.ts';
import { addressRow, because, groupRow, interfaceRow } from '../tools/rows.ts';

const NOW_MS = 1_000_000;

type NicState = InterfaceRow['state'];

const CAUSES: Readonly<Record<NicState, Cause>> = {
  ok: 'device-appeared',
  failed: 'link-down',
  offline: 'configured',
  unknown: 'created',
  absent: 'device-absent',
};

export function nic(ifname: string, state: NicState = 'ok', group = 'ipmp0'): InterfaceRow {
  const active = state === 'ok';
  const flags = [active ? 'RUNNING' : state.toUpperCase()];
  const link = state === 'failed' ? 'down' : 'up';
  return interfaceRow(ifname, { group, state, active, link, flags, ...because(CAUSES[state]) });
}

export function group(name: string, members: readonly InterfaceRow[]): GroupRow {
  const namesOf = (state: NicState): string[] =>
    members.filter((row) => row.state === state).map((row) => row.ifname);
  const active = namesOf('ok');
  const isWell = active.length === members.length;
  const state = isWell ? 'ok' : active.length === 0 ? 'failed' : 'degraded';
  const causes = {
    ok: 'members-equal',
    degraded: 'members-differ',
    failed: 'no-interface',
  } as const;
  return groupRow(name, {
    state,
    interfaces: members.map((member) => member.ifname),
    active,
    failed: namesOf('failed'),
    offline: namesOf('offline'),
    ...because(causes[state]),
  });
}

export function address(
  text: string,
  inbound: string | null,
  outbound: readonly string[],
  ifname = 'ipmp0',
): AddressRow {
  return addressRow(text, { ifname, group: ifname, inbound, outbound });
}

export function rates(inBytes: number, inPackets: number): Rates {
  return { inBytes, inPackets, outBytes: inBytes * 150, outPackets: inPackets + 3 };
}

export function heard(agoMs: number, words: readonly (string | null)[]): Heard {
  const [event = '', ifname = null, detail = null, from = null, to = null, cause = null] = words;
  const row = { event: event ?? '', group: 'ipmp0', ifname, from, to, cause, detail };
  return { atMs: NOW_MS - agoMs, row: { ...EVENT_OF_NOTHING, time: '', ...row } };
}

export const FAILOVER: readonly Heard[] = [
  heard(1900, ['group-state', null, null, 'ok', 'degraded', 'members-differ']),
  heard(1900, ['address-moved', 'net1', '192.0.2.10', 'net0', 'net1', 'link-down']),
  heard(1900, ['nominated', 'net1', null, 'net0', 'net1', 'link-down']),
  heard(1900, ['interface-active', 'net0', null, 'active', 'inactive', 'link-down']),
  heard(1900, ['interface-state', 'net0', null, 'ok', 'failed', 'link-down']),
  heard(1900, ['interface-link', 'net0', null, 'up', 'down', 'link-down']),
  heard(64_000, ['group-state', null, null, 'degraded', 'ok', 'members-equal']),
];

/** The lab of `npm start`, all well. */
export function calm(change: Partial<LiveState> = {}): LiveState {
  const nics = [nic('net0'), nic('net1')];
  return {
    nowMs: NOW_MS,
    daemon: {
      version: '0.1.0',
      uptimeS: 83,
      groups: [group('ipmp0', nics)],
      interfaces: nics,
      addresses: [
        address('192.0.2.10/24', 'net0', ['net0', 'net1']),
        address('192.0.2.11/24', 'net1', ['net0', 'net1']),
      ],
    },
    silentSinceMs: null,
    exit: null,
    rates: new Map([
      ['ipmp:ipmp0', rates(13_600, 231)],
      ['link:net0', rates(11_000, 185)],
      ['link:net1', rates(0, 0)],
    ]),
    events: FAILOVER.slice(-1),
    traffic: {
      echo: { target: '192.0.2.1', perSecond: 100, sent: 1048, lost: 0, last: null },
      tcp: { target: '192.0.2.1', arrivedBytes: 20_800_000, bytesPerSecond: 1_990_000 },
    },
    cables: [
      { key: '1', uplink: 'eth0', ifname: 'net0', isCut: false },
      { key: '2', uplink: 'eth1', ifname: 'net1', isCut: false },
    ],
    screen: 'tables',
    isPaused: false,
    notice: null,
    hints: ['ip netns exec ipmp-1-2-3-host bash', 'ipmpadm --socket /tmp/x/ipmpd.sock status'],
    ...change,
  };
}

/** The lab with its first cable cut two seconds ago. */
export function cut(change: Partial<LiveState> = {}): LiveState {
  const nics = [nic('net0', 'failed'), nic('net1')];
  const before = calm();
  const last = { label: 'the cut of eth0', lost: 1, longestGapMs: 21.4 };
  return calm({
    daemon: {
      ...before.daemon!,
      groups: [group('ipmp0', nics)],
      interfaces: nics,
      addresses: [
        address('192.0.2.10/24', 'net1', ['net1']),
        address('192.0.2.11/24', 'net1', ['net1']),
      ],
    },
    events: FAILOVER,
    traffic: {
      echo: { target: '192.0.2.1', perSecond: 100, sent: 1048, lost: 1, last },
      tcp: { target: '192.0.2.1', arrivedBytes: 20_800_000, bytesPerSecond: 0 },
    },
    cables: before.cables.map((cable) => ({ ...cable, isCut: cable.key === '1' })),
    notice: { text: 'eth0 is cut', isBad: false },
    ...change,
  });
}

/** Three groups, sixteen NICs of which the last three are not well, fifty addresses. */
export function crowded(change: Partial<LiveState> = {}): LiveState {
  const stateOf = (index: number): NicState =>
    index === 13 ? 'failed' : index === 14 ? 'offline' : index === 15 ? 'absent' : 'ok';
  const nics = Array.from({ length: 16 }, (_, index) =>
    nic(`net${index}`, stateOf(index), `ipmp${index % 3}`),
  );
  const groups = [0, 1, 2].map((index) =>
    group(
      `ipmp${index}`,
      nics.filter((row) => row.group === `ipmp${index}`),
    ),
  );
  const addresses = Array.from({ length: 50 }, (_, index) => {
    const inbound = index === 37 ? null : `net${index % 13}`;
    return address(`2001:db8:0:1::${index + 1}/64`, inbound, inbound === null ? [] : [inbound]);
  });
  const daemon = { version: '0.1.0', uptimeS: 300_000, groups, interfaces: nics, addresses };
  return calm({ daemon, events: [...FAILOVER, ...FAILOVER, ...FAILOVER], ...change });
}
