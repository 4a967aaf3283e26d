/** The daemon's configuration for a lab, as YAML that is also JSON. */

import type { Lan, Wiring } from './topology.ts';

/** Settings of a lab's daemon beyond its wiring. All keys are those of the configuration file. */
export interface ConfigurationOptions {
  readonly socket: string;
  readonly addresses?: readonly string[];
  readonly group?: Readonly<Record<string, unknown>>;
  readonly interfaces?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly top?: Readonly<Record<string, unknown>>;
}

/** The part of a topology that a configuration contains. */
export interface Wired {
  readonly members: readonly string[];
  readonly lans: readonly Lan[];
  readonly options: { readonly wiring: Wiring };
}

/** Name of the group that every lab has. */
export const GROUP = 'ipmp0';

/** Text of a configuration file for the daemon in the host of `topology`. */
export function configurationFor(topology: Wired, options: ConfigurationOptions): string {
  const addresses = topology.lans.flatMap(({ data, prefixLength }) =>
    data.map((address) => `${address}/${prefixLength}`),
  );
  const configuration = {
    control: { socket: options.socket },
    metrics: { listen: 'off' },
    interfaces: Object.fromEntries(
      topology.members.map((member, nic) => [
        member,
        { ...below(topology, nic), ...options.interfaces?.[member] },
      ]),
    ),
    groups: {
      [GROUP]: {
        interfaces: topology.members,
        addresses: options.addresses ?? addresses,
        routes: topology.lans.map(({ gateways }) => ({ to: 'default', via: gateways[0] })),
        ...options.group,
      },
    },
    ...options.top,
  };
  return `${JSON.stringify(configuration, null, 2)}\n`;
}

function below(topology: Wired, nic: number): Record<string, string> {
  switch (topology.options.wiring) {
    case 'macvtap':
      return { uplink: `eth${nic}` };
    case 'bridge':
      return { bridge: `br${nic}` };
    default:
      return {};
  }
}
