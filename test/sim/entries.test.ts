/**
 * Entries of neighbour caches and claims of addresses, one by one, in lives full of trouble: what
 * waits for something has a deadline, and nothing else (invariants of nce.ts and dad.ts).
 */

import { equal, ok } from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Claims } from '../../src/ip/claim/claims.ts';
import type { ClaimState } from '../../src/ip/claim/dad.ts';
import { NeighborCache } from '../../src/ip/neighbor/cache.ts';
import type { Nce, NceState } from '../../src/ip/neighbor/nce.ts';
import type { Ipif } from '../../src/ip/object/ipif.ts';
import { address } from '../../src/sim/world.ts';
import { Life } from './life/life.ts';
import { drawSchedule } from './life/schedule.ts';

const SEEDS = 12;
/** No station has it; the host asks for it all the time. */
const ABSENT = address('192.0.2.99');
/** Our addresses are not contested in these lives. */
const RARE: readonly string[] = ['duplicate'];

const WAITING_ENTRIES = new Set<NceState>(['INCOMPLETE', 'REACHABLE', 'PROBE', 'FAILED']);
const WAITING_CLAIMS = new Set<ClaimState>(['probing', 'announcing', 'settled', 'duplicate']);
const UP_CLAIMS = new Set<ClaimState>(['ready', 'announcing', 'settled']);

/** Every entry and every claim that there is now, in any table. */
const entries = new Set<Nce>();
const claimed = new Map<Ipif, Claims>();

/** Records what enters and leaves the tables. */
function watchTables(): void {
  const { add, remove } = NeighborCache.prototype;
  mock.method(NeighborCache.prototype, 'add', function (this: NeighborCache, ...args: unknown[]) {
    const nce = add.apply(this, args as Parameters<typeof add>);
    if (nce !== undefined) entries.add(nce);
    return nce;
  });
  mock.method(NeighborCache.prototype, 'remove', function (this: NeighborCache, nce: Nce) {
    entries.delete(nce);
    remove.call(this, nce);
  });
  const { handleBound, handleRemoved } = Claims.prototype;
  mock.method(Claims.prototype, 'handleBound', function (this: Claims, ...args: unknown[]) {
    const bound = args as Parameters<typeof handleBound>;
    claimed.set(bound[0], this);
    handleBound.apply(this, bound);
  });
  mock.method(Claims.prototype, 'handleRemoved', function (this: Claims, ipif: Ipif) {
    claimed.delete(ipif);
    handleRemoved.call(this, ipif);
  });
}

/** How many of what kind were looked at. */
const seen = new Map<string, number>();

function check(): void {
  for (const nce of entries) {
    const { candidate, state, deadline, waiters, isAsking, mac } = nce;
    seen.set(state, (seen.get(state) ?? 0) + 1);
    equal(deadline !== undefined, WAITING_ENTRIES.has(state), `deadline of an entry in ${state}`);
    ok(isAsking || waiters.length === 0, `${waiters.length} wait for an entry in ${state}`);
    if (state === 'REACHABLE' || state === 'PERMANENT') ok(mac !== 0, `${state} without a MAC`);
    if (state === 'FAILED') equal(mac, 0, 'FAILED with a MAC');
    if (state !== 'PROBE') equal(candidate, 0, `a candidate in ${state}`);
  }
  for (const [ipif, claims] of claimed) {
    const claim = claims.get(ipif);
    if (claim === undefined) continue;
    const { state, deadline } = claim;
    seen.set(state, (seen.get(state) ?? 0) + 1);
    equal(deadline !== undefined, WAITING_CLAIMS.has(state), `deadline of a claim in ${state}`);
    equal(ipif.state === 'up', UP_CLAIMS.has(state), `${ipif.state} with a claim in ${state}`);
  }
}

test(`entries and claims: deadlines, waiting askers and MACs by their states`, (t) => {
  watchTables();
  for (let seed = 1; seed <= SEEDS; seed++) {
    entries.clear();
    claimed.clear();
    const life = new Life(drawSchedule(seed));
    life.world.checkers.push(check);
    life.world.host.station.ping(ABSENT, 3000);
    try {
      life.live();
    } catch (error) {
      throw new Error(`seed ${seed}: ${error}`, { cause: error });
    }
  }
  mock.restoreAll();
  t.diagnostic(JSON.stringify(Object.fromEntries(seen)));
  for (const state of [...WAITING_ENTRIES, 'STALE', 'PERMANENT', ...WAITING_CLAIMS, 'ready']) {
    if (!RARE.includes(state)) ok(seen.has(state), `never ${state}`);
  }
});
