/** The lab itself, without a daemon: a plain NIC in the host must look plain, and nothing stays. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { execute } from '../../../src/lab/command.ts';
import { EchoStream, Transfer } from '../../../src/lab/measure/measure.ts';
import { pingResult, pingText } from '../../../src/lab/measure/ping.ts';
import { namespaceNames, removeLeftovers, startTimeOf } from '../../../src/lab/owner.ts';
import { LAN, Topology } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { LabClosed, Workspace } from '../../../src/lab/workspace.ts';
import { script } from '../tools/programs.ts';

const IGNORE = '/proc/sys/net/ipv4/icmp_echo_ignore_all';
const LATE_ECHO = script('late-echo.py');

describe('the lab with a plain NIC', () => {
  let workspace: Workspace;
  let topology: Topology;

  before(async () => {
    workspace = new Workspace();
    topology = await Topology.build(workspace, { wiring: 'none', gateways: 2 });
    await workspace.ip('host', [`address add ${LAN.data[0]}/24 dev eth0`]);
  });

  after(async () => {
    await workspace.close();
    deepEqual(
      (await namespaceNames()).filter((name) => name.startsWith(`${workspace.name}-`)),
      [],
    );
    equal(existsSync(workspace.folder), false);
  });

  test('an undisturbed echo stream loses nothing', async () => {
    const echo = await EchoStream.start(workspace, LAN.gateways[0]);
    await until('500 answers', 10_000, async () => (await echo.peek()).received >= 500);
    const { sent, lost, duplicates } = await echo.stop();
    ok(sent >= 500);
    deepEqual({ lost, duplicates }, { lost: 0, duplicates: 0 });
  });

  test('a cut shows as loss of carrier and as a gap, a repair ends it', async () => {
    const echo = await EchoStream.start(workspace, LAN.gateways[0]);
    await until('answers', 10_000, async () => (await echo.peek()).received > 0);
    await echo.mark('cut');
    await topology.cut('eth0');
    await until('no carrier', 5000, async () => {
      return (await workspace.runIn('host', ['cat', '/sys/class/net/eth0/carrier'])) === '0\n';
    });
    await echo.mark('repair');
    await topology.repair('eth0');
    const { received } = await echo.peek();
    await until('answers again', 10_000, async () => (await echo.peek()).received > received);
    const { windows } = await echo.stop();
    ok((windows[2]?.longestGapMs ?? 0) > 10, JSON.stringify(windows));
  });

  test('ping: a late answer counts, a lost one does not', async () => {
    const answer = await workspace.runIn('gw', ['cat', IGNORE]);
    const [count, late, lateS, lost] = [3, 3, 0.5, 2];
    for (const [missing, answered] of [
      [0, count],
      [lost, count - 1],
    ] as const) {
      const program = ['python3', LATE_ECHO, String(late), String(lateS), String(missing)];
      const child = workspace.start(program, { role: 'gw' });
      try {
        await once(child.stdout ?? child, 'data');
        await workspace.runIn('gw', ['sh', '-c', `echo 1 > ${IGNORE}`]);
        const text = await pingText(workspace, 'host', LAN.gateways[0], { count });
        deepEqual(pingResult(text, count), { answered, duplicates: 0 }, text);
      } finally {
        await workspace.stop(child);
        await workspace.runIn('gw', ['sh', '-c', `echo ${answer.trim()} > ${IGNORE}`]);
      }
    }
  });

  test('both gateways and what lies behind them are reached', async () => {
    for (const gateway of LAN.gateways) {
      await workspace.runIn('host', ['ping', '-c', '1', '-W', '2', gateway]);
      await workspace.ip('host', [`route replace ${LAN.remote} via ${gateway}`]);
      await workspace.runIn('host', ['ping', '-c', '1', '-W', '2', LAN.remote]);
    }
  });

  test('a transfer has equal digests at both ends', async () => {
    const ends = { from: 'host', to: 'gw', address: LAN.gateways[0], rate: 20_000_000 };
    const transfer = await Transfer.start(workspace, ends);
    await until('bytes arrive', 5000, async () => (await transfer.offset()) > 1_000_000);
    const { sent, received } = await transfer.finish();
    deepEqual(received, sent);
    ok(sent.bytes > 1_000_000);
  });

  test('an empty transfer has the digest of nothing', async () => {
    const ends = { from: 'gw', to: 'host', address: LAN.data[0], rate: 0 };
    const { sent, received } = await (await Transfer.start(workspace, ends)).finish();
    deepEqual(received, sent);
    equal(sent.bytes, 0);
  });
});

test('a workspace that is closed while it is built leaves nothing', async () => {
  const workspace = new Workspace();
  const outcome = Topology.build(workspace, { wiring: 'bridge' }).then(
    () => undefined,
    (error: unknown) => error,
  );
  await until('the first namespace', 5000, async () => {
    return (await namespaceNames()).some((name) => name.startsWith(workspace.name));
  });
  await workspace.close();
  ok((await outcome) instanceof LabClosed, String(await outcome));
  equal(
    (await namespaceNames()).some((name) => name.startsWith(workspace.name)),
    false,
  );
});

test('what a killed owner has left is removed; a lab in use stays', async () => {
  const owner = spawn('sleep', ['60']);
  const dead = `ipmp-${owner.pid}-${startTimeOf(owner.pid ?? 0)}-1`;
  const living = new Workspace();
  try {
    await living.addNamespace('host', { ipv6: false });
    await execute(['ip', 'netns', 'add', `${dead}-host`]);
    const inside = spawn('ip', ['netns', 'exec', `${dead}-host`, 'sleep', '60']);
    const insideEnd = once(inside, 'exit');
    mkdirSync(join(tmpdir(), dead));
    equal(
      (await removeLeftovers()).some((name) => name.startsWith(dead)),
      false,
    );
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    const removed = await removeLeftovers();
    deepEqual(
      removed.filter((name) => name.startsWith(dead)),
      [`${dead}-host`, dead],
    );
    await insideEnd;
    ok((await namespaceNames()).includes(living.namespaceOf('host')));
  } finally {
    owner.kill('SIGKILL');
    await living.close();
  }
});
