/** What the host side changes is put back also when other programs move or hold devices. */

import { deepEqual, doesNotMatch, equal, match, ok, rejects } from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '../../../src/base/errors.ts';
import { closeDevice, openMacvtap } from '../../../src/host/port/tap.ts';
import { Journal } from '../../../src/host/undo/journal.ts';
import { until } from '../../../src/lab/until.ts';
import {
  differences,
  GROUP_SPEC,
  inNamespace,
  isLost,
  nic,
  type World,
} from '../tools/host-world.ts';

const NET0 = nic('net0', 0, { uplink: 'eth0' });

function nft(...words: string[]): string {
  return execFileSync('nft', words, { encoding: 'utf8' });
}

/** The macvtap goes to another namespace; the host side reports it and gives it up. */
async function moveAway(world: World, host: ReturnType<World['newHost']>): Promise<void> {
  world.ip('link', 'set', 'net0', 'netns', world.elsewhere);
  await world.event('lost', isLost('net0'));
  await host.releaseInterface('net0');
}

/** In a child, as its own PID namespace has it: holds the journal until its input ends. */
async function holdJournal(world: World): Promise<void> {
  await world.start();
  process.stdout.write('started\n');
  process.stdin.resume();
  await once(process.stdin, 'end');
}

inNamespace(import.meta.url, {
  'a macvtap that is moved to another namespace and back is removed at the stop': async (world) => {
    world.cable('eth0', 'far0');
    const before = await world.settledSnapshot();
    const host = await world.start();
    await host.attachInterface(NET0, 1);
    await moveAway(world, host);
    world.ip('-n', world.elsewhere, 'link', 'set', 'net0', 'netns', String(process.pid));
    await host.attachInterface(NET0, 1);
    deepEqual(await world.stop(host), { failed: [], unseen: [] });
    deepEqual(differences(before, await world.settledSnapshot()), []);
    equal(existsSync(join(world.folder, 'journal')), false);
  },

  'a macvtap in another namespace is named at the stop, and removed at the next one': async (
    world,
  ) => {
    world.cable('eth0', 'far0');
    const before = await world.settledSnapshot();
    const host = await world.start();
    await host.attachInterface(NET0, 1);
    await moveAway(world, host);
    deepEqual(await world.stop(host), { failed: [], unseen: ['macvtap net0'] });
    match(readFileSync(join(world.folder, 'journal'), 'utf8'), /"kind":"macvtap"/);
    world.ip('-n', world.elsewhere, 'link', 'set', 'net0', 'netns', String(process.pid));
    const next = world.newHost();
    equal(await next.start(), 1);
    await world.stop(next);
    deepEqual(differences(before, await world.settledSnapshot()), []);
  },

  'a macvtap that was deleted and made again leaves nothing behind': async (world) => {
    world.cable('eth0', 'far0');
    const before = await world.settledSnapshot();
    const host = await world.start();
    await host.attachInterface(NET0, 1);
    world.ip('link', 'del', 'net0');
    await host.releaseInterface('net0');
    await host.attachInterface(NET0, 1);
    deepEqual(await world.stop(host), { failed: [], unseen: [] });
    // The kernel leaves a NIC with what a macvtap that is deleted wanted of it.
    const isKernels = (line: string): boolean => /"ifname":"eth0".*"allmulti":[01]/.test(line);
    const left = differences(before, await world.settledSnapshot());
    deepEqual(
      left.filter((line) => !isKernels(line)),
      [],
    );
    equal(existsSync(join(world.folder, 'journal')), false);
  },

  'a device that is given back while it is being opened is closed': async (world) => {
    world.cable('eth0', 'far0');
    const before = await world.settledSnapshot();
    const host = await world.start();
    const refused = [
      rejects(host.attachInterface(NET0, 1), { code: 'ENODEV' }),
      rejects(host.createGroupDevice(GROUP_SPEC), { code: 'ENODEV' }),
    ];
    await host.detachInterface('net0');
    await host.removeGroupDevice('ipmp0');
    await Promise.all(refused);
    deepEqual(differences(before, await world.settledSnapshot()), []);
  },

  'a saved table of our name: silenced all the same, in another one': async (world) => {
    world.cable('eth0', 'far0');
    world.cable('eth1', 'far1');
    nft('add', 'table', 'inet', 'ipmpd');
    const before = await world.settledSnapshot();
    const host = await world.start();
    await host.attachInterface(NET0, 1);
    await host.attachInterface(nic('net1', 1, { uplink: 'eth1' }), 1);
    match(nft('list', 'table', 'inet', 'ipmpd-2'), /"eth0".*drop.*"eth1".*drop/s);
    world.mayLog = true;
    equal(world.log.length, 1);
    match(
      world.log.join(),
      /table ipmpd of no process.*nft delete table inet ipmpd \(or netdev\)"/,
    );
    const second = await world.start({ journalPath: join(world.folder, 'other') });
    world.cable('eth7', 'far7');
    await rejects(second.attachInterface(nic('net7', 7, { uplink: 'eth7' }), 1), { code: 'EBUSY' });
    await world.stop(second);
    world.ip('link', 'del', 'eth7');
    await world.stop(host);
    deepEqual(differences(before, await world.settledSnapshot()), []);
  },

  'a daemon in another PID namespace holds the journal all the same': async (world) => {
    const argv = ['--pid', '--fork', '--kill-child', process.execPath, process.argv[1] ?? ''];
    const child = spawn('unshare', argv, {
      env: { ...process.env, IPMPD_HOST_TEST_BODY: 'helper: the journal is held' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    const host = world.newHost();
    const message = /another ipmpd is running here: process 1 of another PID namespace/;
    await rejects(host.start(), { code: 'EBUSY', message });
    child.stdin.end();
    await once(child, 'exit');
    await host.start();
  },

  'no space for the journal: nothing is changed, and what is written stays readable': async (
    world,
  ) => {
    const folder = join(world.folder, 'full');
    const path = join(folder, 'journal');
    mkdirSync(folder);
    world.run('mount', '-t', 'tmpfs', '-o', 'size=8k,nr_inodes=8', 'none', folder);
    const journal = await Journal.open(path);
    const change = { kind: 'address', device: 'x', ifindex: 7, prefix: '' } as const;
    let count = 0;
    const refused = async (): Promise<unknown> => {
      for (; count < 1000; count++) {
        try {
          await journal.record('a', { ...change, prefix: `192.0.2.${count}/24` });
        } catch (error) {
          return error;
        }
      }
      return undefined;
    };
    const error = await refused();
    ok(error instanceof OperatorError && error.code === 'ENOSPC', String(error));
    ok(count > 40 && count < 200, String(count));
    equal(journal.entries().length, count, 'what could not be written down is not there');
    equal(readFileSync(path, 'latin1').at(-1) === '\n', false, 'a line was cut short');
    world.run('mount', '-o', 'remount,size=64k', folder);
    await journal.record('b', change);
    await journal.close();
    const next = await Journal.open(path);
    equal(next.entries().length, count + 1);
    for (const { id } of next.entries()) await next.forget(id);
    await next.close();
    world.run('umount', folder);
  },

  'a macvtap that another process has open is not taken': async (world) => {
    world.cable('eth0', 'far0');
    world.ip('link', 'add', 'link', 'eth0', 'name', 'net0', 'type', 'macvtap', 'mode', 'passthru');
    const held = await openMacvtap('net0', { queues: 1 });
    const host = await world.start();
    const before = await world.settledSnapshot();
    const message = new RegExp(`^net0 is held by .* \\(process ${process.pid}\\)`);
    await rejects(host.attachInterface(NET0, 1), { code: 'EBUSY', message });
    await host.refresh();
    deepEqual(differences(before, await world.settledSnapshot()), []);
    await closeDevice(held);
    await host.attachInterface(NET0, 1);
    await world.stop(host);
    ok(world.ip('link').includes('net0@eth0'), 'it was not ours');
  },

  'helper: the journal is held': holdJournal,

  'a default route that an uplink still has: reported, and set when it is gone': async (world) => {
    world.cable('eth9', 'far9');
    world.ip('addr', 'add', '198.51.100.2/24', 'dev', 'eth9');
    world.ip('route', 'add', 'default', 'via', '198.51.100.1', 'dev', 'eth9');
    const host = await world.start();
    const { problems } = await host.createGroupDevice(GROUP_SPEC);
    deepEqual(
      problems.map(({ code, message, hint }) => [code, message, hint]),
      [
        [
          'EEXIST',
          'the route to default through ipmp0 is not set: ' +
            'default via 198.51.100.1 dev eth9 has its place',
          'ip route del default via 198.51.100.1 dev eth9; it is set as soon as that is gone',
        ],
      ],
    );
    const other = { to: '203.0.113.0/24', via: '192.0.2.1' };
    world.ip('route', 'add', '203.0.113.0/24', 'via', '198.51.100.1');
    equal((await host.addRoute('ipmp0', other))?.code, 'EEXIST');
    world.mayLog = true;
    equal(world.log.length, 2, 'each reported once');
    world.ip('route', 'del', 'default', 'dev', 'eth9');
    const routes = (): string => world.ip('route');
    await until('it is set', 7000, () => routes().includes('default via 192.0.2.1 dev ipmp0'));
    await until('it is reported', 2000, () => world.log.length > 2);
    match(world.log.slice(2).join('\n'), /^the route to default is set now[^\n]*$/);
    await host.deleteRoute('ipmp0', other).catch((error: { code: string }) => {
      equal(error.code, 'ENOENT');
    });
    await world.stop(host);
    doesNotMatch(routes(), /ipmp0/);
    match(routes(), /203.0.113.0\/24 via 198.51.100.1 dev eth9/);
  },
});
