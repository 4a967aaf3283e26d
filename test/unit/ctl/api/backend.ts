/** A control port without a daemon: fixed rows, and the real commands over devices in memory. */

import { secondsFromMs } from '../../../../src/base/text/json.ts';
import { Commands } from '../../../../src/change/edit.ts';
import type { ControlBackend, Credentials, Readiness } from '../../../../src/ctl/backend.ts';
import {
  type ConfigRow,
  EVENT_OF_NOTHING,
  type EventRow,
  type GroupRow,
  type InterfaceRow,
  type ReloadRow,
} from '../../../../src/model/rows.ts';
import type { KstatIdentity, KstatRecord } from '../../../../src/stats/kstat.ts';
import type { MetricsSnapshot } from '../../../../src/stats/prometheus.ts';
import { interfaceStatistics, LINK_COUNTERS_ZERO } from '../../../../src/stats/schema.ts';
import { addressRow, because, groupRow, interfaceRow, neighborRow } from '../../../tools/rows.ts';
import { ChangeHarness } from '../../change/harness.ts';

/** A 64-bit counter that a double cannot hold. */
export const HUGE = 2n ** 63n + 1n;

const GROUP = groupRow('ipmp0', {
  state: 'degraded',
  interfaces: ['net0', 'net1'],
  active: ['net0'],
  failed: ['net1'],
  ...because('members-differ'),
});
const EMPTY_GROUP = groupRow('ipmp2', {
  state: 'failed',
  flags: ['FAILED', 'IPMP'],
  mtu: 1280,
  ...because('no-interface'),
});

/** net0 works, net1 has failed, the others are in no group. In no order, as the daemon's may be. */
const INTERFACES = ['net10', 'net3', 'net2', 'net1', 'net0'];

function fakeInterface(ifname: string): InterfaceRow {
  const isFailed = ifname === 'net1';
  const isMember = ifname === 'net0' || isFailed;
  return interfaceRow(ifname, {
    group: isMember ? 'ipmp0' : null,
    state: isFailed ? 'failed' : 'ok',
    active: ifname === 'net0',
    link: isFailed ? 'down' : 'up',
    lladdr: `02:00:00:00:00:${ifname.slice(3).padStart(2, '0')}`,
    uplink: ifname === 'net0' ? 'eth0' : null,
    flags: isFailed ? ['FAILED'] : ['RUNNING'],
    unanswered: ifname === 'net10',
    ...because(isFailed ? 'link-down' : 'link-up'),
    nominated: ifname === 'net0',
  });
}

const SERVED = { inbound: 'net0', outbound: ['net0'] };
const ADDRESSES = [
  addressRow('2001:db8::10/64', { state: 'down' }),
  addressRow('192.0.2.100/24', SERVED),
  addressRow('192.0.2.11/24', { state: 'duplicate' }),
  addressRow('192.0.2.10/24', SERVED),
  addressRow('192.0.2.21/24', { ...SERVED, ifname: 'net0', type: 'test' }),
];

const CONFIG: readonly ConfigRow[] = [
  { key: 'log.level', value: 'info', origin: 'argument' },
  { key: 'interfaces.net0.standby', value: false, origin: 'default' },
  {
    key: 'groups.ipmp0.addresses',
    value: ['192.0.2.10/24', '192.0.2.11/24'],
    origin: '/etc/ipmpd/ipmpd.yaml:9',
  },
  { key: 'groups.ipmp0.flap-damping', value: { ups: 2, within: '60s' }, origin: 'default' },
  { key: 'groups.ipmp0.mtu', value: 1500, origin: 'command' },
];

/** The control port: the real commands, and fixed rows. */
export class MemoryBackend extends Commands implements ControlBackend {
  group: GroupRow = GROUP;
  ready: Readiness = { ready: true, reason: 'all is well' };
  readonly harness: ChangeHarness;
  /** What a failing request throws. */
  failure: Error | undefined;
  /** What a reload replies in place of what it did. */
  reloaded: ReloadRow | undefined;
  problems: string[] = [];
  metricsMade = 0;
  /** Each kstat that was read, as module:name. */
  readonly kstatsRead: string[] = [];
  readonly listeners = new Set<(event: EventRow) => void>();

