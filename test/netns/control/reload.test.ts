/** A configuration that changes under a living daemon: what is touched, and what is not. */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { configurationFor, GROUP } from '../../../src/lab/configuration.ts';
import { socketOf } from '../../../src/lab/daemon-process.ts';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { TestHost } from '../tools/harness.ts';

const RELOADS = 20;

/** What a configuration says beside the lab's own. */
type Change = Omit<Parameters<typeof configurationFor>[1], 'socket'>;

/** Another group on a TAP of its own, as a whole. */
function withNeighbourGroup(host: TestHost, group: object): Change {
  const text = configurationFor(host.topology, { socket: socketOf(host.workspace) });
  const { interfaces, groups } = JSON.parse(text) as Record<string, object>;
  return {
    top: {
      interfaces: { ...interfaces, net8: {} },
      groups: { ...groups, ipmp8: { interfaces: ['net8'], ...group } },
    },
  };
}

function write(host: TestHost, change: Change = {}): void {
  const options = { socket: socketOf(host.workspace), ...change };
  writeFileSync(
    join(host.workspace.folder, 'ipmpd.yaml'),
    configurationFor(host.topology, options),
  );
}

/** Reloads by command; answers what it said. */
async function reload(host: TestHost): Promise<{ changes: string[]; problems: string[] }> {
  const { stdout, stderr } = await host.daemon.ipmpadm(['-j', 'reload']);
  ok(stdout !== '', stderr);
  return JSON.parse(stdout) as { changes: string[]; problems: string[] };
}

/** What the API replies to a body, which is text or becomes JSON. */
async function post(
  socketPath: string,
  path: string,
  body: string | object,
  method = 'POST',
): Promise<string> {
  const headers = { 'content-type': 'application/json' };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request({ socketPath, path, method, headers, agent: false }, resolve);
    sent.on('error', reject);
    sent.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  return await text(response);
}

async function addressesOn(host: TestHost, device: string): Promise<string[]> {
  const rows = (await host.ipJson('host', ['-4', 'addr', 'show', 'dev', device])) as {
    addr_info: { local: string; prefixlen: number }[];
  }[];
  return rows.flatMap((row) => row.addr_info.map((one) => `${one.local}/${one.prefixlen}`)).sort();
}

/** Datagrams of its own that the kernel of `role` had no room for (ipSystemStatsOutDiscards). */
async function discardedBy(host: TestHost, role: string): Promise<number> {
  const text = await host.run(role, ['cat', '/proc/net/snmp']);
  const [names = [], values = []] = text
    .split('\n')
    .filter((line) => line.startsWith('Ip: '))
    .map((line) => line.split(' '));
  return Number(values[names.indexOf('OutDiscards')]);
}

