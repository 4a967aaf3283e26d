/**
 * Multicast streams to the host go on when the nominated NIC is lost, behind two switches that
 * snoop, in both families at once:
 *
 *     host ── eth0 ── A ── gateway (sends), querier
 *          └─ eth1 ── B ── A
 *
 * Switches send a group only where it was reported. The querier is none of the two: a bridge that
 * queries does so again when a port changes. It asks at its start and 125 s later. So what a switch
 * learns within the seconds of a failover, the daemon has had the host report.
 *
 * Neighbour solicitations are multicast too: unicast of IPv6 works after a failover only because
 * the NIC that has taken an address over has reported its solicited-node group.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { LAN, LAN6, LANS, type Topology } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import type { Workspace } from '../../../src/lab/workspace.ts';
import { ipv6Format, ipv6Parse, ipv6SolicitedNode } from '../../../src/wire/addr.ts';
import { TestHost, UNDAMPED } from '../tools/harness.ts';
import { sniff } from '../tools/sniffer.ts';
import {
  type Membership,
  type StreamReceiver,
  type StreamResult,
  streamReceive,
  streamSend,
} from './multicast-stream.ts';

/** The longest gap that a failover may make in a stream. */
const GAP_MS = 200;
const PER_SECOND = 1000;
/** The kernel's querier sometimes asks once more than it is set to: that proves nothing. */
const ATTEMPTS = 3;
/** Datagrams that come before the loss, and after it, at least. */
const [BEFORE, AFTER] = [500, 500];
/** Of all sources but one, which no station has (EXCLUDE). */
const MOST: readonly Membership[] = [
  { group: '239.1.2.3', filter: ['except', LAN.absent] },
  { group: 'ff05::1:2:3', filter: ['except', LAN6.absent] },
];
/** Of the first gateway alone (INCLUDE). */
const SPECIFIC: readonly Membership[] = [
  { group: '232.1.2.3', filter: ['only', LAN.gateways[0]] },
  { group: 'ff3e::8000:1', filter: ['only', LAN6.gateways[0]] },
];
const QUERIES = 'igmp[0] == 0x11 or (ip6[6] == 0 and ip6[48] == 130)';

/** Versions of IGMP and MLD. */
interface Versions {
  readonly igmp: number;
  readonly mld: number;
}

const NEWEST: Versions = { igmp: 3, mld: 2 };
const OLDER: Versions = { igmp: 2, mld: 1 };

const SET = 'link set lan type bridge';
/** Once, and again after 125 s. */
const ONCE =
  'mcast_query_response_interval 100 mcast_query_interval 12500 mcast_startup_query_count 1';

/** A switch snoops in these versions, and has forgotten all groups. */
async function snoop(workspace: Workspace, role: string, { igmp, mld }: Versions): Promise<void> {
  await workspace.ip(role, [
    `${SET} mcast_snooping 0`,
    `${SET} mcast_igmp_version ${igmp} mcast_mld_version ${mld} mcast_snooping 1`,
  ]);
}

/** The switches forget all, and a new querier asks. For MLD it needs a link-local address. */
async function ask(versions: Versions): Promise<void> {
  const { workspace } = host;
  await host.attempt('gw', ['ip', 'link', 'del', 'querier']);
  for (const role of ['swA', 'swB']) await snoop(workspace, role, versions);
  const { igmp, mld } = versions;
  await workspace.ip('gw', [
    `link add name querier type bridge mcast_igmp_version ${igmp} mcast_mld_version ${mld} ${ONCE}`,
    'link set querier addrgenmode none',
    'link set querier up',
    'link set q0 master querier',
    'link set q0 up',
    'address add fe80::1:1/64 dev querier nodad',
  ]);
  // A port that begins to forward is asked anew: up to a second after its link is up.
  await until('the port of the querier forwards', 5000, async () => {
    const text = await host.run('gw', ['bridge', 'link', 'show', 'dev', 'q0']);
    return text.includes('state forwarding');
  });
  const asked = await sniff(host, QUERIES, { role: 'gw', device: 'q0', args: ['-Q', 'out'] });
  await workspace.ip('gw', ['link set querier type bridge mcast_querier 1']);
  await asked.waitFor(/> 224\.0\.0\.1: /, 5000);
  await asked.waitFor(/> ff02::1: /, 5000);
  await asked.stop();
}

