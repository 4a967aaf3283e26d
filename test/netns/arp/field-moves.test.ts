/**
 * Peers follow an address that moves to another NIC: also those that believe one form of
 * announcement only, or none; and a path that is dead while its link is up takes along nothing that
 * is bound to another NIC.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { EchoStream } from '../../../src/lab/measure/measure.ts';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { arping } from '../tools/arping.ts';
import { hostTest, type TestHost } from '../tools/harness.ts';
import { sniff } from '../tools/sniffer.ts';

const [GATEWAY] = LAN.gateways;
const PROXIED = '192.0.2.82';
const PROXIED_MAC = '02:00:00:00:00:82';
/** Addresses of the gateway that the host has never resolved. */
const UNKNOWN = '192.0.2.90';
const UNKNOWN_2 = '192.0.2.91';
const ECHOES_A_SECOND = 200;
const REQUESTS = 5;
/** Answers after which a path counts as whole again. */
const ANSWERS = 20;
/** Two seconds, and what a busy machine adds; a peer's own table takes 20 seconds and more. */
const BACK_WITHIN_MS = 3000;
const NO_DAMPING = { 'flap-damping': 'off' };

/** What a peer does not believe of the ARP that an address sends, as nftables has it. */
const PEERS: Readonly<Record<string, readonly string[]>> = {
  'requests to everybody only': [
    'operation reply arp daddr ip $A',
    'operation request arp daddr ip != $A',
  ],
  'replies only': ['operation request'],
  'no announcement': ['daddr ip $A'],
};

/** The gateway drops what it does not believe of `address`. */
function disbelief(address: string, rules: readonly string[]): string {
  const lines = rules.map((rule) => `arp saddr ip $A arp ${rule} drop`.replaceAll('$A', address));
  return `table arp peer {
  chain input {
    type filter hook input priority 0
    ${lines.join('\n    ')}
  }
}`;
}

async function nominated(host: TestHost): Promise<string> {
  return host.topology.members[await host.nominated()] ?? '';
}

function uplinkOf(host: TestHost, ifname: string): string {
  return host.topology.uplinks[host.topology.members.indexOf(ifname)] ?? '';
}

for (const [name, rules] of Object.entries(PEERS)) {
  hostTest(
    `a peer that believes ${name} follows an address whose NIC is cut`,
    { group: NO_DAMPING },
    async (host, t) => {
      for (const address of LAN.data) {
        await host.ping('gw', address);
        const { uplink } = await host.boundTo(address);
        await host.run('gw', ['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/conf/eth0/arp_accept']);
        await host.run('gw', ['nft', '-f', '-'], disbelief(address, rules));
        const options = { role: 'gw', perSecond: ECHOES_A_SECOND };
        const echo = await EchoStream.start(host.workspace, address, options);
        await until('echo', 10_000, async () => (await echo.peek()).received > ANSWERS);
        await echo.mark('cut');
        await host.topology.cut(uplink);
        await until('the NIC has failed', 10_000, async () => {
          return (await host.boundTo(address)).uplink !== uplink;
        });
        await echo.mark('bound');
        await until('echo', 90_000, async () => {
          const { sent = 0, lost = 0 } = (await echo.peek()).windows.at(-1) ?? {};
          return sent - lost > ANSWERS;
        });
        const { longestGapMs, lost } = await echo.stop();
        t.diagnostic(`${address}: ${lost} lost, longest gap ${longestGapMs.toFixed(0)} ms`);
        ok(longestGapMs < BACK_WITHIN_MS, `${longestGapMs} ms`);
        await host.run('gw', ['nft', 'delete', 'table', 'arp', 'peer']);
        await host.topology.repair(uplink);
        await host.daemon.waitUntilOk();
      }
    },
  );
}

