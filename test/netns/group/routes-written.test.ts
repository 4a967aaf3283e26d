/** Routes as a file may write them: in any order, with a gateway outside the group's networks. */

import { deepEqual, equal, match } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { GROUP } from '../../../src/lab/configuration.ts';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { TestHost } from '../tools/harness.ts';

const [GATEWAY] = LAN.gateways;
const ADDRESSES = [`${LAN.data[0]}/32`];
const TO_GATEWAY = { to: `${GATEWAY}/32` };
const BY_GATEWAY = { to: 'default', via: GATEWAY };

/** Each way to write that a gateway is reached which is on no network of an address. */
const WAYS = {
  'the way to the gateway first': [TO_GATEWAY, BY_GATEWAY],
  'the way to the gateway last': [BY_GATEWAY, TO_GATEWAY],
  'onlink: true': [{ ...BY_GATEWAY, onlink: true }],
};

describe('a gateway on no network of the group', () => {
  const host = TestHost.ofSuite();

  const withRoutes = (routes: readonly object[]) => ({ addresses: ADDRESSES, group: { routes } });

  async function remoteIsReached(): Promise<void> {
    await host.expectPing('host', LAN.remote);
    const lines = (await host.run('host', ['ip', 'route', 'show', 'default'])).trim();
    match(lines, /^default via 192\.0\.2\.1 dev ipmp0 proto static[^\n]*$/);
  }

  for (const [name, routes] of Object.entries(WAYS)) {
    test(`${name}: it is reached, also after down and up`, async () => {
      await host.restart(withRoutes(routes));
      await host.daemon.waitUntilOk();
      await remoteIsReached();
      await host.workspace.ip('host', [`link set ${GROUP} down`, `link set ${GROUP} up`]);
      await until('the route is back', 5000, async () => {
        return (await host.run('host', ['ip', 'route'])).includes('default');
      });
      await remoteIsReached();
      deepEqual((await host.status()).problems, []);
      equal(host.daemon.log.includes('"route-refused"'), false);
    });
  }

  test('[contract 4.15] without a way to it: refused, with the cure', async () => {
    const file = join(host.workspace.folder, 'checked.yaml');
    const check = async (routes: object[]): Promise<{ status: number | null; text: string }> => {
      writeFileSync(file, host.configuration(withRoutes(routes)));
      const { status, stdout, stderr } = await host.daemon.ipmpadm(['config', 'check', file]);
      return { status, text: stdout + stderr };
    };
    const { status, text } = await check([BY_GATEWAY]);
    equal(status, 1);
    match(text, /:\d+: groups\.ipmp0\.routes.*via: 192\.0\.2\.1 is on no network of the group/);
    match(text, /a route to it without via; or onlink: true/);
    for (const routes of Object.values(WAYS)) equal((await check(routes)).status, 0);
  });
});
