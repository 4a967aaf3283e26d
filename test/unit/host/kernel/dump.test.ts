/**
 * The kernel's answer to a dump of many thousand routes: the thread is shared while it is worked
 * on, and no route is handed on before the answer is whole. The tests count turns and parsed rows
 * and measure no time.
 */

import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { nextTurn, ROWS_A_TURN } from '../../../../src/base/turns.ts';
import { NetlinkClient } from '../../../../src/host/kernel/netlink.ts';
import {
  type Message,
  messageEmit,
  messagesParse,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
} from '../../../../src/host/kernel/netlink-message.ts';
import type { HostRoute } from '../../../../src/host/kernel/records.ts';
import {
  isInPlaceOf,
  isRoute,
  keysAmong,
  routeKey,
} from '../../../../src/host/kernel/route-key.ts';
import { KnownRoutes, routeAdd } from '../../../../src/host/kernel/route-message.ts';
import { Rtnl } from '../../../../src/host/kernel/rtnl.ts';
import { hostClock } from '../../../../src/process/clock.ts';
import { turnsOf } from '../../base/turns-of.ts';
import { linkRecord } from '../port/link-record.ts';
import { mirrorOf } from './mirror-of.ts';

const ROUTES = 5000;
/** Turns that a list of so many rows takes. */
const TURNS = ROUTES / ROWS_A_TURN;
const IFINDEX = 7;
const AF_INET = 2;
const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const GROUP = linkRecord({ ifindex: IFINDEX, name: 'ipmp0' });

function routeTo(at: number) {
  return { to: `10.${at >> 8}.${at & 255}.0/24`, via: '192.0.2.1', metric: 20 };
}

/** In a dump, the kernel repeats the body of the request that set the route. */
function body(at: number): Buffer {
  return Buffer.from(routeAdd(IFINDEX, routeTo(at)).body);
}

/** A kernel that has routes and answers at once. */
class Kernel {
  readonly asked: Message[] = [];
  bodies = Array.from({ length: ROUTES }, (_, at) => body(at));
  /** Dumps that are marked as changed meanwhile. */
  interrupted = 0;
  /** Messages that were read of the answers. */
  read = 0;

  async rtnl(): Promise<{ rtnl: Rtnl; client: NetlinkClient }> {
    const transport = {
      exchange: async (bytes: Uint8Array) => {
        const [message] = messagesParse(Buffer.from(bytes));
        this.asked.push(message!);
        const answer = this.#answer(message!);
        answer.subarray = (...range) => {
          this.read++;
          return Buffer.prototype.subarray.apply(answer, range);
        };
        return answer;
      },
      close: async () => undefined,
    };
    const client = await NetlinkClient.open(async () => transport, 0, hostClock);
    return { rtnl: new Rtnl(client), client };
  }

  #answer({ type, sequence, body: question }: Message): Buffer {
    const isIpv4 = type === RTM_GETROUTE && question[0] === AF_INET;
    const flags = isIpv4 && this.interrupted-- > 0 ? NLM_F_DUMP_INTR : 0;
    const bodies = isIpv4 ? this.bodies : [];
    const rows = bodies.map((row) => ({ type: RTM_NEWROUTE, flags, body: row }));
    const end = { type: NLMSG_DONE, flags: 0, body: Buffer.alloc(4) };
    return Buffer.concat([...rows, end].map((row) => messageEmit(row, sequence)));
  }
}

test('the answer to a dump is read in turns, whole and in order', async () => {
  const { rtnl } = await new Kernel().rtnl();
  let routes: HostRoute[] = [];
  const turns = await turnsOf(async () => {
    routes = await rtnl.routes(IFINDEX);
  });
  deepEqual(
    routes.map(({ destination, prefixLength }) => `${destination}/${prefixLength}`),
    Array.from({ length: ROUTES }, (_, at) => routeTo(at).to),
  );
  ok(turns >= 2 * TURNS, `${turns} turns: its messages, then its routes`);
});

test('a dump that was not consistent is asked for again', async () => {
  const kernel = new Kernel();
  kernel.interrupted = 2;
  const { rtnl } = await kernel.rtnl();
  equal((await rtnl.routes(IFINDEX)).length, ROUTES);
  equal(kernel.asked.length, 4, 'three of IPv4, one of IPv6');
});