  /** The folder takes the configuration. */
  static async open(folder: string): Promise<MemoryBackend> {
    return new MemoryBackend(await ChangeHarness.open(folder));
  }

  private constructor(harness: ChangeHarness) {
    super(harness);
    this.harness = harness;
  }

  /** Each change or operation that was not refused. */
  get done(): string[] {
    return this.harness.done;
  }

  async status() {
    const groups = await this.groups();
    const { group, problems } = this;
    const rest = { problems, groups, signature: '0-7' };
    return { state: group.state, version: '0.0.0', uptime_s: 7, ...rest };
  }

  async snapshot() {
    return {
      time: '2026-01-02T03:04:05.678901Z',
      signature: '0-7',
      groups: await this.groups(),
      interfaces: await this.interfaces(),
      addresses: await this.addresses(),
      multicast: await this.multicast(),
      targets: await this.targets(),
    };
  }

  async groups(): Promise<GroupRow[]> {
    if (this.failure !== undefined) throw this.failure;
    return [EMPTY_GROUP, this.group];
  }

  async interfaces() {
    return INTERFACES.map(fakeInterface);
  }

  async addresses() {
    return ADDRESSES;
  }

  async neighbors() {
    return [
      neighborRow('192.0.2.10', { state: 'INCOMPLETE' }),
      neighborRow('192.0.2.9', { lladdr: '02:00:00:00:00:fe' }),
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
      { ...common, module: 'ipmpd', name: 'drops', class: 'misc', data: { runt: 3n } },
      { ...common, module: 'ipmp', name: 'ipmp0', class: 'net', data: statistics },
    ];
    const read = all.filter(wanted);
    this.kstatsRead.push(...read.map(({ module, name }) => `${module}:${name}`));
    return read;
  }

  async multicast() {
    return [
      { address: '239.1.2.10', group: 'ipmp0', inbound: 'net0' },
      { address: '239.1.2.9', group: 'ipmp2', inbound: null },
    ];
  }

  async targets() {
    return [
      { ifname: 'net0', target: '192.0.2.10', state: 'dead', mode: 'routes', rtt_us: null },
      { ifname: 'net0', target: '192.0.2.9', state: 'alive', mode: 'routes', rtt_us: 1234 },
    ];
  }

  async config() {
    return CONFIG;
  }

  async checkConfig(file: string, text: string) {
    return { errors: text.includes('bad') ? [`${file}:1: bad: unknown key (log)`] : [] };
  }

  override async offlineInterface(ifname: string, by: Credentials): Promise<void> {
    await super.offlineInterface(ifname, by);
    this.done.push(`offline ${ifname}`);
  }

  override async onlineInterface(ifname: string, by: Credentials): Promise<void> {
    await super.onlineInterface(ifname, by);
    this.done.push(`online ${ifname}`);
  }

  override async activateInterface(ifname: string, by: Credentials): Promise<void> {
    await super.activateInterface(ifname, by);
    this.done.push(`activate ${ifname}`);
  }

  override async reload(by: Credentials): Promise<ReloadRow> {
    return this.reloaded ?? (await super.reload(by));
  }

  subscribe(listener: (event: EventRow) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Sends one event of net1 to all subscribers; `cause` may be long. */
  publish(cause: string, change: Partial<EventRow> = {}): void {
    const time = '2026-01-02T03:04:05.678901Z';
    const row = { time, event: 'interface-state', group: 'ipmp0', ifname: 'net1' };
    const what = { from: 'ok', to: 'failed', type: 'normal', signature: '0-7', cause } as const;
    const event = { ...EVENT_OF_NOTHING, ...row, ...what, ...change };
    for (const listener of this.listeners) listener(event);
  }

  async metrics(): Promise<MetricsSnapshot> {
    this.metricsMade++;
    const none = { groups: [], interfaces: [], addresses: [], failovers: [], drops: {} };
    return { version: '0.0.0', ...none };
  }

  readiness(): Readiness {
    return this.ready;
  }
}
