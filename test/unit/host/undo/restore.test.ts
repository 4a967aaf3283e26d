/** Taking everything back: hundreds of devices at once, in few requests, each of them ours. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { OperatorError } from '../../../../src/base/errors.ts';
import { linkGroupSet } from '../../../../src/host/kernel/link-message.ts';
import type { NetlinkClient } from '../../../../src/host/kernel/netlink.ts';
import type { Request } from '../../../../src/host/kernel/netlink-message.ts';
import type { LinkRecord } from '../../../../src/host/kernel/records.ts';
import { Rtnl } from '../../../../src/host/kernel/rtnl.ts';
import type { Journal } from '../../../../src/host/undo/journal.ts';
import { Changes } from '../../../../src/host/undo/restore.ts';
import { journalPath, openJournal } from './journals.ts';

const RTM_DELLINK = 17;

/** NIC `number` of the host has the index 1000 + number, and the macvtap on it 2000 + number. */
function macvtap(number: number, changes: Partial<LinkRecord> = {}): LinkRecord {
  return {
    ifindex: 2000 + number,
    name: `net${number}`,
    up: true,
    noarp: false,
    allmulti: true,
    carrier: true,
    carrierChanges: 2,
    mtu: 1500,
    mac: 0x02_00_00_00_00_01,
    master: 0,
    forwards: true,
    lower: 1000 + number,
    kind: 'macvtap',
    macvlanMode: 8,
    txQueueLength: 4096,
    groMaxSize: 65536,
    groIpv4MaxSize: 65536,
    ...changes,
  };
}

function nic(number: number): LinkRecord {
  const own = { ifindex: 1000 + number, name: `eth${number}`, lower: 0, kind: '', noarp: true };
  return macvtap(number, own);
}

/** Devices that a test plays, and what is asked of them. */
class Devices {
  readonly all = new Map<number, LinkRecord>();
  readonly asked: string[] = [];
  readonly log: string[] = [];
  refusesMany = false;

  constructor(links: readonly LinkRecord[]) {
    for (const link of links) this.all.set(link.ifindex, link);
  }

  changes(journal: Journal): Changes {
    const rtnl = {
      links: async () => [...this.all.values()],
      link: async (device: string | number) => {
        this.asked.push('link');
        return [...this.all.values()].find(({ name, ifindex }) => {
          return device === name || device === ifindex;
        });
      },
      deleteLink: async (ifindex: number) => {
        this.asked.push(`delete ${ifindex}`);
        return this.all.delete(ifindex);
      },
      deleteLinks: async (links: readonly LinkRecord[]) => {
        this.asked.push(`delete ${links.length} devices`);
        if (this.refusesMany) throw new OperatorError('EOPNOTSUPP', 'not together');
        for (const { ifindex } of links) this.all.delete(ifindex);
      },
      setLink: async ({ name }: LinkRecord, settings: object) => {
        this.asked.push(`${name} ${JSON.stringify(settings)}`);
      },
    } as unknown as Rtnl;
    const write = (_: object, message: string): void => void this.log.push(message);
    return new Changes(journal, rtnl, { info: write, warn: write });
  }
}

function journalIn(context: TestContext): Promise<Journal> {
  return openJournal(journalPath(context));
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
  const journal = await journalIn(t);
  await recordNics(journal, count);
  const numbers = Array.from({ length: count }, (_, number) => number);
  const devices = new Devices(numbers.flatMap((number) => [nic(number), macvtap(number)]));
  await devices.changes(journal).undoAll();
  deepEqual(devices.asked, [
    `delete ${count} devices`,
    ...numbers.reverse().flatMap((number) => ['link', `eth${number} {"noarp":false}`]),
  ]);
  deepEqual(journal.entries(), []);
  deepEqual(devices.log, []);
});

test('all at once: another device with the name or number of ours stays', async (t) => {
  const journal = await journalIn(t);
  await recordNics(journal, 4);
  const foreign = [
    macvtap(1, { lower: 77 }),
    macvtap(2, { kind: 'veth' }),
    macvtap(3, { ifindex: 3000 }),
  ];
  const devices = new Devices([macvtap(0), ...foreign]);
  await devices.changes(journal).undoAll();
  deepEqual([...devices.all.values()], foreign);
  equal(journal.entries().length, 0);
});

test('all at once: what cannot be deleted together is deleted one by one', async (t) => {
  const journal = await journalIn(t);
  await recordNics(journal, 3);
  const devices = new Devices([0, 1, 2].map((number) => macvtap(number)));
  devices.refusesMany = true;
  equal(await devices.changes(journal).undoLeftovers(), 12);
  equal(devices.all.size, 0);
  equal(devices.log.length, 1);
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
