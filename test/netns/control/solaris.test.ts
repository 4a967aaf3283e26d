/** `ipmpstat` and `if_mpadm` as processes, against the real daemon. */

import { deepEqual, equal, match } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type CommandResult, execute } from '../../../src/lab/command.ts';
import { TestHost } from '../tools/harness.ts';
import { program } from '../tools/programs.ts';

async function run(name: string, words: readonly string[]): Promise<CommandResult> {
  return await execute([process.execPath, program(name), ...words]);
}

describe('the commands of Solaris', () => {
  const host = TestHost.ofSuite();

  test('ipmpstat shows the group, its interfaces and addresses, and follows them', async () => {
    const show = async (words: string): Promise<string> => {
      const result = await run('ipmpstat', ['--socket', host.daemon.socket, ...words.split(' ')]);
      deepEqual([result.status, result.stderr], [0, '']);
      return result.stdout;
    };
    equal(
      await show('-g'),
      'GROUP       GROUPNAME   STATE     FDT       INTERFACES\n' +
        'ipmp0       ipmp0       ok        --        net1 net0\n',
    );
    const { address, inbound } = (await host.daemon.addresses())[0] ?? {};
    const [line] = (await show('-anP -o address,state,group,inbound,outbound')).split('\n');
    equal(line, `${address?.split('/')[0]}:up:ipmp0:${inbound}:net1 net0`);
    equal(
      await show('-tn'),
      'INTERFACE   MODE      TESTADDR            TARGETS\n' +
        'net1        disabled  --                  --\n' +
        'net0        disabled  --                  --\n',
    );
    await host.fail('eth0');
    equal(await show('-gPo state,interfaces'), 'degraded:net1 [net0]\n');
    equal(
      await show('-i'),
      'INTERFACE   ACTIVE  GROUP       FLAGS     LINK      PROBE     STATE\n' +
        'net1        yes     ipmp0       --mbM--   up        disabled  ok\n' +
        'net0        no      ipmp0       -------   down      disabled  failed\n',
    );
    await host.topology.repair('eth0');
    await host.daemon.waitUntilOk();
  });

  test('ipmpstat -p has nothing to show; a reader that closes its end is no failure', async () => {
    const probes = await run('ipmpstat', ['--socket', host.daemon.socket, '-p']);
    deepEqual(
      [probes.status, probes.stderr],
      [1, 'ipmpstat: fatal: probe-based failure detection is disabled\n'],
    );
    const piped = '"$0" "$1" --socket "$2" -a | true; echo "$PIPESTATUS"';
    const argv = ['bash', '-c', piped, process.execPath, program('ipmpstat'), host.daemon.socket];
    equal((await execute(argv)).stdout, '0\n');
  });

  test('[contract 2.8] if_mpadm -d and -r, and what they refuse', async () => {
    const mpadm = async (...words: string[]): Promise<{ status: number; stderr: string }> => {
      const { status, stderr } = await run('if_mpadm', ['--socket', host.daemon.socket, ...words]);
      return { status: Number(status), stderr };
    };
    const refused = async (fragment: string, ...words: string[]): Promise<void> => {
      const { status, stderr } = await mpadm(...words);
      equal(status, 1);
      match(stderr, new RegExp(`^if_mpadm: fatal: .*${fragment}`));
    };
    deepEqual(await mpadm('-d', 'net0'), { status: 0, stderr: '' });
    equal((await host.daemon.interface('net0')).state, 'offline');
    await refused('already offline', '-d', 'net0');
    await refused('no other functioning interfaces', '-d', 'net1');
    deepEqual(await mpadm('-r', 'net0'), { status: 0, stderr: '' });
    await host.daemon.waitUntilOk();
    await refused('not offline', '-r', 'net0');
    await refused('', '-d', 'nosuch');
    await refused('cannot offline ipmp0: not a physical interface', '-d', 'ipmp0');
  });
});

test('no daemon, wrong usage: 1', async () => {
  for (const [name, ...words] of [
    ['ipmpstat', '--socket', '/nonexistent/socket', '-g'],
    ['if_mpadm', '--socket', '/nonexistent/socket', '-r', 'net0'],
    ['ipmpstat'],
    ['if_mpadm', 'net0'],
  ] as const) {
    equal((await run(name, words)).status, 1, name);
  }
});