async function prepare({ workspace }: Topology): Promise<void> {
  await workspace.ip('gw', [
    'route add 224.0.0.0/4 dev eth0',
    `link add name q0 type veth peer name q0 netns ${workspace.namespaceOf('swA')}`,
  ]);
  await workspace.ip('swA', ['link set q0 master lan', 'link set q0 up']);
  for (const role of ['swA', 'swB']) await snoop(workspace, role, NEWEST);
}

const host = TestHost.ofSuite({ ...UNDAMPED, ipv6: true, prepare });

const uplinkOf = (nic: number): string => host.topology.uplinks[nic] ?? '';
const memberOf = (nic: number): string => host.topology.members[nic] ?? '';

/** Where a switch sends a group, of which source; or where it does not send this source. */
interface Entry {
  readonly grp: string;
  readonly src?: string;
  readonly port: string;
  readonly filter_mode?: string;
  readonly source_list?: readonly { readonly address: string }[];
  readonly flags: readonly string[];
}

interface Port {
  readonly role: string;
  readonly device: string;
}

/** What the switch at a port sends there. */
async function entriesOf({ role, device }: Port): Promise<Entry[]> {
  const text = await host.run(role, ['bridge', '-json', '-d', 'mdb', 'show']);
  const [{ mdb = [] } = {}] = JSON.parse(text) as { mdb?: Entry[] }[];
  return mdb.filter(({ port }) => port === device);
}

async function groupsOf(port: Port): Promise<Set<string>> {
  return new Set((await entriesOf(port)).map(({ grp }) => grp));
}

/** The port of a NIC at its switch. */
function portOf(nic: number): Port {
  return host.topology.portOf(uplinkOf(nic));
}

/** The solicited-node groups of the addresses that a NIC serves. */
async function solicitedOf(nic: number): Promise<Set<string>> {
  const all = await host.daemon.addresses();
  const rows = all.filter(({ inbound }) => inbound === memberOf(nic));
  const addresses = rows.map(({ address }) => ipv6Parse(address.split('/')[0] ?? ''));
  return new Set(
    addresses.flatMap((address) =>
      address === undefined ? [] : [ipv6Format(ipv6SolicitedNode(address))],
    ),
  );
}

/** The switch of a NIC has learnt that the groups are wanted there. */
async function waitUntilLearnt(nic: number, groups: Iterable<string>): Promise<void> {
  const port = portOf(nic);
  const wanted = [...groups];
  await until(`${port.role} sends ${wanted} to ${port.device}`, 20_000, async () => {
    const known = await groupsOf(port);
    return wanted.every((group) => known.has(group));
  });
}

function expectWhole({ group }: Membership, result: StreamResult): void {
  const text = `${group}: ${JSON.stringify(result)}`;
  const { received, duplicates, longestMs, disorders, lastMs } = result;
  ok(received >= BEFORE + AFTER, text);
  equal(duplicates, 0, text);
  equal(disorders, 0, text);
  // None may be missing where the host was late by chance; a gap that does not end shows as lastMs.
  ok(longestMs <= GAP_MS && lastMs <= GAP_MS, text);
  deepEqual(result.sources, [(group.includes(':') ? LAN6 : LAN).gateways[0]], text);
}

/** The gateway, which has forgotten the MACs, reaches each address. */
async function expectUnicast(): Promise<void> {
  for (const { family, data } of LANS) {
    await host.run('gw', ['ip', `-${family}`, 'neigh', 'flush', 'dev', 'eth0']);
    for (const address of data) await host.expectPing('gw', address);
  }
}

/** The filter of a membership, as a switch has it at the port of a NIC. */
async function filterOf(nic: number, { group }: Membership): Promise<readonly unknown[]> {
  const entries = (await entriesOf(portOf(nic))).filter(({ grp }) => grp === group);
  const whole = entries.find(({ src }) => src === undefined);
  const blocked = whole?.source_list?.map(({ address }) => address) ?? [];
  if (whole?.filter_mode === 'exclude') return ['except', ...blocked];
  return ['only', ...entries.flatMap(({ src }) => src ?? [])];
}

