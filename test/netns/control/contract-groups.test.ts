/** Interfaces and groups as configured, seen by the kernel and from outside. */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GROUP } from '../../../src/lab/configuration.ts';
import { LAN, type Topology } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { statisticOf } from '../../tools/conservation.ts';
import { ArpStation, arpOf } from '../tools/arp-station.ts';
import { TestHost } from '../tools/harness.ts';
import { udpSend } from '../tools/udp-traffic.ts';

const FLOWS = 64;
/** What may be sent beside, such as announcements. */
const NOISE = 20;
const STRANGERS = 200;

/** A group of another name than its device, on a TAP of another program. */
const STORE = {
  name: 'store',
  interfaces: ['net3'],
  addresses: ['10.50.0.1/24'],
  routes: [{ to: '10.60.0.0/16', via: '10.50.0.2' }],
  'static-neighbors': [{ dst: '10.50.0.2', lladdr: '02:00:00:00:50:02' }],
  multicast: ['239.1.2.3'],
};
const TOP = {
  datapath: { workers: 2 },
  tracking: 'all',
  interfaces: {
    net0: { uplink: 'eth0' },
    net1: { uplink: 'eth1' },
    net2: { bridge: 'br9' },
    net3: {},
  },
  groups: {
    [GROUP]: {
      interfaces: ['net0', 'net1'],
      addresses: LAN.data.map((address) => `${address}/24`),
      routes: [{ to: 'default', via: LAN.gateways[0] }],
      'flap-damping': 'off',
    },
    ipmp5: STORE,
  },
};

const prepare = ({ workspace }: Topology): Promise<void> =>
  workspace.ip('host', ['link add name br9 type bridge', 'tuntap add dev net3 mode tap']);
let tapIndex = 0;
const host = TestHost.ofSuite({ top: TOP, prepare }, async () => {
  await host.workspace.ip('host', ['link set br9 up', 'link set net3 up']);
  tapIndex = (await host.links('host')).find(({ ifname }) => ifname === 'net3')?.ifindex ?? 0;
});

async function setGroup(...settings: readonly string[]): Promise<void> {
  await host.adm('group', 'set', GROUP, ...settings);
}

describe('what an interface lies on', () => {
  test('[contract 3.18] a macvtap in passthru mode, a TAP in its bridge, a TAP alone', async () => {
    type Detail = { ifname: string; master?: string; link?: string; linkinfo?: Linkinfo };
    type Linkinfo = { info_kind: string; info_data: { mode?: string; type?: string } };
    const details = (await host.ipJson('host', ['-d', 'link', 'show'])) as Detail[];
    const of = (name: string): Detail | undefined => details.find(({ ifname }) => ifname === name);
    const { link, linkinfo } = of('net0') ?? {};
    const lower = [link, linkinfo?.info_kind, linkinfo?.info_data.mode];
    deepEqual(lower, ['eth0', 'macvtap', 'passthru']);
    const bridged = of('net2');
    deepEqual([bridged?.master, bridged?.linkinfo?.info_data.type], ['br9', 'tap']);
    const index = (await host.links('host')).find(({ ifname }) => ifname === 'net3')?.ifindex;
    equal(index, tapIndex, 'the TAP that was there is used');
  });

  test('[contract 3.6] link: of the NIC below, of the other ports, unknown', async () => {
    await host.waitForLink('net0', 'up');
    await host.topology.cut('eth0');
    await host.waitForLink('net0', 'down');
    await host.topology.repair('eth0');
    await host.waitForLink('net0', 'up');

    await host.waitForLink('net2', 'down');
    await host.workspace.ip('host', [
      'link add name port9 type veth peer name far9',
      'link set port9 master br9',
      'link set port9 up',
      'link set far9 up',
    ]);
    await host.waitForLink('net2', 'up');
    await host.workspace.ip('host', ['link set far9 down']);
    await host.waitForLink('net2', 'down');

    const alone = await host.daemon.interface('net3');
    deepEqual([alone.link, alone.state, alone.active], ['unknown', 'ok', true]);
    await host.daemon.waitUntilOk();
  });
});

