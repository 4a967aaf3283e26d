/**
 * Routes as a file may write them: in any order, with a gateway outside the group's networks, with
 * a link-local gateway, and IPv4 by a gateway of IPv6. `ip route` shows each as it was written.
 */

import { deepEqual, equal, match } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { GROUP } from '../../../src/lab/configuration.ts';
import { LAN, LAN6, LANS, type Lan } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { TestHost } from '../tools/harness.ts';

/** A data address without its network, so that the gateway is on no network of the group. */
const whole = ({ family }: Lan): number => (family === 4 ? 32 : 128);
const ADDRESSES = LANS.map((lan) => `${lan.data[0]}/${whole(lan)}`);
const toGateway = (lan: Lan) => ({ to: `${lan.gateways[0]}/${whole(lan)}` });
const byGateway = ({ gateways: [via] }: Lan) => ({ to: 'default', via });

/** Each way to write that a gateway is reached which is on no network of an address. */
const WAYS: Readonly<Record<string, (lan: Lan) => object[]>> = {
  'the way to the gateway first': (lan) => [toGateway(lan), byGateway(lan)],
  'the way to the gateway last': (lan) => [byGateway(lan), toGateway(lan)],
  'onlink: true': (lan) => [{ ...byGateway(lan), onlink: true }],
};

describe('a gateway on no network of the group', () => {
  const host = TestHost.ofSuite({ ipv6: true });

  const withRoutes = (routes: readonly object[], addresses = ADDRESSES) => ({
    addresses,
    group: { routes },
  });

  const showRoutes = (family: number, ...words: string[]): Promise<string> =>
    host.run('host', ['ip', `-${family}`, 'route', 'show', ...words]);

  /** The remote address is reached by the one default route, `via` this gateway. */
  async function remoteIsReached({ family, remote }: Lan, via: string): Promise<void> {
    // The kernel has no source address in IPv6 before its duplicate detection is over.
    await until('no address is tentative', 10_000, async () => {
      return !(await host.run('host', ['ip', 'addr', 'show', GROUP])).includes('tentative');
    });
    await host.expectPing('host', remote);
    const line = new RegExp(`^default via ${via} dev ipmp0 proto static[^\n]*$`);
    match((await showRoutes(family, 'default')).trim(), line);
  }

  async function remotesAreReached(viaOf: (lan: Lan) => string): Promise<void> {
    for (const lan of LANS) await remoteIsReached(lan, viaOf(lan));
    await host.workspace.ip('host', [`link set ${GROUP} down`, `link set ${GROUP} up`]);
    await until('the routes are back', 5000, async () => {
      const shown = await Promise.all(LANS.map(({ family }) => showRoutes(family, 'default')));
      return shown.every((text) => text.includes('default'));
    });
    for (const lan of LANS) await remoteIsReached(lan, viaOf(lan));
    deepEqual((await host.status()).problems, []);
    equal(host.daemon.log.includes('"route-refused"'), false);
  }

  for (const [name, routesOf] of Object.entries(WAYS)) {
    test(`${name}: it is reached, also after down and up`, async () => {
      await host.restart(withRoutes(LANS.flatMap(routesOf)));
      await host.daemon.waitUntilOk();
      await remotesAreReached(({ gateways }) => gateways[0]);
    });
  }

  test('a link-local gateway serves both families, also after down and up', async () => {
    const shown = await host.run('gw', ['ip', '-6', 'addr', 'show', 'dev', 'eth0']);
    const via = /inet6 (fe80::\S+)\//.exec(shown)?.[1] ?? '';
    const routes = ['0.0.0.0/0', 'default'].map((to) => ({ to, via }));
    await host.restart(withRoutes(routes));
    await host.daemon.waitUntilOk();
    await remotesAreReached(({ family }) => (family === 4 ? `inet6 ${via}` : via));
    await host.adm('group', 'set', GROUP, 'routes=[]');
    for (const { family } of LANS) equal(await showRoutes(family, 'default'), '');
  });

  test('the link-local address of the group is served, and the same after a restart', async () => {
    const own = async (): Promise<string> => {
      const text = await host.run('host', ['ip', '-6', 'addr', 'show', 'dev', GROUP]);
      return /inet6 (fe80::\S+)\//.exec(text)?.[1] ?? '';
    };
    const earlier = await own();
    await host.waitForAddress(earlier);
    await host.restart();
    await host.daemon.waitUntilOk();
    await host.waitForAddress(earlier);
    equal(await own(), earlier);
    // A host without IPv6: no address, and no word about it.
    const setting = 'net.ipv6.conf.default.disable_ipv6';
    await host.run('host', ['sysctl', '-qw', `${setting}=1`]);
    await host.restart(withRoutes([byGateway(LAN)], [`${LAN.data[0]}/24`]));
    await host.daemon.waitUntilOk();
    equal(await own(), '');
    equal(/ipv6|addr_gen/i.test(host.daemon.log), false, host.daemon.log);
    await host.run('host', ['sysctl', '-qw', `${setting}=0`]);
  });

  test('[contract 4.15] without a way to it: refused, with the cure', async () => {
    const file = join(host.workspace.folder, 'checked.yaml');
    const check = async (routes: object[]): Promise<{ status: number | null; text: string }> => {
      writeFileSync(file, host.configuration(withRoutes(routes)));
      const { status, stdout, stderr } = await host.daemon.ipmpadm(['config', 'check', file]);
      return { status, text: stdout + stderr };
    };
    for (const lan of LANS) {
      const { status, text } = await check([byGateway(lan)]);
      equal(status, 1);
      const where = /:\d+: groups\.ipmp0\.routes.*via: \S+ is on no network of the group/;
      match(text, where);
      match(text, /a route to it without via; or onlink: true/);
      for (const routesOf of Object.values(WAYS)) equal((await check(routesOf(lan))).status, 0);
    }
    const { status, text } = await check([{ to: `${LAN6.remote}/128`, via: LAN.gateways[0] }]);
    equal(status, 1);
    match(text, /the kernel refuses IPv6 via IPv4/);
  });
});
