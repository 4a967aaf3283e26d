/**
 * The ground on which one candidate runs: a host with its NICs, and a peer where all of them lead.
 *
 *     host ── eth0 ──┐
 *          └─ eth1 ──┴── bridge in the peer (192.0.2.1, 2001:db8::1)
 *
 * Every candidate has a field of its own, alike to the last device, so that they can take turns
 * without being built anew. The direct one has no bridge: its veth pair is the kernel's own path
 * between two namespaces and the limit of this machine.
 */

import { LAN, LAN6, type Lan, type Wiring } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { Workspace } from '../../../src/lab/workspace.ts';
import type { Family } from '../../../src/wire/addr.ts';

/** The ends of the path of one family: all candidates' traffic goes from one to the other. */
export interface Path {
  readonly family: Family;
  readonly host: string;
  readonly peer: string;
  readonly prefixLength: number;
}

export const [PATH4, PATH6] = [pathOf(LAN), pathOf(LAN6)];
export const { host: HOST, peer: PEER } = PATH4;
/** What the host has: an address of each family. */
export const HOST_PREFIXES = [PATH4, PATH6].map(
  ({ host, prefixLength }) => `${host}/${prefixLength}`,
);

function pathOf({ family, data, gateways, prefixLength }: Lan): Path {
  return { family, host: data[0], peer: gateways[0], prefixLength };
}

/** Gives `device` the addresses of the peer, or of the host; there is no other station. */
export function addressLines(device: string, end: 'host' | 'peer'): string[] {
  return [PATH4, PATH6].map((path) => {
    const flag = path.family === 6 ? ' nodad' : '';
    return `address add ${path[end]}/${path.prefixLength} dev ${device}${flag}`;
  });
}

/** What has a workspace that must be closed at the end. */
export type Closable = Pick<Field, 'workspace'>;
/** Prints results. */
export type Print = (text: string) => void;

/** Devices that carry nothing: the loopback, and the handle of Open vSwitch's datapath. */
const IDLE_DEVICES = ['lo', 'ovs-netdev'];

const BRIDGE = 'type bridge forward_delay 0 stp_state 0 mcast_snooping 0';

/** One candidate's namespaces, `host` and `peer`. Shaped as the lab's configuration needs it. */
export class Field {
  readonly workspace = new Workspace();
  readonly options: { readonly wiring: Wiring };
  readonly lans = [LAN, LAN6];
  readonly members: readonly string[];
  #mtu = 1500;

  constructor(wiring: Wiring, nics: number) {
    this.options = { wiring };
    this.members = Array.from({ length: nics }, (_, nic) => `net${nic}`);
  }

  /** Builds it. `isBare`: one veth pair with the addresses on its ends. @throws CommandError */
  async build({ isBare = false } = {}): Promise<void> {
    await this.workspace.addNamespace('host', { ipv6: isBare });
    await this.workspace.addNamespace('peer', { ipv6: isBare });
    if (isBare) await this.#connect(0, addressLines('p0', 'peer'));
    else await this.#plug();
    if (this.options.wiring === 'bridge') await this.#addHostBridges();
    // What exists by now is below the candidate and stays without IPv6; what it makes has it.
    await this.#sysctl('host', 'default', 0);
  }

  async #sysctl(role: string, device: string, value: 0 | 1): Promise<void> {
    const file = `/proc/sys/net/ipv6/conf/${device}/disable_ipv6`;
    await this.workspace.runIn(role, ['sh', '-c', `echo ${value} > ${file}`]);
  }

  /** Starts the server of the throughput workloads. */
  async serve(): Promise<void> {
    const server = this.workspace.start(['iperf3', '-s'], { role: 'peer' });
    // Its output is not read; a full pipe would stop it.
    server.stdout?.resume();
    server.stderr?.resume();
    await until('iperf3 listens', 5000, async () => {
      const argv = ['ss', '-Hltn', 'sport', '=', ':5201'];
      return (await this.workspace.runIn('peer', argv)) !== '';
    });
  }

  /**
   * Gives every device of both ends this MTU; a group that follows its NICs
   * needs it too. @throws CommandError, WaitedTooLong
   */
  async setMtu(mtu: number): Promise<void> {
    if (mtu === this.#mtu) return;
    for (const role of ['peer', 'host']) {
      // In the order in which they were made: what lies below comes first.
      const lines = (await this.#links(role)).map(({ ifname }) => `link set ${ifname} mtu ${mtu}`);
      await this.workspace.ip(role, lines);
    }
    await until(`all devices have MTU ${mtu}`, 5000, async () => {
      const links = [...(await this.#links('host')), ...(await this.#links('peer'))];
      return links.every((link) => link.mtu === mtu);
    });
    this.#mtu = mtu;
  }

  async #links(role: string): Promise<readonly { ifname: string; mtu: number }[]> {
    const text = await this.workspace.runIn(role, ['ip', '-j', 'link']);
    const links = JSON.parse(text) as { ifname: string; mtu: number }[];
    return links.filter(({ ifname }) => !IDLE_DEVICES.includes(ifname));
  }

  async #plug(): Promise<void> {
    await this.workspace.ip('peer', [`link add name lan ${BRIDGE}`]);
    await this.#sysctl('peer', 'lan', 0);
    await this.workspace.ip('peer', [...addressLines('lan', 'peer'), 'link set lan up']);
    for (const nic of this.members.keys())
      await this.#connect(nic, [`link set p${nic} master lan`]);
  }

  async #connect(nic: number, far: readonly string[]): Promise<void> {
    const peer = this.workspace.namespaceOf('peer');
    await this.workspace.ip('host', [
      `link add name eth${nic} type veth peer name p${nic} netns ${peer}`,
      `link set eth${nic} up`,
    ]);
    await this.workspace.ip('peer', [...far, `link set p${nic} up`]);
  }

  async #addHostBridges(): Promise<void> {
    for (const nic of this.members.keys()) {
      await this.workspace.ip('host', [
        `link add name br${nic} ${BRIDGE}`,
        `link set eth${nic} master br${nic}`,
        `link set br${nic} up`,
      ]);
    }
  }
}
