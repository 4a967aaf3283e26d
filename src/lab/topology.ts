/**
 * The lab's network: a host with several NICs on two independent switches, and gateways.
 *
 *     host ── eth0 ── switch A ── gw  (192.0.2.1)
 *          └─ eth1 ── switch B ── gw2 (192.0.2.2, when asked for)
 *                     A ──isl── B
 *
 * Each box is a network namespace, each line a veth pair with its far end in the box on the right.
 * A link is cut by setting its far end down: the near end then loses its carrier, as when a cable
 * or a switch dies. Behind the gateways lies one remote address, which both of them own.
 */

import type { Family } from '../wire/addr.ts';
import type { Workspace } from './workspace.ts';

/** How the host's NICs lie under the daemon. `none`: nothing is prepared (eth0 is a plain NIC). */
export type Wiring = 'macvtap' | 'bridge' | 'tap' | 'none';

/** What is built. */
export interface TopologyOptions {
  readonly wiring: Wiring;
  /** NICs of the host; even ones on switch A, odd ones on switch B. */
  readonly nics?: number;
  readonly gateways?: 1 | 2;
  /** IPv6 on `ipmp0`, in the gateways, but never on what lies below (it would only chatter). */
  readonly ipv6?: boolean;
}

/** The lab's addresses of one family (documentation ranges). */
export interface Lan {
  readonly family: Family;
  readonly prefixLength: number;
  readonly gateways: readonly [string, string];
  readonly data: readonly [string, string];
  /** An address of the LAN that no station has. */
  readonly absent: string;
  /** Behind the gateways; both of them own it. */
  readonly remote: string;
}

export const LAN: Lan = {
  family: 4,
  prefixLength: 24,
  gateways: ['192.0.2.1', '192.0.2.2'],
  data: ['192.0.2.10', '192.0.2.11'],
  absent: '192.0.2.200',
  remote: '198.51.100.1',
};

export const LAN6: Lan = {
  family: 6,
  prefixLength: 64,
  gateways: ['2001:db8::1', '2001:db8::2'],
  data: ['2001:db8::10', '2001:db8::11'],
  absent: '2001:db8::200',
  remote: '2001:db8:1::1',
};

/** Both families, for what is done in each. */
export const LANS: readonly Lan[] = [LAN, LAN6];

/** A cable, named by its near end. */
export interface Link {
  readonly name: string;
  readonly farRole: string;
  readonly farDevice: string;
}

const BRIDGE = 'type bridge forward_delay 0 stp_state 0 mcast_snooping 0';

/** The built network. Its resources belong to the workspace, which removes them. */
export class Topology {
  readonly workspace: Workspace;
  readonly options: Required<TopologyOptions>;
  readonly links = new Map<string, Link>();

  private constructor(workspace: Workspace, options: TopologyOptions) {
    this.workspace = workspace;
    this.options = { nics: 2, gateways: 1, ipv6: false, ...options };
  }

  /** Builds everything. @throws CommandError, LabClosed */
  static async build(workspace: Workspace, options: TopologyOptions): Promise<Topology> {
    const topology = new Topology(workspace, options);
    await topology.#addNamespaces();
    await topology.#addSwitches();
    await topology.#addHostLinks();
    await topology.#addGateways();
    await topology.#wire();
    return topology;
  }

  /** The families that the lab has. */
  get lans(): readonly Lan[] {
    return this.options.ipv6 ? LANS : [LAN];
  }

  /** Names of the host's NICs. */
  get uplinks(): string[] {
    return Array.from({ length: this.options.nics }, (_, nic) => `eth${nic}`);
  }

  /** Names of the devices that the daemon opens. */
  get members(): string[] {
    return Array.from({ length: this.options.nics }, (_, nic) => `net${nic}`);
  }

  /** Cuts a link at its far end: `eth0`, `eth1`, `isl`, `gw`, `gw2`. */
  async cut(link: string): Promise<void> {
    await this.#setFarEnd(link, 'down');
  }

  /** Repairs a link that was cut. */
  async repair(link: string): Promise<void> {
    await this.#setFarEnd(link, 'up');
  }

  /** Whether a link is cut at its far end, also by another program. */
  async isCut(link: string): Promise<boolean> {
    const { farRole, farDevice } = this.#link(link);
    const argv = ['ip', '-json', 'link', 'show', 'dev', farDevice];
    const text = await this.workspace.runIn(farRole, argv);
    const [row]: { readonly flags: readonly string[] }[] = JSON.parse(text);
    return row?.flags.includes('UP') !== true;
  }

  /** The switch that a NIC of the host is plugged into, and the name of the port there. */
  portOf(uplink: string): { role: string; device: string } {
    const link = this.#link(uplink);
    return { role: link.farRole, device: link.farDevice };
  }

