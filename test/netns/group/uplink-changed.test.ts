/** Another program configures a NIC below the group: status shows it, and the group goes on. */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GROUP } from '../../../src/lab/configuration.ts';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { TestHost, UNDAMPED } from '../tools/harness.ts';
import { sniff, sniffUplinks } from '../tools/sniffer.ts';

const ALL = { answered: 3, duplicates: 0 };
const [GATEWAY] = LAN.gateways;
const OTHER_MAC = '02:00:00:00:0a:0a';
const STRAY = '192.0.2.77';
/** More than the queue of a macvtap takes. */
const FLOOD = 5000;

/** What lies in the queue still counts against the socket that has sent it (SO_SNDBUFFORCE). */
const FLOODER = `
import socket, sys
device, mac, count = sys.argv[1:]
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.setsockopt(socket.SOL_SOCKET, 32, 1 << 26)
wire.bind((device, 0))
frame = bytes.fromhex(mac.replace(':', '') + '020000000777' + '88b5') + bytes(46)
for _ in range(int(count)):
    wire.send(frame)
`;

const host = TestHost.ofSuite(UNDAMPED);

/** Waits until the gateway has learnt where each data address is. */
async function expectServed(): Promise<void> {
  for (const address of LAN.data) await host.waitForPing('gw', address, 5000);
}

describe('an address of the host on a device below the group', () => {
  for (const device of ['eth0', 'net0']) {
    test(`${device}: it is shown, and the group's route comes first, also after a bounce`, () => {
      return addAndBounce(device);
    });
  }

  async function addAndBounce(device: string): Promise<void> {
    await host.workspace.ip('host', [`address add ${STRAY}/24 dev ${device}`]);
    const shown = new RegExp(`${device} is used by the host itself: ${STRAY}/24`);
    await until('it is shown', 5000, async () =>
      shown.test((await host.status()).problems.join('\n')),
    );
    match((await host.daemon.interface('net0')).cause_text, shown);
    match(await host.adm('-d', 'interface', 'show', 'net0'), shown);
    equal((await host.daemon.ipmpadm(['status', '--check'])).status, 4);
    await host.workspace.ip('host', [`link set ${GROUP} down`, `link set ${GROUP} up`]);
    await until('the route leads through the group', 5000, async () => {
      const text = await host.run('host', ['ip', 'route', 'get', GATEWAY]);
      return text.includes(`dev ${GROUP}`);
    });
    await host.expectTraffic();
    await host.workspace.ip('host', [`address del ${STRAY}/24 dev ${device}`]);
    await until(
      'it is shown no more',
      5000,
      async () => (await host.status()).problems.length === 0,
    );
    equal((await host.daemon.ipmpadm(['status', '--check'])).status, 0);
    await host.expectTraffic();
  }
});

describe('another MAC of an uplink', () => {
  test('is shown, announced, and the source of frames; what came before is not', async () => {
    const { ifname, uplink } = await host.boundTo(LAN.data[0]);
    const before = await host.memberMac(ifname);
    const port = { ...host.topology.portOf(uplink), args: ['-Q', 'in'] };
    const sniffer = await sniff(host, 'arp or icmp', port);
    await host.workspace.ip('host', [`link set ${uplink} address ${OTHER_MAC}`]);
    await until('it is shown', 5000, async () => (await host.memberMac(ifname)) === OTHER_MAC);
    const announcement = new RegExp(`^\\S+ ${OTHER_MAC} > .*${LAN.data[0]}`);
    await sniffer.waitFor(announcement, 5000);
    await host.workspace.ip('gw', ['neigh flush dev eth0']);
    await host.expectTraffic();
    const entry = await host.run('gw', ['ip', 'neigh', 'show', LAN.data[0], 'dev', 'eth0']);
    ok(entry.includes(OTHER_MAC), entry);
    sniffer.lines.length = 0;
    const args = ['-I', LAN.data[0]];
    await host.adm('group', 'set', GROUP, 'spreading=address');
    deepEqual(await host.ping('host', GATEWAY, { args }), ALL);
    await sniffer.waitFor(/ICMP echo request/, 5000, 3);
    deepEqual(sniffer.matching(new RegExp(before)), []);
    await sniffer.stop();
    await host.workspace.ip('host', [`link set ${uplink} address ${before}`]);
    await until('it is back', 5000, async () => (await host.memberMac(ifname)) === before);
    await host.adm('group', 'set', GROUP, 'spreading=flow');
    await host.daemon.waitUntilOk();
  });
});

describe('the MAC that another uplink has', () => {
  test('its member is offline, and the other carries all, until the MAC is another', async () => {
    const [own, taken] = [await host.memberMac('net1'), await host.memberMac('net0')];
    await host.workspace.ip('host', [`link set eth1 address ${taken}`]);
    await host.waitForState('net1', 'offline');
    const { cause } = await host.daemon.interface('net1');
    equal(cause, 'duplicate-mac');
    deepEqual((await host.daemon.group()).active, ['net0']);
    for (const address of LAN.data) equal((await host.boundTo(address)).ifname, 'net0');
    await expectServed();
    const [left, right] = await sniffUplinks(host, 'icmp');
    await host.expectTraffic();
    await left!.waitFor(/ICMP echo request/, 5000, ALL.answered);
    await left!.waitFor(/ICMP echo reply/, 5000, ALL.answered * LAN.data.length);
    await Promise.all([left!.stop(), right!.stop()]);
    deepEqual(
      right!.lines.filter((line) => line.includes('ICMP')),
      [],
    );
    await host.workspace.ip('host', [`link set eth1 address ${own}`]);
    await host.waitForState('net1', 'ok');
    await host.daemon.waitUntilOk();
    equal(await host.memberMac('net1'), own);
    await expectServed();
    await host.expectTraffic();
  });
});

describe('frames that the queue of a macvtap does not take', () => {
  async function losses(): Promise<{ kernel: number; ours: number }> {
    const file = '/sys/class/net/net0/statistics/rx_dropped';
    const kernel = Number(await host.run('host', ['cat', file]));
    const row = (await host.kstats()).find(
      ({ module, name }) => module === 'link' && name === 'net0',
    );
    return { kernel, ours: Number(row?.data.ierrors) };
  }

  test('are counted once', async () => {
    const before = await losses();
    const pid = host.daemon.process.pid ?? 0;
    process.kill(pid, 'SIGSTOP');
    try {
      const { role, device } = host.topology.portOf('eth0');
      const mac = await host.macOf('host', 'net0');
      await host.run(role, ['timeout', '30', 'python3', '-c', FLOODER, device, mac, `${FLOOD}`]);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await until('the losses are counted', 10_000, async () => {
      return (await losses()).ours > before.ours;
    });
    const after = await until('the counters rest', 10_000, async () => {
      const [one, two] = [await losses(), await losses()];
      return one.kernel === two.kernel && one.ours === two.ours && two;
    });
    const lost = after.kernel - before.kernel;
    ok(lost > 0 && lost < FLOOD, `${lost} lost`);
    equal(after.ours - before.ours, lost);
    await host.daemon.waitUntilOk();
  });
});