describe('reload', () => {
  let host: TestHost;

  before(async () => {
    host = await TestHost.raise();
  });
  after(() => host?.lower());

  test(`[contract 2.6] ${RELOADS} reloads: an untouched group loses nothing`, async () => {
    const rules = `table inet far {
      chain in { type filter hook input priority 0
        icmp type echo-request counter
      }
      chain out { type filter hook output priority 0
        icmp type echo-reply counter
      }
    }`;
    await host.run('gw', ['nft', '-f', '-'], rules);
    const discardedBefore = await discardedBy(host, 'gw');
    const stream = await host.echo(LAN.gateways[0]);
    for (let round = 0; round < RELOADS / 2; round++) {
      write(host, withNeighbourGroup(host, { addresses: [`10.88.${round}.1/24`] }));
      const { changes, problems } = await reload(host);
      deepEqual(problems, []);
      ok(changes.includes('add group ipmp8'), changes.join('; '));
      ok(!changes.some((change) => change.includes(GROUP)), changes.join('; '));
      write(host);
      ok((await reload(host)).changes.includes('remove group ipmp8'));
    }
    const { sent, received } = await stream.stop();
    const far = JSON.parse(await host.run('gw', ['nft', '-j', 'list', 'table', 'inet', 'far'])) as {
      nftables: { rule?: { chain: string; expr: { counter?: { packets: number } }[] } }[];
    };
    const counted = far.nftables.flatMap(({ rule }) =>
      (rule?.expr ?? []).flatMap(({ counter }) => (counter === undefined ? [] : [counter.packets])),
    );
    equal(counted.length, 2);
    const [requests = 0, replies = 0] = counted;
    equal(requests, sent, 'every request came to the far end');
    equal(received, replies, 'and every reply came back');
    // Of replies that wait for a busy machine, its kernel has no more than 170 or so.
    const discarded = (await discardedBy(host, 'gw')) - discardedBefore;
    equal(requests - replies, discarded, 'the far end has answered what it got');
  });

  test('[contract 2.6] HUP applies what differs, and only that', async () => {
    const before = await addressesOn(host, GROUP);
    await host.run('host', ['ip', 'addr', 'add', '192.0.2.77/24', 'dev', GROUP]);
    const addresses = [
      ...LAN.data.map((address) => `${address}/${LAN.prefixLength}`),
      '192.0.2.66/24',
    ];
    write(host, { addresses, group: { forwarding: false, mtu: 1400 } });
    host.daemon.process.kill('SIGHUP');
    await until('the new address is there', 10_000, async () =>
      (await addressesOn(host, GROUP)).includes('192.0.2.66/24'),
    );
    deepEqual(await addressesOn(host, GROUP), [...before, '192.0.2.66/24', '192.0.2.77/24'].sort());
    await until('the MTU is there', 10_000, async () => (await host.daemon.group()).mtu === 1400);
    write(host);
    deepEqual((await reload(host)).problems, []);
    deepEqual(await addressesOn(host, GROUP), [...before, '192.0.2.77/24'].sort());
    await host.run('host', ['ip', 'addr', 'del', '192.0.2.77/24', 'dev', GROUP]);
    await host.daemon.waitUntilOk();
  });

  test('[contract 2.6, 4.15] a broken file changes nothing and is reported', async () => {
    const before = await host.daemon.ipmpadm(['-j', 'config', 'show']);
    writeFileSync(join(host.workspace.folder, 'ipmpd.yaml'), 'groups:\n  ipmp0: { mtu: 7 }\n');
    host.daemon.process.kill('SIGHUP');
    await until('the log says so', 10_000, () => host.daemon.log.includes('"reload-refused"'));
    const { status, stderr } = await host.daemon.ipmpadm(['reload']);
    equal(status, 1);
    match(stderr, /ipmpd\.yaml:2: groups\.ipmp0\.mtu: 7 is not valid .*EINVAL/);
    equal((await host.daemon.ipmpadm(['-j', 'config', 'show'])).stdout, before.stdout);
    write(host);
    deepEqual(await reload(host), { changes: [], problems: [], warnings: [] });
    deepEqual(await host.ping('host', LAN.gateways[0]), { answered: 3, duplicates: 0 });
  });

  test('[contract 2.6, 8.2] text nested without end is refused: files, bodies', async () => {
    const socket = socketOf(host.workspace);
    for (const open of ['{', '[', '- ']) {
      const all = open.repeat(100_000);
      for (const deep of [all.slice(0, 3000), all]) {
        writeFileSync(join(host.workspace.folder, 'ipmpd.yaml'), deep);
        const { status, stderr } = await host.daemon.ipmpadm(['reload']);
        equal(status, 1);
        match(stderr, /is nested too deeply \(at most 16 levels\)/);
        const check = await post(socket, '/v1/config/check', { file: 'f', text: deep });
        match(check, /is nested too deeply/);
        const setting = await post(
          socket,
          `/v1/groups/${GROUP}`,
          { addresses: deep.slice(0, 50_000) },
          'PATCH',
        );
        match(setting, /"code":"EINVAL"/);
      }
    }
    const addresses = `${'['.repeat(30_000)}${']'.repeat(30_000)}`;
    match(
      await post(socket, `/v1/groups/${GROUP}`, `{"addresses":${addresses}}`, 'PATCH'),
      /EINVAL/,
    );
    write(host);
    deepEqual(await reload(host), { changes: [], problems: [], warnings: [] });
  });

  test('addresses and names change hands within one reload', async () => {
    const text = configurationFor(host.topology, { socket: socketOf(host.workspace) });
    const { groups, interfaces } = JSON.parse(text) as Record<string, Record<string, object>>;
    const [first = ''] = host.topology.members;
    const before = { ...interfaces?.[first], 'test-addresses': ['192.0.2.61/24'] };
    write(host, {
      top: {
        interfaces: { ...interfaces, [first]: before },
        groups: { [GROUP]: { ...groups?.[GROUP], name: 'front' } },
      },
    });
    deepEqual((await reload(host)).problems, []);
    const tests = { 'test-addresses': ['192.0.2.61/24'] };
    write(host, {
      top: {
        interfaces: { ...interfaces, net8: tests },
        groups: { ...groups, front: { interfaces: ['net8'] } },
      },
    });
    deepEqual((await reload(host)).problems, []);
    equal((await host.daemon.interface('net8')).group, 'front');
    equal((await host.daemon.group()).group, GROUP);
    write(host);
    deepEqual((await reload(host)).problems, []);
    await host.daemon.waitUntilOk();
  });

  test('an interface moves from one group to another, and back', async () => {
    const text = configurationFor(host.topology, { socket: socketOf(host.workspace) });
    const { groups } = JSON.parse(text) as { groups: Record<string, object> };
    const [first = '', second = ''] = host.topology.members;
    write(host, {
      top: {
        groups: {
          [GROUP]: { ...groups[GROUP], interfaces: [first] },
          ipmp1: { interfaces: [second], addresses: ['192.0.2.101/24'] },
        },
      },
    });
    deepEqual((await reload(host)).problems, []);
    await host.daemon.waitUntilOk();
    equal((await host.daemon.interface(second)).group, 'ipmp1');
    await until('the other group answers', 10_000, async () => {
      const { state, inbound } = await host.daemon.address('192.0.2.101');
      return state === 'up' && inbound === second;
    });
    const { answered } = await host.ping('gw', '192.0.2.101');
    equal(answered, 3);
    write(host);
    deepEqual((await reload(host)).problems, []);
    await host.daemon.waitUntilOk();
    deepEqual((await host.daemon.group()).interfaces.toSorted(), [first, second].sort());
    deepEqual(
      (await host.links('host')).filter(({ ifname }) => ifname === 'ipmp1'),
      [],
    );
  });
});
