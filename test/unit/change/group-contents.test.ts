/**
 * What a group's device carries: a route whose place another route has is a problem, and stays
 * wanted; what is changed while the device is being opened is put on it.
 */

import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { OperatorError } from '../../../src/base/errors.ts';
import { StillWanted } from '../../../src/change/changes.ts';
import { type ContentsHost, GroupContents } from '../../../src/change/group-contents.ts';
import type { GroupConfig } from '../../../src/config/types.ts';

const CONFIG = { name: 'ipmp0', addresses: [], routes: [], mtu: 'auto' } as unknown as GroupConfig;
const ROUTE = { to: 'default', via: '192.0.2.1', onlink: false, family: 4 } as const;
const SILENT = pino({ level: 'silent' });
const SETTINGS = { to: 'default', via: '192.0.2.1' };

/** A group with an open device, whose host gives this answer to a route. */
async function contentsWith(addRoute: ContentsHost['addRoute']): Promise<GroupContents> {
  const contents = new GroupContents(CONFIG, { addRoute } as ContentsHost);
  await contents.catchUp(contents.deviceSpec(), SILENT);
  return contents;
}

test('a route whose place is taken is a problem, and stays wanted', async () => {
  const problem = new OperatorError('EEXIST', 'default via 192.0.2.9 dev eth0 has its place');
  const contents = await contentsWith(async () => problem);
  for (let attempt = 0; attempt < 2; attempt++) {
    await rejects(contents.addRoute(ROUTE), (error) => {
      equal((error as Error).message, problem.message);
      return error instanceof StillWanted;
    });
    deepEqual(contents.deviceSpec().routes, [SETTINGS]);
  }
});

test('another refusal of a route changes nothing', async () => {
  const contents = await contentsWith(() => Promise.reject(new OperatorError('EINVAL', 'no')));
  await rejects(contents.addRoute(ROUTE), { code: 'EINVAL' });
  deepEqual(contents.deviceSpec().routes, []);
});

test('a refused change is undone, and no other change', async () => {
  const refusals: (() => void)[] = [];
  const refuseLater = () =>
    new Promise<never>((_resolve, reject) => {
      refusals.push(() => reject(new OperatorError('EIO', 'no')));
    });
  const host = {
    addAddress: async (_group: string, address: string) => {
      if (address === '192.0.2.9/24') await refuseLater();
    },
    deleteAddress: refuseLater,
    setGroupForwarding: refuseLater,
  } as unknown as ContentsHost;
  const contents = new GroupContents(CONFIG, host);
  await contents.addAddress('192.0.2.1/24');
  await contents.addAddress('192.0.2.2/24');
  await contents.catchUp(contents.deviceSpec(), SILENT);
  const refused = [
    contents.addAddress('192.0.2.9/24'),
    contents.removeAddress('192.0.2.1/24'),
    contents.setForwarding(true),
  ];
  await contents.addAddress('192.0.2.3/24');
  contents.setMtu(1400);
  for (const refuse of refusals) refuse();
  for (const change of refused) await rejects(change, { code: 'EIO' });
  const { addresses, forwarding, mtu } = contents.deviceSpec();
  deepEqual(addresses, ['192.0.2.1/24', '192.0.2.2/24', '192.0.2.3/24']);
  deepEqual([forwarding, mtu], [undefined, 1400]);
});

test('a catch-up logs what is refused, and applies the rest', async () => {
  const lines: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
  const carried: string[] = [];
  const host = {
    addAddress: async (_group: string, address: string) => {
      if (address === '192.0.2.1/24') throw new OperatorError('EINVAL', 'not this one');
      carried.push(address);
    },
    addRoute: async () => new OperatorError('EEXIST', 'its place is taken'),
  } as unknown as ContentsHost;
  const contents = new GroupContents(CONFIG, host);
  const opened = contents.deviceSpec();
  await contents.addAddress('192.0.2.1/24');
  await contents.addAddress('192.0.2.2/24');
  await contents.addRoute(ROUTE);
  await contents.catchUp(opened, log);
  deepEqual(carried, ['192.0.2.2/24']);
  deepEqual(
    lines.map((line) => JSON.parse(line)).map(({ event, device, msg }) => [event, device, msg]),
    [
      ['group-device-problem', 'ipmp0', 'not this one'],
      ['group-device-problem', 'ipmp0', 'its place is taken'],
    ],
  );
  await rejects(contents.addAddress('192.0.2.1/24'), { code: 'EINVAL' }, 'at once: it is open');
});

test('a catch-up applies what changes while it runs', async () => {
  const carried = new Set<string>();
  let onAdd = async (): Promise<void> => undefined;
  const host = {
    addAddress: async (_group: string, address: string) => {
      carried.add(address);
      await onAdd();
    },
    deleteAddress: async (_group: string, address: string) => {
      carried.delete(address);
    },
  } as ContentsHost;
  const contents = new GroupContents(CONFIG, host);
  const opened = contents.deviceSpec();
  await contents.addAddress('192.0.2.1/24');
  onAdd = async () => {
    onAdd = async () => undefined;
    await contents.addAddress('192.0.2.2/24');
    await contents.removeAddress('192.0.2.1/24');
  };
  await contents.catchUp(opened, SILENT);
  deepEqual([...carried], ['192.0.2.2/24']);
  await contents.addAddress('192.0.2.3/24');
  deepEqual([...carried], ['192.0.2.2/24', '192.0.2.3/24'], 'at once');
  contents.handleClosed();
  await contents.addAddress('192.0.2.4/24');
  deepEqual([...carried], ['192.0.2.2/24', '192.0.2.3/24'], 'there is no device');
});

test('an address that is being left is not joined again by a device that is opened', async () => {
  const orders: string[] = [];
  const host = {
    setGroupMulticast: async (_group: string, address: string, isMember: boolean) => {
      orders.push(`${isMember ? 'join' : 'leave'} ${address}`);
    },
  } as ContentsHost;
  const contents = new GroupContents(CONFIG, host);
  await contents.setMulticast('224.0.0.5', true);
  const leaving = contents.setMulticast('224.0.0.5', false);
  await contents.joinAgain(SILENT);
  await leaving;
  deepEqual(orders, ['join 224.0.0.5', 'leave 224.0.0.5']);
});

test('a refused leave changes nothing', async () => {
  const joined: string[] = [];
  const host = {
    setGroupMulticast: async (_group: string, address: string, isMember: boolean) => {
      if (!isMember) throw new OperatorError('EIO', 'no');
      joined.push(address);
    },
  } as ContentsHost;
  const contents = new GroupContents(CONFIG, host);
  await contents.setMulticast('224.0.0.5', true);
  await rejects(contents.setMulticast('224.0.0.5', false), { code: 'EIO' });
  await contents.joinAgain(SILENT);
  deepEqual(joined, ['224.0.0.5', '224.0.0.5']);
});