hostTest(
  'a proxy entry is announced by the NIC that is newly nominated',
  { group: NO_DAMPING },
  async (host, t) => {
    await host.adm('neighbor', 'add', PROXIED, 'lladdr', PROXIED_MAC, 'proxy', 'dev', 'ipmp0');
    const from = await nominated(host);
    const fromMac = await host.memberMac(from);
    await until('the gateway has resolved it', 10_000, async () => {
      await host.ping('gw', PROXIED, { count: 1, silenceS: 0.1 });
      return (await host.kernelNeighbor(PROXIED, 'gw'))?.lladdr === fromMac;
    });
    const sniffer = await sniff(host, 'arp and arp[14:4] = 0xc0000252');
    const cutS = Date.now() / 1000;
    await host.topology.cut(uplinkOf(host, from));
    const to = await until('another one is nominated', 10_000, async () => {
      const ifname = await nominated(host);
      return ifname !== from && ifname;
    });
    const toMac = await host.memberMac(to);
    const [first = ''] = await sniffer.waitFor(new RegExp(` ${toMac} > ff:ff:ff:ff`), 30_000);
    const tookMs = (Number.parseFloat(first) - cutS) * 1000;
    t.diagnostic(`announced ${tookMs.toFixed(0)} ms after the cut`);
    ok(tookMs < BACK_WITHIN_MS, first);
    await until('the gateway has the new MAC', BACK_WITHIN_MS, async () => {
      return (await host.kernelNeighbor(PROXIED, 'gw'))?.lladdr === toMac;
    });
    await sniffer.stop();
  },
);

/** The switch drops all that goes through the port of a NIC, whose link stays up. */
function deadPort(port: string): string {
  return `table bridge dead {
  chain forward {
    type filter hook forward priority 0
    iifname "${port}" drop
    oifname "${port}" drop
  }
}`;
}

/** The gateway requests an address by broadcasts, and each is answered by its NIC. */
async function repliesFrom(host: TestHost, bound: { address: string; ifname: string }) {
  const { address, ifname } = bound;
  // Announcements are replies too, to the broadcast address.
  const mac = await host.memberMac(ifname);
  const filter = `arp[6:2] = 2 and not ether broadcast and ether src ${mac}`;
  const sniffer = await sniff(host, filter);
  await arping(host, address, REQUESTS);
  await sniffer.waitFor(new RegExp(`Reply ${address} is-at`), 5000, REQUESTS);
  await sniffer.stop();
}

hostTest(
  'a dead path of the nominated NIC takes along nothing that is bound to another',
  { group: { spreading: 'address', ...NO_DAMPING } },
  async (host) => {
    for (const address of [UNKNOWN, UNKNOWN_2]) {
      await host.workspace.ip('gw', [`address add ${address}/24 dev eth0`]);
    }
    const dead = await nominated(host);
    const bindings = await Promise.all(
      LAN.data.map(async (address) => ({ address, ...(await host.boundTo(address)) })),
    );
    const good = bindings.find(({ ifname }) => ifname !== dead);
    if (good === undefined) throw new Error(JSON.stringify(bindings));
    const { role, device } = host.topology.portOf(uplinkOf(host, dead));
    await host.run(role, ['nft', '-f', '-'], deadPort(device));
    await repliesFrom(host, good);
    await host.workspace.ip('gw', ['neigh flush all']);
    equal((await host.ping('gw', good.address)).answered, 3);
    const args = ['-I', good.address];
    // Of other addresses it may announce, by unicast frames, where they are.
    const asking = `arp[6:2] = 1 and arp src host ${good.address} and arp dst host ${UNKNOWN}`;
    const onDead = await sniff(host, asking, { role: 'host', device: uplinkOf(host, dead) });
    equal((await host.ping('host', UNKNOWN, { args })).answered, 3, 'the host has to resolve it');
    await onDead.stop();
    deepEqual(onDead.lines, [], 'the request leaves by the NIC of its address');
    equal((await host.ping('host', GATEWAY, { args })).answered, 3);
    equal(await nominated(host), dead, 'it is still nominated');
    // What is bound to the dead path is not reached, but its requests leave by the other NIC.
    const lost = bindings.find(({ ifname }) => ifname === dead)?.address ?? '';
    await host.workspace.ip('gw', ['neigh flush all']);
    equal((await host.ping('gw', lost, { count: 1 })).answered, 0);
    await host.ping('host', UNKNOWN_2, { count: 1, args: ['-I', lost] });
    equal((await host.kernelNeighbor(UNKNOWN_2))?.lladdr, await host.macOf('gw', 'eth0'));
  },
);
