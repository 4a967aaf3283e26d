/** Routes as a file may write them: in any order, with a gateway outside the group's networks. */

import { deepEqual, equal, match } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { getJson } from '../../../src/lab/api.ts';
import { configurationFor, GROUP } from '../../../src/lab/configuration.ts';
import { LabDaemon, socketOf } from '../../../src/lab/daemon-process.ts';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { TestHost } from '../tools/harness.ts';

const ALL = { answered: 3, duplicates: 0 };
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
  let host: TestHost;

  before(async () => {
    host = await TestHost.raise();
  });
  after(() => host?.lower());

  function written(routes: readonly object[]): string {
    const options = { addresses: ADDRESSES, group: { routes } };
    return configurationFor(host.topology, { socket: socketOf(host.workspace), ...options });
  }

  async function remoteIsReached(): Promise<void> {
    deepEqual(await host.ping('host', LAN.remote), ALL);
    const lines = (await host.run('host', ['ip', 'route', 'show', 'default'])).trim();
    match(lines, /^default via 192\.0\.2\.1 dev ipmp0 proto static[^\n]*$/);
  }

  for (const [name, routes] of Object.entries(WAYS)) {
    test(`${name}: it is reached, also after down and up`, async () => {
      equal(await host.daemon.stop(), 0);
      host.daemon = await LabDaemon.start(host.workspace, written(routes));
      await host.daemon.waitUntilOk();
      await remoteIsReached();
      await host.workspace.ip('host', [`link set ${GROUP} down`, `link set ${GROUP} up`]);
      await until('the route is back', 5000, async () => {
        return (await host.run('host', ['ip', 'route'])).includes('default');
      });
      await remoteIsReached();
      const { problems } = (await getJson(host.daemon.socket, '/v1/status')) as {
        problems: string[];
      };
      deepEqual(problems, []);
      equal(host.daemon.log.includes('"route-refused"'), false);
    });
  }

  test('[contract 4.15] without a way to it: refused, with the cure', async () => {
    const file = join(host.workspace.folder, 'checked.yaml');
    const check = async (routes: object[]): Promise<{ status: number | null; text: string }> => {
      writeFileSync(file, written(routes));
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
