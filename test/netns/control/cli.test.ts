/** The control command against the real daemon: exit statuses, refusals, JSON. */

import { deepEqual, equal, match } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { execute } from '../../../src/lab/command.ts';
import { LAN } from '../../../src/lab/topology.ts';
import { TestHost } from '../tools/harness.ts';
import { program } from '../tools/programs.ts';

const IPMPD = program('ipmpd');
const IPMPADM = program('ipmpadm');

describe('the programs beside the daemon', () => {
  const host = TestHost.ofSuite();

  test('[contract 4.12, 4.21] status --check follows the group', async () => {
    equal((await host.daemon.ipmpadm(['status', '--check'])).status, 0);
    await host.fail('eth0');
    equal((await host.daemon.ipmpadm(['status', '--check'])).status, 4);
    await host.fail('eth1');
    equal((await host.daemon.ipmpadm(['status', '--check'])).status, 5);
    await host.topology.repair('eth0');
    await host.topology.repair('eth1');
    await host.daemon.waitUntilOk();
  });

  test('[contract 4.3, 4.22, 4.23] the refusal to delete a group names its members', async () => {
    const { status, stderr } = await host.daemon.ipmpadm(['group', 'delete', 'ipmp0']);
    equal(status, 1);
    match(stderr, /^ipmpadm: cannot delete group ipmp0: it still has members net0, net1 \(EBUSY\)/);
    const json = await host.daemon.ipmpadm(['-j', 'group', 'delete', 'ipmp0']);
    const { error } = JSON.parse(json.stderr) as { error: { code: string } };
    equal(error.code, 'EBUSY');
    equal((await host.daemon.group()).state, 'ok');
  });

  test('[contract 4.21] usage errors: 2', async () => {
    for (const words of [['nonsense'], ['group', 'explode'], ['group', 'delete'], ['--nonsense']]) {
      equal((await host.daemon.ipmpadm(words)).status, 2, words.join(' '));
    }
  });

  test('[contract 4.21] no daemon: 3', async () => {
    const argv = [process.execPath, IPMPADM, '--socket', '/nonexistent/socket', 'status'];
    equal((await execute(argv)).status, 3);
  });

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

  test('[contract 2.3, 2.4] ipmpd with unknown options: 2', async () => {
    equal((await execute([process.execPath, IPMPD, '--nonsense'])).status, 2);
  });

  test('[contract 2.4] a second daemon is refused, also with its own socket', async () => {
    const [config, second] = ['ipmpd.yaml', 'second.sock'].map((name) => {
      return join(host.workspace.folder, name);
    });
    const inside = ['ip', 'netns', 'exec', host.workspace.namespaceOf('host'), 'timeout', '30'];
    const options = `--config ${config} --socket ${second} --log-level error`.split(' ');
    const run = [...inside, process.execPath, IPMPD, ...options];
    const { status, stdout, stderr } = await execute(run);
    deepEqual([status, stderr], [1, '']);
    const [line = '', ...more] = stdout.trimEnd().split('\n');
    deepEqual(more, []);
    const { code, hint, msg } = JSON.parse(line) as Record<string, string>;
    equal(code, 'EBUSY');
    match(hint ?? '', /^stop it first \(kill \d+\)$/);
    const sentence = 'cannot start: another ipmpd is running in this network namespace';
    match(msg ?? '', new RegExp(`^${sentence}: process \\d+ \\(EBUSY\\)$`));
    await host.daemon.waitUntilOk();
    await host.expectPing('host', LAN.gateways[0]);
  });
});
