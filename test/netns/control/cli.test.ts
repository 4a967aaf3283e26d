/** The control command against the real daemon: exit statuses, refusals, JSON. */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execute } from '../../../src/lab/command.ts';
import { LAN } from '../../../src/lab/topology.ts';
import { TestHost } from '../tools/harness.ts';

const IPMPD = fileURLToPath(new URL('../../../src/ipmpd.js', import.meta.url));
const IPMPADM = fileURLToPath(new URL('../../../src/ipmpadm.js', import.meta.url));

describe('ipmpadm against the daemon', () => {
  let host: TestHost;

  before(async () => {
    host = await TestHost.raise();
  });
  after(() => host?.lower());

  test('[contract 4.12, 4.21] status --check follows the group', async () => {
    equal((await host.daemon.ipmpadm(['status', '--check'])).status, 0);
    await host.topology.cut('eth0');
    await host.waitForState('net0', 'failed');
    equal((await host.daemon.ipmpadm(['status', '--check'])).status, 4);
    await host.topology.cut('eth1');
    await host.waitForState('net1', 'failed');
    equal((await host.daemon.ipmpadm(['status', '--check'])).status, 5);
    await host.topology.repair('eth0');
    await host.topology.repair('eth1');
    await host.daemon.waitUntilOk();
  });

  for (const [object, fields] of [
    ['group', 'group state fdt_ms interfaces active inactive failed offline mtu'],
    ['interface', 'ifname group state active standby link probe lladdr mtu uplink flags cause'],
    ['address', 'address ifname group type state inbound outbound'],
    ['neighbor', 'dst lladdr state group'],
  ] as const) {
    test(`[contract 4.18] -j ${object} show carries its fields`, async () => {
      await host.ping('host', LAN.gateways[0]);
      const { status, stdout } = await host.daemon.ipmpadm(['-j', object, 'show']);
      equal(status, 0);
      const rows = JSON.parse(stdout) as Record<string, unknown>[];
      ok(rows.length > 0);
      for (const row of rows) {
        deepEqual(
          fields.split(' ').filter((field) => !(field in row)),
          [],
          JSON.stringify(row),
        );
      }
    });
  }

  test('[contract 4.2] objects and verbs may be abbreviated', async () => {
    equal((await host.daemon.ipmpadm(['g', 'sh'])).status, 0);
  });

  test('[contract 4.3, 4.22, 4.23] a group with members stays, and it says why', async () => {
    const { status, stderr } = await host.daemon.ipmpadm(['group', 'delete', 'ipmp0']);
    equal(status, 1);
    match(stderr, /^ipmpadm: cannot delete group ipmp0: it still has members net0, net1 \(EBUSY\)/);
    const json = await host.daemon.ipmpadm(['-j', 'group', 'delete', 'ipmp0']);
    const { error } = JSON.parse(json.stderr) as { error: { code: string } };
    equal(error.code, 'EBUSY');
    equal((await host.daemon.group()).state, 'ok');
  });

  test('[contract 4.23] a group that is not there: ENOENT', async () => {
    const { status, stderr } = await host.daemon.ipmpadm(['group', 'delete', 'nosuch']);
    equal(status, 1);
    match(stderr, /nosuch.*ENOENT/);
  });

  test('[contract 4.21] usage errors: 2', async () => {
    for (const words of [['nonsense'], ['group', 'explode'], ['group', 'delete'], ['--nonsense']]) {
      equal((await host.daemon.ipmpadm(words)).status, 2, words.join(' '));
    }
  });

  test('[contract 5.3, 7.1] metrics follow the state', async () => {
    const argv = ['curl', '-s', '--unix-socket', host.daemon.socket, 'http://ipmpd/metrics'];
    const text = await host.workspace.run(argv);
    match(text, /^ipmp_group_state\{.*state="ok".*\} 1$/m);
    match(text, /^ipmp_group_interfaces_active\{group="ipmp0"\} 2$/m);
    match(text, /^ipmp_interface_receive_packets_total\{/m);
  });
});

test('[contract 4.21] no daemon: 3', async () => {
  const argv = [process.execPath, IPMPADM, '--socket', '/nonexistent/socket', 'status'];
  equal((await execute(argv)).status, 3);
});

describe('ipmpd refuses what it cannot use', () => {
  let host: TestHost;

  before(async () => {
    host = await TestHost.raise();
  });
  after(() => host?.lower());

  test('[contract 2.2, 2.4, 8.1] a wrong configuration: 2, by file, line and key', async () => {
    const file = join(host.workspace.folder, 'bad.yaml');
    writeFileSync(file, 'groups:\n  ipmp0:\n    interfaces: [net9]\n    mtu: 12\ncolour: red\n');
    for (const args of [
      ['--check', '--config', file],
      ['--config', file],
    ]) {
      const { status, stderr } = await execute([process.execPath, IPMPD, ...args]);
      equal(status, 2);
      match(stderr, /bad\.yaml:4: groups\.ipmp0\.mtu: /);
      match(stderr, /bad\.yaml:5: colour: /);
    }
  });

  test('[contract 2.3, 2.4] unknown options: 2', async () => {
    equal((await execute([process.execPath, IPMPD, '--nonsense'])).status, 2);
  });

  test('[contract 2.4] a second daemon is refused, also with its own socket', async () => {
    const config = join(host.workspace.folder, 'ipmpd.yaml');
    const second = join(host.workspace.folder, 'second.sock');
    const run = [process.execPath, IPMPD, '--config', config, '--socket', second];
    const namespace = host.workspace.namespaceOf('host');
    const bounded = ['timeout', '30', ...run, '--log-level', 'error'];
    const { status, stdout, stderr } = await execute([
      ...['ip', 'netns', 'exec', namespace, ...bounded],
    ]);
    deepEqual([status, stderr], [1, '']);
    const [line = '', ...more] = stdout.trimEnd().split('\n');
    deepEqual(more, []);
    const { code, hint, msg } = JSON.parse(line) as Record<string, string>;
    equal(code, 'EBUSY');
    match(hint ?? '', /^stop it first \(kill \d+\)$/);
    const sentence = 'cannot start: another ipmpd is running in this network namespace';
    match(msg ?? '', new RegExp(`^${sentence}: process \\d+ \\(EBUSY\\)$`));
    await host.daemon.waitUntilOk();
    deepEqual(await host.ping('host', LAN.gateways[0]), { answered: 3, duplicates: 0 });
  });
});
