/** What another program deletes on the group's device is shown, and a reload puts it back. */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GROUP } from '../../../src/lab/configuration.ts';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { TestHost } from '../tools/harness.ts';

const [GATEWAY] = LAN.gateways;
const DEFAULT = /^default via 192\.0\.2\.1 dev ipmp0/m;

describe('what another program deletes', () => {
  const host = TestHost.ofSuite();

  async function waitForProblems(count: number): Promise<string[]> {
    return await until(`${count} problems`, 5000, async () => {
      const { problems } = await host.status();
      return problems.length === count && problems;
    });
  }

  async function expectWhole(): Promise<void> {
    await host.daemon.waitUntilOk();
    match(await host.run('host', ['ip', 'route']), DEFAULT);
    await host.expectPing('host', LAN.remote);
    for (const address of LAN.data) await host.expectPing('gw', address);
    const { state, problems } = await host.status();
    deepEqual({ state, problems }, { state: 'ok', problems: [] });
    equal((await host.daemon.ipmpadm(['status', '--check'])).status, 0);
  }

  test('addresses that were flushed are problems, and a reload puts all back', async () => {
    await host.run('host', ['ip', 'address', 'flush', 'dev', GROUP]);
    const problems = await waitForProblems(3);
    for (const address of LAN.data) {
      ok(problems.includes(`${GROUP}: ${address}/24 was taken off the device`), problems.join());
    }
    match(problems.join('\n'), /^ipmp0: .*default.*192\.0\.2\.1.* was deleted$/m);
    equal((await host.status()).state, 'degraded');
    equal((await host.daemon.ipmpadm(['status', '--check'])).status, 4);
    const { changes } = await host.reload();
    for (const address of LAN.data) {
      ok(changes.includes(`put ${address}/24 back on ${GROUP}`), changes.join());
    }
    await expectWhole();
    deepEqual((await host.reload()).changes, []);
  });

  test('a route that was deleted alone is a problem, and is put back', async () => {
    await host.run('host', ['ip', 'route', 'flush', 'default']);
    const [problem = ''] = await waitForProblems(1);
    match(problem, /default.*was deleted$/);
    equal((await host.daemon.ipmpadm(['status', '--check'])).status, 4);
    equal((await host.reload()).changes.length, 1);
    await expectWhole();
  });

  test('connected routes that were flushed are problems, and a reload puts all back', async () => {
    const network = `${GROUP}: the route to 192.0.2.0/24 was deleted`;
    await host.run('host', ['ip', 'route', 'flush', 'dev', GROUP]);
    const problems = await waitForProblems(2);
    ok(problems.includes(network), problems.join());
    const { changes } = await host.reload();
    ok(changes.includes(`put the route to 192.0.2.0/24 back on ${GROUP}`), changes.join());
    const lines = await host.run('host', ['ip', 'route', 'show', '192.0.2.0/24']);
    match(lines, /^192\.0\.2\.0\/24 dev ipmp0 proto kernel scope link src 192\.0\.2\.1\d *\n$/);
    await expectWhole();
  });

  /** Waits until this is among the problems, or no longer. */
  async function waitForProblem(problem: string, isThere: boolean): Promise<void> {
    await until(`${problem}: ${isThere}`, 5000, async () => {
      return (await host.status()).problems.includes(problem) === isThere;
    });
  }

  test('a deleted address is no problem any more when another program adds it', async () => {
    const prefix = `${LAN.data[1]}/24`;
    const problem = `${GROUP}: ${prefix} was taken off the device`;
    await host.run('host', ['ip', 'address', 'del', prefix, 'dev', GROUP]);
    await waitForProblem(problem, true);
    await host.run('host', ['ip', 'address', 'add', prefix, 'dev', GROUP]);
    await host.daemon.waitUntilOk();
    await waitForProblem(problem, false);
  });

  test('a deleted route is no problem any more when another program adds it', async () => {
    const problem = `${GROUP}: the route to default via ${GATEWAY} was deleted`;
    const route = ['default', 'via', GATEWAY, 'dev', GROUP, 'proto', 'static'];
    await host.run('host', ['ip', 'route', 'del', ...route]);
    await waitForProblem(problem, true);
    await host.run('host', ['ip', 'route', 'add', ...route]);
    await waitForProblem(problem, false);
  });
});
