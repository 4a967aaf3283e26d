/**
 * ARP as the field has it: addresses that are taken over from another
 * station, probes that come from no rival, and peers that believe few forms of announcement.
 */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { before, describe, type TestContext, test } from 'node:test';
import { GROUP } from '../../../src/lab/configuration.ts';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { ArpStation, arpOf, NO_ADDRESS } from '../tools/arp-station.ts';
import { TestHost } from '../tools/harness.ts';
import { metricsOf } from '../tools/scrape.ts';
import { sniff } from '../tools/sniffer.ts';

const TAKEN = '192.0.2.50';
/** The longest time out of reach: two seconds, and what a busy machine adds. */
const SERVED_WITHIN_MS = 3000;
const PROBES = 20;
const PROBES_A_SECOND = 50;
/** No MAC of the lab, which are random. */
const OTHER_SOURCE = '02:00:00:00:77:77';

/** Times of frames in seconds, as the kernel stamps them, by their Ethernet source. */
function timesFrom(lines: readonly string[], macs: readonly string[]): number[] {
  return lines
    .filter((line) => macs.some((mac) => line.includes(` ${mac} > `)))
    .map(Number.parseFloat);
}

async function memberMacs(host: TestHost): Promise<string[]> {
  return await Promise.all(host.topology.members.map((name) => host.memberMac(name)));
}

/** The state that detection ends with. */
async function detectedState(host: TestHost, address: string): Promise<string> {
  return await until(`detection of ${address} ends`, 20_000, async () => {
    const { state } = await host.daemon.address(address);
    return (state === 'up' || state === 'duplicate') && state;
  });
}

/** What `ipmpadm -j address show` prints of an address. */
async function causeOf(host: TestHost, address: string): Promise<unknown> {
  const rows = await host.admRows('address', 'show');
  return rows.find((row) => String(row.address).startsWith(`${address}/`))?.cause_text;
}

/** Takes the address from its holder: it must be served soon after. */
async function handOver(host: TestHost, t: TestContext): Promise<void> {
  const holder = await host.macOf('gw2', 'eth0');
  equal(await detectedState(host, TAKEN), 'duplicate');
  match(String(await causeOf(host, TAKEN)), new RegExp(holder));
  equal((await host.daemon.address(TAKEN)).inbound, null);
  const { text } = await metricsOf(host.daemon.socket);
  match(text, new RegExp(`^ipmp_address_bound\\{[^}]*"${TAKEN}/24",interface=""\\} 0$`, 'm'));
  // ARP whose sender address is the one that moves: its holder's answers, our announcements.
  const filter = 'arp and arp[14:4] = 0xc0000232';
  const sniffer = await sniff(host, filter, { role: 'gw2' });
  await sniffer.waitFor(new RegExp(` ${holder} > `), 10_000);
  await host.workspace.ip('gw2', [`address del ${TAKEN}/24 dev eth0`]);
  await host.waitForAddress(TAKEN, 'up', 60_000);
  await host.waitForPing('gw', TAKEN, SERVED_WITHIN_MS);
  equal(await causeOf(host, TAKEN), null);
  const ours = await memberMacs(host);
  await sniffer.waitFor(new RegExp(` (${ours.join('|')}) > `), 10_000);
  await sniffer.stop();
  const last = timesFrom(sniffer.lines, [holder]).at(-1) ?? 0;
  const seconds = (timesFrom(sniffer.lines, ours)[0] ?? 0) - last;
  t.diagnostic(`${seconds.toFixed(2)} s from the last answer to the first announcement`);
  ok(seconds * 1000 < SERVED_WITHIN_MS, `${seconds} s`);
}

describe('an address that another station has', () => {
  const host = TestHost.ofSuite({
    wiring: 'macvtap',
    gateways: 2,
    addresses: [`${LAN.data[0]}/24`, `${TAKEN}/24`],
    prepare: (topology) => {
      return topology.workspace.ip('gw2', [`address replace ${TAKEN}/24 dev eth0`]);
    },
    isRaw: true,
  });

  test('of the configuration: served soon after its holder is gone', async (t) => {
    await handOver(host, t);
  });

  test('added by the host: served soon after its holder is gone', async (t) => {
    await host.workspace.ip('host', [`address del ${TAKEN}/24 dev ${GROUP}`]);
    await host.waitUntilGone(TAKEN);
    await host.workspace.ip('gw2', [`address replace ${TAKEN}/24 dev eth0`]);
    await host.workspace.ip('host', [`address add ${TAKEN}/24 dev ${GROUP}`]);
    await handOver(host, t);
  });
});

describe('ARP probes for an address of ours', () => {
  const host = TestHost.ofSuite({ wiring: 'macvtap', gateways: 2 });
  const station = new ArpStation(host, 'gw2');
  let stationMac: string;

  before(async () => {
    stationMac = await host.macOf('gw2', 'eth0');
  });

  /** A probe of the station. */
  function probe(address: string, to: { destination?: string; source?: string } = {}): Uint8Array {
    return arpOf({
      operation: 'request',
      senderMac: stationMac,
      senderAddress: NO_ADDRESS,
      targetAddress: address,
      ...to,
    });
  }

  /** Probes as switches send them, which come from no rival. */
  async function harmless(address: string): Promise<Readonly<Record<string, Uint8Array[]>>> {
    const macs = await memberMacs(host);
    return {
      unicast: macs.map((destination) => probe(address, { destination })),
      'other source': [probe(address, { source: OTHER_SOURCE })],
    };
  }

  for (const kind of ['unicast', 'other source']) {
    test(`${kind}: an address that is up stays up, and is answered for`, async () => {
      const [address] = LAN.data;
      const frames = (await harmless(address))[kind] ?? [];
      const filter = 'arp[6:2] = 2 and arp[14:4] = 0xc000020a and not ether broadcast';
      const sniffer = await sniff(host, filter, { role: 'gw2' });
      const times = PROBES / frames.length;
      await station.send(frames, { times, perSecond: PROBES_A_SECOND });
      const replies = await sniffer.waitFor(/Reply/, 10_000, PROBES);
      equal(replies.length, PROBES);
      equal((await host.daemon.address(address)).state, 'up');
      await sniffer.stop();
    });

    test(`${kind}: an address that is added comes up`, async () => {
      const address = kind === 'unicast' ? '192.0.2.60' : '192.0.2.61';
      const child = station.start((await harmless(address))[kind] ?? [], PROBES_A_SECOND);
      await host.workspace.ip('host', [`address add ${address}/24 dev ${GROUP}`]);
      equal(await detectedState(host, address), 'up');
      await station.stop(child);
    });
  }

  test('a rival that probes for the same address makes it a duplicate until it stops', async () => {
    const address = '192.0.2.62';
    const child = station.start([probe(address)], PROBES_A_SECOND);
    await host.workspace.ip('host', [`address add ${address}/24 dev ${GROUP}`]);
    equal(await detectedState(host, address), 'duplicate');
    match(String(await causeOf(host, address)), new RegExp(stationMac));
    await station.stop(child);
    await host.waitForAddress(address);
  });

  test('unicast probes while the daemon starts: all addresses come up', async () => {
    const macs = await memberMacs(host);
    const frames = LAN.data.flatMap((address) => {
      return macs.map((destination) => probe(address, { destination }));
    });
    const child = station.start(frames, PROBES_A_SECOND * frames.length);
    await host.restart();
    for (const address of LAN.data) equal(await detectedState(host, address), 'up');
    deepEqual(await memberMacs(host), macs);
    await station.stop(child);
  });
});