describe('what is configured', () => {
  test('[contract 3.15, 3.19] is there, on the devices and in the rows', async () => {
    const group = (await host.daemon.groups()).find((row) => row.group === 'store');
    equal((group as unknown as { ifname: string }).ifname, 'ipmp5');
    deepEqual(await host.addressesOn('ipmp5'), ['10.50.0.1/24']);
    const routes = await host.run('host', ['ip', 'route']);
    match(routes, /^10\.60\.0\.0\/16 via 10\.50\.0\.2 dev ipmp5 /m);
    match(routes, /^default via 192\.0\.2\.1 dev ipmp0/m);
    match(await host.run('host', ['ip', 'maddr', 'show', 'dev', 'ipmp5']), /239\.1\.2\.3/);
    match(await host.adm('multicast', 'show', 'dev', 'store'), /^239\.1\.2\.3 dev store/);
    match(await host.adm('neighbor', 'show', 'dev', 'store'), /^10\.50\.0\.2 .*PERMANENT\n$/);
  });

  test('[contract 3.17] two workers count, and there is no third', async () => {
    const names = (await host.kstats())
      .map(({ name }) => name)
      .filter((name) => /^worker/.test(name));
    deepEqual(names, ['worker0', 'worker1']);
  });

  test('[contract 3.20, 4.4] what probes will need is taken within its limits', async () => {
    await setGroup('failure-detection-time=50ms', 'probe-targets=[192.0.2.1]');
    equal((await host.daemon.group()).fdt_ms, 50);
    await setGroup('failure-detection-time=60m', 'transitive-probing=off');
    equal((await host.daemon.group()).fdt_ms, 3_600_000);
    match(await host.adm('config', 'show'), /^tracking +.= all /m);
  });

  test('[contract 3.9] without failback a repaired member is inactive', async () => {
    await setGroup('failback=off');
    await host.fail('eth0');
    await host.topology.repair('eth0');
    await host.waitForState('net0', 'ok');
    const { active, inactive } = await host.daemon.group();
    deepEqual({ active, inactive }, { active: ['net1'], inactive: ['net0'] });
    await setGroup('failback=on');
    await host.daemon.waitUntilOk();
  });
});

describe('frames', () => {
  /** How many frames each member has sent while `body` ran. */
  async function sentDuring(body: () => Promise<unknown>): Promise<number[]> {
    const read = async (): Promise<number[]> => {
      const rows = await host.kstats();
      return host.topology.members.map((member) => {
        const row = rows.find(({ module, name }) => module === 'link' && name === member);
        return Number(row?.data.opackets64);
      });
    };
    const from = await read();
    await body();
    return await until('all were sent', 10_000, async () => {
      const grown = (await read()).map((count, at) => count - (from[at] ?? 0));
      return grown.reduce((sum, count) => sum + count, 0) >= FLOWS && grown;
    });
  }

  const sourcePorts = Array.from({ length: FLOWS }, (_, at) => 20_000 + at);
  const flows = (): Promise<void> =>
    udpSend(host.workspace, 'host', { address: LAN.remote, port: 6543, text: 'x', sourcePorts });

  test('[contract 3.11] spread by flow, by destination, by the place of the address', async () => {
    await host.ping('host', LAN.gateways[0]);
    await setGroup('spreading=flow');
    const spread = await sentDuring(flows);
    ok(Math.min(...spread) >= FLOWS / 8, spread.join());
    await setGroup('spreading=destination');
    const bundled = await sentDuring(flows);
    ok(Math.min(...bundled) < NOISE && Math.max(...bundled) >= FLOWS, bundled.join());
    await setGroup('spreading=address');
    for (const address of LAN.data) {
      const options = { count: FLOWS, intervalS: 0.002, args: ['-I', address] };
      const placed = await sentDuring(() => host.ping('host', LAN.gateways[0], options));
      const { ifname } = await host.boundTo(address);
      const at = host.topology.members.indexOf(ifname);
      ok((placed[at] ?? 0) >= FLOWS && (placed[1 - at] ?? 0) < NOISE, `${ifname}: ${placed}`);
    }
    await setGroup('spreading=flow');
  });

  test('[contract 3.10, 8.4, 8.5] few of many neighbours are kept, no claim believed', async () => {
    const station = new ArpStation(host, 'gw');
    const claims = async (network: string): Promise<void> => {
      const frames = Array.from({ length: STRANGERS }, (_, at) => {
        const senderMac = `02:00:00:${network}:00:${(at + 16).toString(16)}`;
        const senderAddress = `192.0.2.${50 + at}`;
        const packet = { operation: 'request', senderMac, senderAddress } as const;
        return arpOf({ ...packet, targetAddress: LAN.data[0] });
      });
      await station.send(frames, { perSecond: 2000 });
    };
    const known = async (): Promise<number> =>
      (await host.daemon.neighbors()).filter(({ group }) => group === GROUP).length;
    await claims('01');
    await until('all are known', 10_000, async () => (await known()) >= STRANGERS);
    const lines = host.daemon.log.length;
    await claims('02');
    await claims('03');
    await setGroup('neighbors=64');
    // Entries that verify a claim stay until their requests have expired.
    await until('the others have left', 10_000, async () => (await known()) <= 64);
    await claims('04');
    equal(await known(), 64);
    equal(statisticOf(await host.kstats(), 'neighbors', 'limit'), 64n + 1024n);
    await setGroup('neighbors=1024');
    // No station answered for a claimed MAC, so no neighbour has moved.
    equal(host.daemon.log.slice(lines).includes('neighbor-moved'), false);
  });

  test('[contract 3.17] log.level: errors alone', async () => {
    host.write({ top: { ...TOP, log: { level: 'error' } } });
    await host.reload();
    const before = host.daemon.log.length;
    await host.workspace.ip('host', [`address add 192.0.2.77/24 dev ${GROUP}`]);
    await host.waitForAddress('192.0.2.77');
    equal(host.daemon.log.slice(before), '');
  });
});
