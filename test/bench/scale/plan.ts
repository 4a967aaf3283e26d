/** What large hosts are made of: names, addresses, numbers. */

import type { Ipv4, Mac } from '../../../src/wire/addr.ts';

/** 10.128.0.0: stations that the daemon comes to know as neighbours. */
export const STATION_NETWORK: Ipv4 = 0x0a_80_00_00;
/** Of the first station; the others follow. */
export const STATION_MAC: Mac = 0x02_cc_00_00_00_00;

/** The shape of a host. */
export interface Plan {
  readonly groups: number;
  /** NICs of each group. */
  readonly nics: number;
  /** Data addresses of each group that are in the configuration. */
  readonly addresses: number;
  readonly neighbors: number;
}

/** Stations that come to know the host: each group has the same number of them. */
export function stationsOf({ groups, neighbors }: Plan): number {
  return Math.floor(neighbors / groups);
}

export function groupName(group: number): string {
  return `ipmp${group}`;
}

/** The far end of a group's network: 10.GROUP.255.254. */
export function farAddress(group: number): string {
  return `10.${group}.255.254`;
}

/** Data address `index` of `group`, with prefix length. */
export function dataAddress(group: number, index: number): string {
  const host = index + 1;
  return `10.${group}.${host >> 8}.${host & 0xff}/16`;
}

/** Names of the NICs of a group: `net8` lies on `eth8`. */
export function nicNames({ nics }: Plan, group: number): string[] {
  return Array.from({ length: nics }, (_, at) => `net${group * nics + at}`);
}

/** The configuration of such a host; `changes` are laid over each group. */
export function configurationOf(
  plan: Plan,
  socket: string,
  changes: (group: number) => Readonly<Record<string, unknown>> = () => ({}),
): string {
  const groups = Array.from({ length: plan.groups }, (_, group) => group);
  const names = groups.flatMap((group) => nicNames(plan, group));
  return JSON.stringify({
    control: { socket },
    metrics: { listen: 'off' },
    interfaces: Object.fromEntries(
      names.map((name) => [name, { uplink: name.replace('net', 'eth') }]),
    ),
    groups: Object.fromEntries(
      groups.map((group) => [
        groupName(group),
        {
          interfaces: nicNames(plan, group),
          addresses: Array.from({ length: plan.addresses }, (_, at) => dataAddress(group, at)),
          'flap-damping': 'off',
          neighbors: Math.max(1024, 2 * stationsOf(plan)),
          ...changes(group),
        },
      ]),
    ),
  });
}
