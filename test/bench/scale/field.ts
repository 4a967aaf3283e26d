/**
 * A large host: each group has a network of its own, a bridge in the namespace `lan` with a veth
 * pair for each NIC and one for the far end, which has an address; the stations of `crowd` are
 * behind a TAP of each bridge.
 *
 *     host ── eth0 ──┐
 *          └─ eth1 ──┼── lan0 (bridge) ── far0 (10.0.255.254)
 *                    └── crowd0 (TAP)
 */

import { writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LabDaemon, socketOf } from '../../../src/lab/daemon-process.ts';
import { MeasuringChild } from '../../../src/lab/measure/child.ts';
import { until } from '../../../src/lab/until.ts';
import { Workspace } from '../../../src/lab/workspace.ts';
import type { AddressRow } from '../../../src/model/rows.ts';
import type { Turns } from '../programs/turn-watch.ts';
import { configurationOf, farAddress, groupName, type Plan, stationsOf } from './plan.ts';

const BRIDGE = 'type bridge forward_delay 0 stp_state 0 mcast_snooping 0';
const WATCH = new URL('../programs/turn-watch.js', import.meta.url);
const CROWD = new URL('../programs/crowd.js', import.meta.url);
/** Ours: what the daemon needs for 4096 addresses, on a machine that others use as well. */
const PATIENCE_MS = 120_000;

/** One such host with its daemon. */
export class ScaleField {
  readonly workspace = new Workspace();
  readonly plan: Plan;
  daemon!: LabDaemon;
  #crowd: MeasuringChild | undefined;

  constructor(plan: Plan) {
    this.plan = plan;
  }

  get #turnSocket(): string {
    return join(this.workspace.folder, 'turns.sock');
  }

  /** Makes the namespaces and devices. @throws CommandError */
  async build(): Promise<void> {
    const { workspace, plan } = this;
    for (const role of ['host', 'lan', 'far']) await workspace.addNamespace(role, { ipv6: false });
    const lan = workspace.namespaceOf('lan');
    const far = workspace.namespaceOf('far');
    const near: string[] = [];
    const middle: string[] = [];
    const farEnds: string[] = [];
    for (let group = 0; group < plan.groups; group++) {
      middle.push(`link add name lan${group} ${BRIDGE}`, `link set lan${group} up`);
      middle.push(`link add name f${group} type veth peer name far${group} netns ${far}`);
      middle.push(`link set f${group} master lan${group}`, `link set f${group} up`);
      farEnds.push(`address add ${farAddress(group)}/16 dev far${group}`);
      farEnds.push(`link set far${group} up`);
      for (let at = 0; at < plan.nics; at++) {
        const nic = group * plan.nics + at;
        near.push(`link add name eth${nic} type veth peer name p${nic} netns ${lan}`);
        near.push(`link set eth${nic} up`);
        middle.push(`link set p${nic} master lan${group}`, `link set p${nic} up`);
      }
    }
    await workspace.ip('host', near);
    await workspace.ip('lan', middle);
    await workspace.ip('far', farEnds);
  }

  /**
   * Starts the daemon, watched, with `changes` laid over each group of the configuration; resolves
   * when its socket answers.
   */
  async start(changes: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const { IPMPD_BENCH_PROFILE: folder } = process.env;
    const environment = {
      NODE_OPTIONS: `--import=${fileURLToPath(WATCH)}`,
      IPMPD_WITNESS: '',
      IPMPD_BENCH_TURNS: this.#turnSocket,
      ...(folder === undefined ? {} : { IPMPD_BENCH_PROFILE: folder }),
    };
    const text = this.#configuration(() => changes);
    this.daemon = await LabDaemon.start(this.workspace, text, environment, PATIENCE_MS);
  }

  /** Waits until every address is up and bound, `count` of them in all. */
  async waitForAddresses(count: number): Promise<void> {
    await until(`${count} addresses are up`, PATIENCE_MS, async () => {
      const rows = await this.daemon.addresses();
      const isUp = ({ state, inbound }: AddressRow): boolean => state === 'up' && inbound !== null;
      return rows.length === count && rows.every(isUp);
    });
  }

  /** Has the stations ask, so that the daemon adds them. */
  async raiseNeighbors(): Promise<void> {
    const { plan, workspace } = this;
    const devices = Array.from({ length: plan.groups }, (_, group) => `crowd${group}`);
    this.#crowd = new MeasuringChild(workspace, 'lan', CROWD, devices);
    await this.#crowd.receive('ready');
    await workspace.ip(
      'lan',
      devices.flatMap((device, group) => [
        `link set ${device} master lan${group}`,
        `link set ${device} up`,
      ]),
    );
    const macs = new Map((await this.daemon.interfaces()).map((row) => [row.ifname, row.lladdr]));
    const rows = await this.daemon.addresses();
    const count = stationsOf(plan);
    for (let group = 0; group < plan.groups; group++) {
      const targets = rows
        .filter((row) => row.group === groupName(group))
        .map(({ address, inbound }) => ({
          mac: macs.get(inbound ?? ''),
          address: address.split('/')[0],
        }));
      const first = group * count;
      await this.#crowd.ask(
        { kind: 'ask', device: `crowd${group}`, first, count, targets },
        'asked',
      );
    }
    await until('the neighbours are known', PATIENCE_MS, async () => {
      return (await this.daemon.neighbors()).length >= count * plan.groups;
    });
  }

  /** Writes the configuration anew, with changes; it is in force after `reload`. */
  rewrite(changes: (group: number) => Readonly<Record<string, unknown>>): void {
    const file = join(this.workspace.folder, 'ipmpd.yaml');
    writeFileSync(file, this.#configuration(changes));
  }

  /** The longest turns of the daemon's main thread since this was asked last. */
  takeTurns(): Promise<Turns> {
    return new Promise((resolve, reject) => {
      let text = '';
      createConnection(this.#turnSocket)
        .setEncoding('utf8')
        .on('data', (chunk: string) => {
          text += chunk;
        })
        .on('end', () => resolve(JSON.parse(text) as Turns))
        .on('error', reject);
    });
  }

  /** Ends the daemon in order, however long it takes; returns its exit status. */
  async stop(): Promise<number | string> {
    this.daemon.process.kill('SIGTERM');
    return await this.daemon.ended;
  }

  #configuration(changes?: (group: number) => Readonly<Record<string, unknown>>): string {
    return configurationOf(this.plan, socketOf(this.workspace), changes);
  }
}
