/** The nftables table: refused changes are made later, tables of others left alone. */

import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, OperatorError } from '../../../../src/base/errors.ts';
import type { NetlinkClient } from '../../../../src/host/kernel/netlink.ts';
import type { Request } from '../../../../src/host/kernel/netlink-message.ts';
import type { LinkRecord } from '../../../../src/host/kernel/records.ts';
import type { Rtnl } from '../../../../src/host/kernel/rtnl.ts';
import { SilenceTable } from '../../../../src/host/silence/nftables.ts';
import { Silencer } from '../../../../src/host/silence/silence.ts';
import type { Changes } from '../../../../src/host/undo/restore.ts';

/** nftables as a test plays it: what it refuses, and what was asked for. */
class Filtering {
  readonly asked: string[] = [];
  readonly foreign = new Set<string>();
  refusal: ErrorCode | undefined;
  readonly client = {
    batch: async (what: string, requests: readonly Request[]) => {
      this.asked.push(what);
      const text = Buffer.concat(requests.map(({ body }) => body)).toString('latin1');
      for (const table of this.foreign) {
        if (text.includes(`${table}\0`)) throw new OperatorError('EOPNOTSUPP', 'of no process');
      }
      if (this.refusal !== undefined) throw new OperatorError(this.refusal, 'refused');
      return [];
    },
    request: async (_what: string, { body }: Request) => {
      const text = Buffer.from(body).toString('latin1');
      if ([...this.foreign].some((table) => text.includes(`${table}\0`))) return [];
      throw new OperatorError('ENOENT', 'no such table');
    },
  } as unknown as NetlinkClient;
}

test('rules that cannot be taken away keep nothing, and are written anew', async () => {
  const filtering = new Filtering();
  const lines: string[] = [];
  const log = (_: object, message: string): void => void lines.push(message);
  const nothing = async (): Promise<[]> => [];
  const rtnl = { addresses: nothing, routes: nothing } as unknown as Rtnl;
  const changes = { sysctl: nothing, link: nothing, undo: nothing } as unknown as Changes;
  const silencer = new Silencer(rtnl, changes, filtering.client, { info: log, warn: log });
  const [eth0, eth1] = ['eth0', 'eth1'].map((name, at) => ({ name, ifindex: at + 1 })) as [
    LinkRecord,
    LinkRecord,
  ];
  await silencer.silence(eth0, 'interface:net0', false);
  await silencer.silence(eth1, 'interface:net1', false);
  for (const code of ['ENOBUFS', 'ENOMEM', 'ETIMEDOUT'] as const) {
    filtering.refusal = code;
    await silencer.release('interface:net0');
    await silencer.retry();
    equal(lines.length, 1, 'logged once');
    filtering.refusal = undefined;
    filtering.asked.splice(0);
    await silencer.retry();
    await silencer.retry();
    deepEqual(filtering.asked, ['filter eth1']);
    lines.splice(0);
    await silencer.silence(eth0, 'interface:net0', false);
  }
  filtering.refusal = 'ETIMEDOUT';
  await silencer.releaseAll();
  equal(lines.length, 1);
});

test('a table of our name without an owner does not switch silencing off', async () => {
  const filtering = new Filtering();
  const told: string[] = [];
  const table = new SilenceTable(filtering.client, (name) => told.push(name));
  filtering.foreign.add('ipmpd');
  await table.add('eth0', 'nic');
  deepEqual(told, ['ipmpd']);
  await table.add('eth1', 'nic');
  await table.delete('eth1');
  await table.clear();
  deepEqual(filtering.asked.at(-1), 'remove tables ipmpd-2');
  filtering.refusal = 'EOPNOTSUPP';
  filtering.foreign.clear();
  await rejects(table.add('eth0', 'nic'), { code: 'EOPNOTSUPP' });
  filtering.refusal = 'EPERM';
  await rejects(table.add('eth0', 'nic'), { code: 'EBUSY' });
});

test('a group that does not forward has rules beside those of silenced devices', async () => {
  const filtering = new Filtering();
  const lines: string[] = [];
  const log = (_: object, message: string): void => void lines.push(message);
  const silencer = new Silencer({} as unknown as Rtnl, {} as unknown as Changes, filtering.client, {
    info: log,
    warn: log,
  });
  const group = { name: 'ipmp0', ifindex: 9 } as LinkRecord;
  await silencer.stopForwarding(group);
  await silencer.stopForwarding(group);
  await silencer.allowForwarding('ipmp0');
  deepEqual(filtering.asked, ['filter ipmp0', 'remove tables ipmpd']);
  deepEqual(lines, []);
});

test('without nftables a group that should not forward is logged once', async () => {
  const lines: string[] = [];
  const log = (_: object, message: string): void => void lines.push(message);
  const silencer = new Silencer({} as unknown as Rtnl, {} as unknown as Changes, undefined, {
    info: log,
    warn: log,
  });
  const group = { name: 'ipmp0', ifindex: 9 } as LinkRecord;
  for (let time = 0; time < 2; time++) await silencer.stopForwarding(group);
  equal(lines.length, 1);
  await silencer.allowForwarding('ipmp0');
  await silencer.stopForwarding(group);
  equal(lines.length, 2);
});