test('closing while an answer is worked on refuses it, and the rest is not read', async () => {
  const kernel = new Kernel();
  const { rtnl, client } = await kernel.rtnl();
  const routes = rejects(rtnl.routes(IFINDEX), { name: 'OperatorError', code: 'ECANCELED' });
  await nextTurn();
  await client.close();
  await routes;
  for (let turn = 0; turn < TURNS; turn++) await nextTurn();
  ok(kernel.read > 0 && kernel.read <= 2 * ROWS_A_TURN, `${kernel.read} messages`);
});

test('a route in the same bytes is the same object, what is gone is forgotten', async () => {
  const kernel = new Kernel();
  const { rtnl } = await kernel.rtnl();
  const known = new KnownRoutes();
  const before = await rtnl.routes(IFINDEX, known);
  kernel.bodies = [body(ROUTES), ...kernel.bodies.slice(1)];
  const [first, ...others] = await rtnl.routes(IFINDEX, known);
  ok(others.every((route, at) => route === before[at + 1]));
  equal(first?.destination, `10.${ROUTES >> 8}.${ROUTES & 255}.0`);
  kernel.bodies = [body(0)];
  const [again] = await rtnl.routes(IFINDEX, known);
  deepEqual(again, before[0]);
  ok(again !== before[0]);
});

test('a search ends at the first hit, and asks one family', async () => {
  const kernel = new Kernel();
  const { rtnl } = await kernel.rtnl();
  let tested = 0;
  const counting = (isIt: (route: HostRoute) => boolean) => (route: HostRoute) => {
    tested++;
    return isIt(route);
  };
  const isHeld = counting(isInPlaceOf({ ...routeTo(10), via: '192.0.2.9' }));
  equal((await rtnl.findInTable(254, 4, isHeld))?.destination, '10.0.10.0');
  equal(tested, 11);
  const isThere = counting(isRoute(IFINDEX, routeTo(20)));
  equal((await rtnl.findRoute(IFINDEX, 4, isThere))?.destination, '10.0.20.0');
  equal(tested, 11 + 21);
  equal(kernel.asked.length, 2);
  const turns = await turnsOf(async () => {
    equal(await rtnl.findInTable(254, 4, isInPlaceOf({ to: 'default' })), undefined);
  });
  ok(turns >= 2 * TURNS, `${turns} turns`);
});

test('of some routes those are found that a long list has', async () => {
  const { rtnl } = await new Kernel().rtnl();
  const list = await rtnl.routes(IFINDEX);
  const other = { ...routeTo(3), via: '192.0.2.9' };
  const keys = [routeTo(2), other, routeTo(ROUTES)].map(routeKey);
  deepEqual([...keysAmong(keys, list, IFINDEX)], [routeKey(routeTo(2))]);
  deepEqual(keysAmong(keys, [], IFINDEX), new Set());
});

/** A mirror of one group's device. */
async function groupMirror(kernel: Kernel) {
  const { rtnl } = await kernel.rtnl();
  rtnl.link = async () => GROUP;
  const world = mirrorOf(rtnl);
  world.mirror.watch('ipmp0', { routes: true });
  return world;
}

test('a list is compared in turns; one that is equal, or late, is not reported', async () => {
  const kernel = new Kernel();
  const { mirror, lists } = await groupMirror(kernel);
  await mirror.refresh();
  equal(lists[0]?.length, ROUTES);
  const turns = await turnsOf(() => mirror.refresh());
  ok(turns >= 3 * TURNS, `${turns} turns: messages, routes, comparison`);
  equal(lists.length, 1);
  kernel.bodies = kernel.bodies.slice(1);
  const look = mirror.refresh();
  await nextTurn();
  mirror.close();
  await look;
  equal(lists.length, 1);
});

test('a list that a device carried before it was down is not passed on', async () => {
  const kernel = new Kernel();
  const { mirror, lists, handlers } = await groupMirror(kernel);
  await mirror.refresh();
  kernel.bodies = kernel.bodies.slice(1);
  const look = mirror.refresh();
  for (let turn = 0; turn < TURNS; turn++) await nextTurn();
  handlers.received(linkDown());
  await look;
  equal(lists.length, 1);
  await mirror.refresh();
  equal(lists[1]?.length, ROUTES - 1);
});

/** RTM_NEWLINK of the group's device: family header and IFLA_IFNAME. */
function linkDown(): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(IFINDEX, 4);
  const name = Buffer.from('\x0a\0\x03\0ipmp0\0\0\0');
  return messageEmit({ type: 16, flags: 0, body: Buffer.concat([header, name]) }, 0);
}
