/** The host's kernel is asked for its memberships when other NICs have to report them. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { QUERY_AT_MS, QUERY_BURST, QUERY_RATE } from '../../../../src/ip/multicast/queries.ts';
import { hexFormat } from '../../../tools/hex.ts';
import { NET1, World } from '../harness.ts';

/** The frames for the host, which begin with the MAC of all systems. */
function queries(world: World): { atMs: number; hex: string }[] {
  const sent = world.take('host').map(({ atMs, frame }) => ({ atMs, hex: hexFormat(frame) }));
  return sent.filter(({ hex }) => hex.startsWith('01005e000001'));
}

/** Another NIC is nominated. */
function nominate(world: World, nic: number): void {
  world.cast = world.ill(nic);
  world.lan.handleNominated(world.nowMs);
}

test('a nomination has the kernel asked at once, soon and later, for an answer at once', () => {
  const world = new World();
  nominate(world, 2);
  const beganMs = world.nowMs;
  world.advance(60_000);
  const sent = queries(world);
  deepEqual(
    sent.map(({ atMs }) => atMs - beganMs),
    QUERY_AT_MS,
  );
  for (const { hex } of sent) {
    equal(
      hex,
      '01005e000001' +
        '020000000003' +
        '0800' +
        '46c00024000000000102' +
        '441300000000e0000001' +
        '94040000' +
        '1100eeff00000000' +
        '00000000',
    );
  }
  equal(world.lan.counters.membershipQueries, QUERY_AT_MS.length);
});

test('a device that is up again has the kernel asked, one that is down does not', () => {
  const world = new World();
  world.hostUp = false;
  nominate(world, 1);
  world.advance(60_000);
  deepEqual(queries(world), []);
  world.hostUp = true;
  world.lan.handleHostUp(world.nowMs);
  equal(queries(world).length, 1);
});

test('while no NIC is nominated the kernel is not asked, and the next nomination asks it', () => {
  const world = new World();
  nominate(world, 1);
  world.cast = undefined;
  world.take();
  world.advance(60_000);
  deepEqual(queries(world), []);
  nominate(world, 2);
  equal(queries(world).length, 1);
});

test('a nomination that changes back and forth asks at a limited rate, and at its end', () => {
  const world = new World();
  const seconds = 30;
  for (let n = 0; n < seconds * 10; n++) {
    nominate(world, n % 2);
    world.advance(100);
  }
  const during = queries(world).length;
  ok(during <= QUERY_BURST + seconds * QUERY_RATE, `${during} queries`);
  ok(during >= seconds * QUERY_RATE, `${during} queries`);
  nominate(world, 2);
  const changedMs = world.nowMs;
  world.advance(60_000);
  const last = queries(world);
  ok(last.length >= 1 && last[0]!.atMs - changedMs <= 1000 / QUERY_RATE);
  ok(last[0]!.hex.includes('020000000003'));
});

test('a late timer asks once for all that it missed', () => {
  const world = new World();
  nominate(world, 1);
  equal(queries(world).length, 1);
  world.nowMs += 5000;
  world.lan.handleTime(world.nowMs);
  world.advance(60_000);
  const sent = queries(world);
  equal(sent.length, 1);
  equal(sent[0]!.hex.slice(12, 24), NET1.toString(16).padStart(12, '0'));
});
