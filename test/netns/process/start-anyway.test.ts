/**
 * One thing of the configuration that cannot be had yet, or never: the daemon starts, serves the
 * rest, reports what is missing, and uses it when it comes.
 */

import { equal, match, ok } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GROUP } from '../../../src/lab/configuration.ts';
import { TestHost } from '../tools/harness.ts';

const JOINED = '239.1.2.3';
const OWN = '203.0.113.5/24';
/** The schema takes it; no station has this MAC. */
const REFUSED = { dst: '192.0.2.77', lladdr: '00:00:00:00:00:00' };

describe('a start with what cannot be had', () => {
  const host = TestHost.ofSuite({
    isRaw: true,
    addresses: [],
    group: { multicast: [JOINED], 'static-neighbors': [REFUSED] },
    prepare: (topology) => topology.workspace.ip('host', [`address add ${OWN} dev eth1`]),
  });

  test('[contract 3.15] what is refused for good is shown, and keeps nothing else', async () => {
    const stdout = await host.adm('status');
    const problem =
      'problem: add neighbor 192.0.2.77 to ipmp0: .*not the MAC of one station.*EINVAL';
    match(stdout, new RegExp(`^ipmp0: degraded active net0.*\\n${problem}`));
    match(host.daemon.log, /"level":50.*"event":"not-applied".*not the MAC of one station/);
  });

  test('[contract 3.5] a NIC that is in use is not called absent', async () => {
    const { state, cause_text } = await host.daemon.interface('net1');
    equal(state, 'absent');
    match(cause_text, /^eth1 is used by the host itself: 203\.0\.113\.5\/24.* \(EBUSY\)$/);
    await host.workspace.ip('host', [`address del ${OWN} dev eth1`]);
    await host.waitForState('net1', 'ok');
  });

  test('[contract 3.15] a multicast membership needs no address', async () => {
    match(await host.adm('multicast', 'show'), new RegExp(JOINED));
    const memberships = await host.run('host', ['ip', 'maddress', 'show', 'dev', GROUP]);
    ok(memberships.includes(JOINED), memberships);
  });

  test('[contract 3.8, 4.15] a reload with a NIC that is not there reports it', async () => {
    const { interfaces, groups } = host.configured({ group: {} });
    host.write({ top: { groups, interfaces: { ...interfaces, net9: { uplink: 'eth9' } } } });
    const { status, stdout, stderr } = await host.daemon.ipmpadm(['reload']);
    equal(status, 1, stderr);
    match(stdout, /^open net9$/m);
    match(stderr, /^ipmpadm: net9: .*eth9.*; waiting for it$/m);
    match(host.daemon.log, /"level":50.*"event":"not-applied".*net9: /);
    const again = await host.daemon.ipmpadm(['reload']);
    equal(again.status, 0, again.stderr);
    equal(again.stdout, 'nothing to change\n');
    match(again.stderr, /^ipmpadm: warning: net9: .*eth9.*; waiting for it$/m);
    match(host.daemon.log, /"level":40.*"event":"reload-warning".*net9: /);
  });
});