/** How a NIC is lost, and how it comes back. */
interface Loss {
  readonly lose: (nic: number) => Promise<void>;
  readonly restore: (nic: number) => Promise<void>;
}

const CUT: Loss = {
  lose: (nic) => host.fail(uplinkOf(nic)),
  restore: (nic) => host.topology.repair(uplinkOf(nic)),
};
const OFFLINE: Loss = {
  lose: async (nic) => void (await host.adm('interface', 'offline', memberOf(nic))),
  restore: async (nic) => void (await host.adm('interface', 'online', memberOf(nic))),
};

interface Row {
  readonly title: string;
  /** Undefined: no querier has ever asked, and the switches flood what they have not learnt. */
  readonly versions: Versions | undefined;
  readonly memberships: readonly Membership[];
  readonly hasFilters: boolean;
  readonly loss: Loss;
}

const ALL = { memberships: [...MOST, ...SPECIFIC], hasFilters: true };
const WITHOUT_FILTERS = { memberships: MOST, hasFilters: false };

const ROWS: readonly Row[] = [
  { title: 'no querier, an offline', versions: undefined, ...ALL, loss: OFFLINE },
  { title: 'IGMPv3 and MLDv2, a cut', versions: NEWEST, ...ALL, loss: CUT },
  { title: 'IGMPv3 and MLDv2, an offline', versions: NEWEST, ...ALL, loss: OFFLINE },
  { title: 'IGMPv2 and MLDv1, a cut', versions: OLDER, ...WITHOUT_FILTERS, loss: CUT },
];

/**
 * The nominated NIC is lost under a stream to each of the groups. True if the new one was learnt by
 * what it reported: no querier has asked meanwhile.
 */
async function failOver({ memberships, loss, hasFilters }: Row): Promise<boolean> {
  const groups = memberships.map(({ group }) => group);
  const lost = await host.nominated();
  const other = 1 - lost;
  const queries = await sniff(host, QUERIES, { ...portOf(other), args: ['-Q', 'out'] });
  const receivers = await Promise.all(
    memberships.map((membership) => streamReceive(host, membership)),
  );
  const each = (work: (receiver: StreamReceiver) => Promise<void>): Promise<unknown> =>
    Promise.all(receivers.map(work));
  await waitUntilLearnt(lost, groups);
  await waitUntilLearnt(other, await solicitedOf(other));
  // What the NIC reports for itself is all that is known of it.
  deepEqual(await groupsOf(portOf(other)), await solicitedOf(other));
  const sender = await streamSend(host, 'gw', groups, PER_SECOND);
  try {
    await each((receiver) => receiver.more(BEFORE));
    queries.lines.length = 0;
    await loss.lose(lost);
    await waitUntilLearnt(other, groups);
    await expectUnicast();
    await each((receiver) => receiver.more(AFTER));
    // About groups that a NIC has left a querier asks at once.
    const others = queries.lines.filter((line) => !/addr:? ff02::1:ff/.test(line));
    for (const [at, receiver] of receivers.entries()) {
      const membership = memberships[at]!;
      if (hasFilters) deepEqual(await filterOf(other, membership), membership.filter);
      expectWhole(membership, await receiver.stop());
    }
    return others.length === 0;
  } finally {
    await sender.stop();
    await queries.stop();
  }
}

for (const row of ROWS) {
  test(`streams lose at most 200 ms, unicast works at once: ${row.title}`, async () => {
    let isByReport = false;
    for (let attempt = 0; attempt < ATTEMPTS && !isByReport; attempt++) {
      const lost = await host.nominated();
      if (row.versions !== undefined) await ask(row.versions);
      isByReport = await failOver(row);
      await row.loss.restore(lost);
      await host.waitForState(memberOf(lost), 'ok');
    }
    ok(isByReport, 'a querier has asked in each attempt');
  });
}
