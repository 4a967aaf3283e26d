/**
 * The tables below the neighbour states, under any sequence of calls: limits and bookkeeping.
 * Addresses of both families are in one table.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NeighborCache } from '../../src/ip/neighbor/cache.ts';
import type { Nce, NceState } from '../../src/ip/neighbor/nce.ts';
import { REDIRECT_LIMIT, Redirects } from '../../src/ip/neighbor/redirect.ts';
import type { IpAddress } from '../../src/wire/addr.ts';
import { forAll } from '../tools/for-all.ts';

const LIMIT = 64;
const STATES: readonly NceState[] = ['INCOMPLETE', 'REACHABLE', 'STALE', 'PROBE', 'FAILED'];

/** One of so many addresses of IPv4, or of as many of IPv6 with the same last bits. */
function addressUpTo(max: number): fc.Arbitrary<IpAddress> {
  const number = fc.integer({ min: 1, max });
  return fc.oneof(number, number.map(BigInt));
}

const change = fc.record({
  address: addressUpTo(2 * LIMIT),
  mac: fc.nat(4),
  state: fc.constantFrom(...STATES),
  everConfirmed: fc.boolean(),
  removes: fc.nat(7).map((n) => n === 0),
  isNeeded: fc.boolean(),
});

/** Victims leave in the order failed, claimed, stale: the state of each is what its queue names. */
const isRoom = (nce: Nce, isNeeded: boolean): boolean =>
  nce.state === 'FAILED' || (nce.state === 'STALE' && (isNeeded || !nce.everConfirmed));

test('[contract 3.10, 8.4] neighbour cache: limits, queues by state, users of each MAC', () => {
  forAll(500, [fc.array(change, { maxLength: 400, size: 'max' })], (changes) => {
    let isNeeded = false;
    let isMakingRoom = false;
    const present = new Map<IpAddress, Nce>();
    const cache = new NeighborCache(
      LIMIT,
      () => false,
      (nce) => {
        if (isMakingRoom) ok(isRoom(nce, isNeeded), `${nce.state} gives way`);
        present.delete(nce.address);
      },
    );
    for (const one of changes) {
      isNeeded = one.isNeeded;
      let nce = cache.get(one.address);
      if (nce === undefined) {
        if (one.state === 'INCOMPLETE' && !cache.mayAsk()) continue;
        const full = [...present.values()];
        isMakingRoom = true;
        nce = cache.add(one.address, isNeeded ? 'needed' : 'claimed');
        isMakingRoom = false;
        if (nce === undefined) {
          equal(full.length, LIMIT);
          ok(!full.some((other) => isRoom(other, isNeeded)), 'room is refused');
          continue;
        }
        present.set(one.address, nce);
      } else if (one.removes) {
        cache.remove(nce);
        continue;
      } else if (one.state === 'INCOMPLETE' && nce.state !== 'INCOMPLETE') continue;
      nce.everConfirmed = one.everConfirmed;
      nce.state = one.state;
      cache.setMac(nce, one.state === 'INCOMPLETE' ? 0 : one.mac);
      cache.touch(nce);
    }
    const all = [...present.values()];
    equal(cache.size, all.length);
    ok(cache.size <= LIMIT);
    const asked = all.filter(({ state, mac }) => state === 'INCOMPLETE' && mac === 0).length;
    equal(cache.incompleteCount, asked);
    ok(asked <= cache.incompleteLimit);
    for (let mac = 1; mac <= 4; mac++) {
      equal(
        cache.isMacUsed(mac),
        all.some((nce) => nce.mac === mac),
      );
    }
  });
});

const move = fc.record({
  kind: fc.constantFrom('move', 'move', 'move', 'seen', 'release', 'forget', 'time'),
  address: addressUpTo(8),
  from: fc.integer({ min: 1, max: 100 }),
  to: fc.integer({ min: 1, max: 100 }),
  isUsed: fc.boolean(),
});

test('redirects: no chain, bounded, and the output has what is in force', () => {
  forAll(500, [fc.array(move, { maxLength: 300, size: 'max' })], (moves) => {
    const told = new Map<number, number>();
    let tells = 0;
    const redirects = new Redirects({
      redirect: (from, to) => told.set(from, to),
      unredirect: (from) => ok(told.delete(from), 'ends what is not in force'),
      takeUse: (from) => from % 2 === 0,
      tellHost: () => tells++,
    });
    let nowMs = 0;
    for (const { kind, address, from, to, isUsed } of moves) {
      const before = tells;
      if (kind === 'move' && from !== to) {
        redirects.handleMove(address, from, to, isUsed, nowMs);
        equal(tells, before + 1, 'the host gets each move');
        if (!isUsed) equal(told.get(from), to);
      } else if (kind === 'seen') redirects.handleSeen(from, address);
      else if (kind === 'release') redirects.release(from);
      else if (kind === 'forget') redirects.forget(address);
      else {
        nowMs += from * 300;
        redirects.handleTime(nowMs);
      }
      equal(redirects.size, told.size);
      ok(told.size <= REDIRECT_LIMIT);
      for (const target of told.values()) ok(!told.has(target), `a chain by ${target}`);
    }
    for (let address = 1; address <= 8; address++) {
      redirects.forget(address);
      redirects.forget(BigInt(address));
    }
    deepEqual([told.size, redirects.pollAt()], [0, Number.POSITIVE_INFINITY]);
  });
});
