/** Taking everything back: hundreds of devices at once, in few requests, each of them ours. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { linkGroupSet } from '../../../../src/host/kernel/link-message.ts';
import type { NetlinkClient } from '../../../../src/host/kernel/netlink.ts';
import type { Request } from '../../../../src/host/kernel/netlink-message.ts';
import type { LinkRecord } from '../../../../src/host/kernel/records.ts';
import { Rtnl } from '../../../../src/host/kernel/rtnl.ts';
import type { Journal } from '../../../../src/host/undo/journal.ts';
import { linkOf, NET0, world } from './harness.ts';

const RTM_DELLINK = 17;

/** NIC `number` of the host has the index 1000 + number, and the macvtap on it 2000 + number. */
function macvtap(number: number, changes: Partial<LinkRecord> = {}): LinkRecord {
  const [ifindex, name, lower] = [2000 + number, `net${number}`, 1000 + number];
  return linkOf({ ...NET0, ifindex, name, lower, noarp: false, ...changes });
}

function nic(number: number): LinkRecord {
  return linkOf({ ifindex: 1000 + number, name: `eth${number}` });
}

/** A kernel that has these devices, for changes that NICs have left in the journal. */
async function worldOf(t: TestContext, nics: number, links: readonly LinkRecord[]) {
  const { journal, kernel, changes } = await world(t);
  await recordNics(journal, nics);
  kernel.links.clear();
  for (const link of links) kernel.add(link);
  return { journal, kernel, changes };
}

/** What attaching `count` NICs leaves in the journal. */
async function recordNics(journal: Journal, count: number): Promise<void> {
  for (let number = 0; number < count; number++) {
    const [lower, device] = [1000 + number, `net${number}`];
    const link = { kind: 'link', device, ifindex: 2000 + number } as const;
    const before = { noarp: false };
    await journal.record(`silence:${lower}:eth${number}`, {
      kind: 'link',
      device: `eth${number}`,
      ifindex: lower,
      before,
    });
    const made = { kind: 'macvtap', device, ifindex: 2000 + number, lower } as const;
    await journal.record(`interface:${device}`, made);
    await journal.record(`interface:${device}`, { ...link, before: { up: false } });
    await journal.record(`interface:${device}`, { ...link, before: { allmulti: false } });
  }
}

test('all at once: devices that we made go in one step, without questions', async (t) => {
  const count = 100;
  const numbers = Array.from({ length: count }, (_, number) => number);
  const links = numbers.flatMap((number) => [nic(number), macvtap(number)]);
  const { journal, kernel, changes } = await worldOf(t, count, links);
  await changes.undoAll();
  const settings = numbers.reverse().map((number) => `set eth${number} {"noarp":false}`);
  deepEqual(kernel.done, [`delete ${count} devices`, ...settings]);
  equal(kernel.looks, count, 'one for each NIC');
  deepEqual([journal.entries(), kernel.log], [[], []]);
});

test('all at once: another device with the name or number of ours stays', async (t) => {
  const foreign = [
    macvtap(1, { lower: 77 }),
    macvtap(2, { kind: 'veth' }),
    macvtap(3, { ifindex: 3000 }),
  ];
  const { journal, kernel, changes } = await worldOf(t, 4, [macvtap(0), ...foreign]);
  await changes.undoAll();
  deepEqual([...kernel.links.values()], foreign);
  equal(journal.entries().length, 0);
});

test('all at once: what cannot be deleted together is deleted one by one', async (t) => {
  const links = [0, 1, 2].map((number) => macvtap(number));
  const { journal, kernel, changes } = await worldOf(t, 3, links);
  kernel.refuse('delete 3 devices', 'EOPNOTSUPP');
  equal(await changes.undoLeftovers(), 12);
  equal(kernel.links.size, 0);
  equal(kernel.log.length, 1);
  deepEqual(journal.entries(), []);
});

test('the group of those that are deleted is another one each time', async () => {
  const groups = new Set<string>();
  const client = {
    request: async (_what: string, { type, body }: Request) => {
      if (type === RTM_DELLINK) groups.add(Buffer.from(body).toString('hex'));
      return [];
    },
  } as unknown as NetlinkClient;
  for (let time = 0; time < 8; time++) await new Rtnl(client).deleteLinks([macvtap(1), macvtap(2)]);
  ok(groups.size > 1, 'no other program can have chosen it');
});

test('devices are deleted in groups that have no other members', async () => {
  const FIRST = 0x1234567;
  const sent: Request[] = [];
  const client = {
    request: async (what: string, request: Request) => {
      sent.push(request);
      // The first number is taken: an RTM_NEWLINK has the form of the request that sets it.
      return what.startsWith('list') ? [linkGroupSet(9, FIRST).body] : [];
    },
  } as unknown as NetlinkClient;
  const links = Array.from({ length: 130 }, (_, number) => macvtap(number));
  const numbers = [FIRST, FIRST + 1];
  await new Rtnl(client, () => numbers.shift() ?? 0).deleteLinks(links);
  const deletions = sent.filter(({ type }) => type === RTM_DELLINK);
  equal(deletions.length, 3);
  equal(sent.length, 1 + links.length + deletions.length);
  const group = Buffer.from(Uint32Array.of(FIRST + 1).buffer);
  ok(deletions.every(({ body }) => Buffer.from(body).includes(group)));
  deepEqual(
    sent.map(({ type }) => type === RTM_DELLINK).flatMap((is, at) => (is ? [at] : [])),
    [65, 130, 133],
  );
});