  async #setFarEnd(name: string, state: 'up' | 'down'): Promise<void> {
    const link = this.#link(name);
    await this.workspace.ip(link.farRole, [`link set ${link.farDevice} ${state}`]);
  }

  #link(name: string): Link {
    const link = this.links.get(name);
    if (link === undefined) throw new Error(`the lab has no link ${name}`);
    return link;
  }

  async #addNamespaces(): Promise<void> {
    const { ipv6, gateways } = this.options;
    await this.workspace.addNamespace('host', { ipv6: false });
    await this.workspace.addNamespace('swA', { ipv6: false });
    await this.workspace.addNamespace('swB', { ipv6: false });
    await this.workspace.addNamespace('gw', { ipv6 });
    if (gateways === 2) await this.workspace.addNamespace('gw2', { ipv6 });
  }

  async #addSwitches(): Promise<void> {
    const bridge = [`link add name lan ${BRIDGE}`, 'link set dev lan up'];
    await this.workspace.ip('swA', bridge);
    await this.workspace.ip('swB', bridge);
    await this.#plug('isl', { nearRole: 'swA', near: 'isl', farRole: 'swB', far: 'isl' });
    await this.workspace.ip('swA', ['link set isl master lan']);
  }

  async #addHostLinks(): Promise<void> {
    for (const [nic, uplink] of this.uplinks.entries()) {
      const farRole = nic % 2 === 0 ? 'swA' : 'swB';
      await this.#plug(uplink, { nearRole: 'host', near: uplink, farRole, far: `p${nic}` });
    }
  }

  async #addGateways(): Promise<void> {
    for (let index = 0; index < this.options.gateways; index++) {
      const role = index === 0 ? 'gw' : 'gw2';
      const farRole = index === 0 ? 'swA' : 'swB';
      await this.#plug(role, { nearRole: role, near: 'eth0', farRole, far: role });
      // They are the first on their LAN: nothing is to be detected.
      const commands = this.lans.flatMap(({ family, gateways, prefixLength, remote }) => {
        const [flag, whole] = family === 4 ? ['', 32] : [' nodad', 128];
        return [
          `address add ${gateways[index]}/${prefixLength} dev eth0${flag}`,
          `address add ${remote}/${whole} dev lo${flag}`,
        ];
      });
      await this.workspace.ip(role, commands);
      const files = this.lans.map(({ family }) =>
        family === 4 ? 'ipv4/ip_forward' : 'ipv6/conf/all/forwarding',
      );
      const lines = files.map((file) => `echo 1 > /proc/sys/net/${file}`);
      await this.workspace.runIn(role, ['sh', '-ec', lines.join('\n')]);
    }
  }

  /** A veth pair; its far end becomes a port of the switch in `farRole`. */
  async #plug(
    name: string,
    ends: { nearRole: string; near: string; farRole: string; far: string },
  ): Promise<void> {
    const { nearRole, near, farRole, far } = ends;
    const farNamespace = this.workspace.namespaceOf(farRole);
    await this.workspace.ip(nearRole, [
      `link add name ${near} type veth peer name ${far} netns ${farNamespace}`,
      `link set ${near} up`,
    ]);
    await this.workspace.ip(farRole, [`link set ${far} master lan`, `link set ${far} up`]);
    this.links.set(name, { name, farRole, farDevice: far });
  }

  async #wire(): Promise<void> {
    const { wiring, ipv6 } = this.options;
    if (wiring === 'bridge' || wiring === 'tap') await this.#addHostBridges();
    if (wiring === 'tap') await this.#addTaps();
    if (!ipv6) return;
    // Devices that exist by now are below the daemon and stay without IPv6; later ones have it.
    const sysctl = '/proc/sys/net/ipv6/conf/default/disable_ipv6';
    await this.workspace.runIn('host', ['sh', '-c', `echo 0 > ${sysctl}`]);
  }

  async #addHostBridges(): Promise<void> {
    for (const [nic, uplink] of this.uplinks.entries()) {
      await this.workspace.ip('host', [
        `link add name br${nic} ${BRIDGE}`,
        `link set ${uplink} master br${nic}`,
        `link set br${nic} up`,
      ]);
    }
  }

  /**
   * TAPs that another program has made and wired: the daemon has no record of the bridges, so the
   * lab itself must keep the host's kernel from answering on them. The hooks are those of local
   * delivery and routing: with br_netfilter loaded, bridged frames pass `prerouting` as well.
   */
  async #addTaps(): Promise<void> {
    for (const [nic, member] of this.members.entries()) {
      await this.workspace.ip('host', [
        `tuntap add dev ${member} mode tap`,
        `link set ${member} master br${nic}`,
        `link set ${member} up`,
        `link set br${nic} arp off`,
      ]);
    }
    const rules = this.members.map((_, nic) => `iifname "br${nic}" oifname != "br${nic}" drop`);
    const bridges = this.members.map((_, nic) => `"br${nic}"`).join(', ');
    await this.workspace.runIn(
      'host',
      ['nft', '-f', '-'],
      `table inet lab {
  chain input {
    type filter hook input priority 0; policy accept
    iifname { ${bridges} } drop
  }
  chain forward {
    type filter hook forward priority 0; policy accept
    ${rules.join('\n    ')}
  }
}
`,
    );
  }
}
