/**
 * A daemon without a daemon: fixed rows behind the control port, and a server on a socket of its
 * own.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OperatorError } from '../../src/base/errors.ts';
import { secondsFromMs } from '../../src/base/json.ts';
import type {
  AddressRow,
  ChangeRequest,
  ControlBackend,
  Credentials,
  EventRow,
  GroupRow,
  InterfaceRow,
  NeighborRow,
  Readiness,
  StatusRow,
} from '../../src/ctl/backend.ts';
import { ipmpadmMain } from '../../src/ctl/main.ts';
import { type ControlServer, startControlServer } from '../../src/ctl/server.ts';
import { SharedText } from '../../src/ctl/shared-text.ts';
import type { KstatIdentity, KstatRecord } from '../../src/stats/kstat.ts';
import { interfaceStatistics, LINK_COUNTERS_ZERO } from '../../src/stats/schema.ts';

/** A 64-bit counter that a double cannot hold. */
export const HUGE = 2n ** 63n + 1n;

const GROUP: GroupRow & { spreading: string } = {
  group: 'ipmp0',
  state: 'degraded',
  fdt_ms: 1000,
  interfaces: ['net0', 'net1'],
  active: ['net0'],
  inactive: [],
  failed: ['net1'],
  offline: [],
  mtu: 1500,
  spreading: 'flow',
};

const INTERFACES: (InterfaceRow & { bridge: null; nominated: boolean })[] = ['net0', 'net1'].map(
  (ifname, at) => ({
    ifname,
    group: 'ipmp0',
    state: at === 0 ? 'ok' : 'failed',
    active: at === 0,
    standby: false,
    link: at === 0 ? 'up' : 'down',
    probe: 'disabled',
    lladdr: `02:00:00:00:00:0${at}`,
    mtu: 1500,
    uplink: at === 0 ? 'eth0' : null,
    flags: at === 0 ? ['RUNNING'] : ['FAILED'],
    cause: at === 0 ? 'its link came up' : 'its link went down',
    bridge: null,
    nominated: at === 0,
  }),
);

/** The control port with fixed answers. */
export class FakeBackend implements ControlBackend {
  group: GroupRow = GROUP;
  ready: Readiness = { ready: true, reason: 'all is well' };
  readonly deleted: { name: string; uid: number }[] = [];
  readonly changed: string[] = [];
  /** What a failing request throws. */
  failure: Error | undefined;
  metricsMade = 0;
  /** Each kstat that was read, as module:name. */
  readonly kstatsRead: string[] = [];
  readonly listeners = new Set<(event: EventRow) => void>();

  async status(): Promise<StatusRow> {
    return { state: this.group.state, version: '0.0.0', uptime_s: 7, groups: [this.group] };
  }

  async groups(): Promise<GroupRow[]> {
    if (this.failure !== undefined) throw this.failure;
    return [this.group];
  }

  async interfaces(): Promise<InterfaceRow[]> {
    return INTERFACES;
  }

  async addresses(): Promise<AddressRow[]> {
    const common = { ifname: 'ipmp0', group: 'ipmp0', type: 'data', state: 'up' } as const;
    return [
      { ...common, address: '192.0.2.10/24', inbound: 'net0', outbound: ['net0'] },
      { ...common, address: '192.0.2.11/24', state: 'duplicate', inbound: null, outbound: [] },
    ];
  }

  async neighbors(): Promise<NeighborRow[]> {
    return [
      { dst: '192.0.2.1', lladdr: '02:00:00:00:00:fe', state: 'REACHABLE', group: 'ipmp0' },
      { dst: '192.0.2.9', lladdr: null, state: 'INCOMPLETE', group: 'ipmp0' },
    ];
  }

  async kstats(wanted: (kstat: KstatIdentity) => boolean): Promise<KstatRecord[]> {
    const statistics = interfaceStatistics({ ...LINK_COUNTERS_ZERO, rbytes: HUGE }, true);
    const common = {
      instance: 0,
      crtime: secondsFromMs(1),
      snaptime: secondsFromMs(2),
      stale: false,
    };
    const all = [
      { ...common, module: 'ipmp', name: 'ipmp0', class: 'net', data: statistics },
      { ...common, module: 'ipmpd', name: 'drops', class: 'misc', data: { runt: 3n } },
    ];
    const read = all.filter(wanted);
    this.kstatsRead.push(...read.map(({ module, name }) => `${module}:${name}`));
    return read;
  }

  async deleteGroup(name: string, { by }: ChangeRequest): Promise<void> {
    if (name !== 'empty0') {
      const members = `cannot delete group ${name}: it still has members net0, net1`;
      throw new OperatorError('EBUSY', members, 'remove them first');
    }
    this.deleted.push({ name, uid: by.uid });
  }

  async addMember(group: string, ifname: string, { by }: ChangeRequest): Promise<void> {
    if (group !== 'ipmp0') throw new OperatorError('ENOENT', `there is no group ${group}`);
    this.changed.push(`add ${ifname} by ${by.uid}`);
  }

  async removeMember(group: string, ifname: string, { by }: ChangeRequest): Promise<void> {
    if (group !== 'ipmp0') throw new OperatorError('ENOENT', `there is no group ${group}`);
    this.changed.push(`remove ${ifname} by ${by.uid}`);
  }

  async multicast(): Promise<never> {
    return unexpected('multicast');
  }

  async targets(): Promise<never> {
    return unexpected('targets');
  }

  async config(): Promise<never> {
    return unexpected('config');
  }

  async checkConfig(): Promise<never> {
    return unexpected('checkConfig');
  }

  async createGroup(): Promise<never> {
    return unexpected('createGroup');
  }

  async renameGroup(): Promise<never> {
    return unexpected('renameGroup');
  }

  async setGroup(): Promise<never> {
    return unexpected('setGroup');
  }

  async createInterface(): Promise<never> {
    return unexpected('createInterface');
  }

  async deleteInterface(): Promise<never> {
    return unexpected('deleteInterface');
  }

  async setInterface(): Promise<never> {
    return unexpected('setInterface');
  }

  async offlineInterface(): Promise<never> {
    return unexpected('offlineInterface');
  }

  async onlineInterface(): Promise<never> {
    return unexpected('onlineInterface');
  }

  async activateInterface(): Promise<never> {
    return unexpected('activateInterface');
  }

  async addAddress(): Promise<never> {
    return unexpected('addAddress');
  }

  async deleteAddress(): Promise<never> {
    return unexpected('deleteAddress');
  }

  async addTestAddress(): Promise<never> {
    return unexpected('addTestAddress');
  }

  async deleteTestAddress(): Promise<never> {
    return unexpected('deleteTestAddress');
  }

  async addNeighbor(): Promise<never> {
    return unexpected('addNeighbor');
  }

  async deleteNeighbor(): Promise<never> {
    return unexpected('deleteNeighbor');
  }

  async joinMulticast(): Promise<never> {
    return unexpected('joinMulticast');
  }

  async leaveMulticast(): Promise<never> {
    return unexpected('leaveMulticast');
  }

  async reload(): Promise<never> {
    return unexpected('reload');
  }

  subscribe(listener: (event: EventRow) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Tells all subscribers of one event; `cause` may be long. */
  publish(cause: string): void {
    const time = '2026-01-02T03:04:05.678901Z';
    const row = { time, event: 'interface-state', group: 'ipmp0', ifname: 'net1' };
    for (const listener of this.listeners) listener({ ...row, from: 'ok', to: 'failed', cause });
  }

  async metrics(): Promise<string> {
    return `# made ${++this.metricsMade}\n`;
  }

  readiness(): Readiness {
    return this.ready;
  }
}

function unexpected(method: string): never {
  throw new OperatorError('EOPNOTSUPP', `the fake has no ${method}`);
}

/** A served fake, with who its clients seem to be. */
export class FakeDaemon {
  readonly backend = new FakeBackend();
  readonly directory = mkdtempSync(join(tmpdir(), 'ipmpd-ctl-'));
  readonly socketPath = join(this.directory, 'run', 'ipmpd.sock');
  credentials: Credentials = { pid: process.pid, uid: 0, gid: 0, groups: [] };
  nowMs = 0;
  #server: ControlServer | undefined;

  async start(operatorGid?: number): Promise<void> {
    this.#server = await startControlServer({
      backend: this.backend,
      socketPath: this.socketPath,
      version: '0.0.0',
      operatorGid,
      peerCredentials: () => this.credentials,
      metrics: new SharedText(
        () => this.backend.metrics(),
        () => this.nowMs,
      ),
    });
  }

  async stop(): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Starts a fake; released by `await using`. */
export async function fakeDaemon(): Promise<FakeDaemon> {
  const daemon = new FakeDaemon();
  await daemon.start();
  return daemon;
}

/** What `ipmpadm` printed and how it ended. */
export interface Outcome {
  readonly status: number;
  readonly out: string;
  readonly error: string;
}

/** Runs `ipmpadm` in this process against `socketPath`. */
export async function ipmpadm(
  socketPath: string,
  words: string,
  options: { interrupted?: AbortSignal; onPrint?: (text: string) => void } = {},
): Promise<Outcome> {
  let out = '';
  let error = '';
  const status = await ipmpadmMain(words.split(' '), {
    version: '0.0.0',
    defaultSocket: socketPath,
    print: (text) => {
      out += text;
      options.onPrint?.(text);
    },
    complain: (text) => {
      error += text;
    },
    checkConfig: async (file) => (file === 'good' ? [] : [`${file}:1: x: is bad (good)`]),
    lab: async (labWords) => (labWords.join(' ') === 'run --once' ? 0 : 9),
    interruption: () => options.interrupted ?? new AbortController().signal,
  });
  return { status, out, error };
}
