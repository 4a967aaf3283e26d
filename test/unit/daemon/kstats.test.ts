/** The daemon's kstats as they are, beside the pages that explain them; and the chain of them. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { installKstats } from '../../../src/daemon/kstats.ts';
import { SimWorld } from '../../../src/sim/world.ts';
import { DROP_REASONS } from '../../../src/stats/drop-reasons.ts';
import { collectKstats, type KstatRecord } from '../../../src/stats/kstat.ts';
import { INTERFACE_STATISTICS } from '../../../src/stats/schema.ts';

const page = readFileSync(new URL('../../../../docs/kstats.md', import.meta.url), 'utf8');

function newWorld(): SimWorld {
  const nics = [
    { name: 'net0', side: 'A' },
    { name: 'net1', side: 'B' },
  ] as const;
  const world = SimWorld.create({ seed: 1, nics, addresses: ['192.0.2.10/24'] });
  installKstats({
    system: world.system,
    datapath: world.datapath.counters,
    lostInjections: () => 0n,
    nowMs: () => world.nowMs,
  });
  return world;
}

function read(world: SimWorld): Map<string, KstatRecord> {
  const records = world.operate('read', () => collectKstats(world.system.kstats));
  return new Map(records.map((row) => [`${row.module}:${row.instance}:${row.name}`, row]));
}

/** First cells, without their quotes, of the table under the heading that begins so. */
function cellsUnder(heading: string, column = 0): string[] {
  const section = page.split('\n## ').find((text) => text.startsWith(heading)) ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  return rows.map((row) => (row.split(' | ')[column] ?? '').replace(/^\| |\||`/g, '').trim());
}

const namesOf = (row: KstatRecord | undefined): string[] => Object.keys(row?.data ?? {}).sort();

test('[contract 6.4] the page names exactly the statistics that there are', () => {
  const kstats = read(newWorld());
  for (const name of ['ipmp:0:ipmp0', 'link:0:net0']) {
    deepEqual(cellsUnder('Groups and NICs').sort(), namesOf(kstats.get(name)), name);
  }
  for (const name of ['ipmpd:0:datapath', 'ipmpd:0:worker0']) {
    deepEqual(cellsUnder('`ipmpd:0:datapath').sort(), namesOf(kstats.get(name)), name);
  }
  const control = cellsUnder('`ipmpd:0:control').sort();
  deepEqual(control, namesOf(kstats.get('ipmpd:0:control')));
  const rest = [...kstats].flatMap(([name, row]) => {
    if (/^(ipmp|link):|:(datapath|worker\d+|control)$/.test(name)) return [];
    if (/:(drops|witness)$/.test(name)) return [name];
    return Object.keys(row.data).map((statistic) => `${name}:${statistic}`);
  });
  deepEqual(cellsUnder('The rest').sort(), rest.sort());
});

test('the page has the sentences of the schema for the fifteen, in its order', () => {
  deepEqual(
    cellsUnder('Groups and NICs').map((name, at) => [name, cellsUnder('Groups and NICs', 2)[at]]),
    INTERFACE_STATISTICS.map(({ name, sentence }) => [name, sentence]),
  );
});

test('the page of drop reasons is the table of drop reasons', () => {
  const reasons = readFileSync(
    new URL('../../../../docs/drop-reasons.md', import.meta.url),
    'utf8',
  );
  const rows = Object.values(DROP_REASONS).flatMap((section) => Object.entries(section));
  deepEqual(
    reasons.split('\n').filter((line) => line.startsWith('| `')),
    rows.map(([name, sentence]) => `| \`${name}\` | ${sentence} |`),
  );
  deepEqual(
    Object.keys(read(newWorld()).get('ipmpd:0:drops')?.data ?? {}),
    rows.map(([name]) => name),
  );
});

test('the chain id moves when a NIC comes and when it goes, and not otherwise', () => {
  const world = newWorld();
  const chain = (): readonly [number, number] => {
    const data = read(world).get('ipmpd:0:kstats')?.data ?? {};
    return [Number(data.chain_id), Number(data.installed)];
  };
  const [id, installed] = chain();
  deepEqual(chain(), [id, installed]);
  const spec = { kind: 'tap', name: 'net7', standby: false, testAddresses: [] } as const;
  world.operate('create', () => {
    return world.system.createInterface({ ...spec, uplink: null, bridge: null });
  });
  deepEqual(chain(), [id + 1, installed + 1]);
  ok(read(world).has('link:0:net7'));
  world.operate('delete', () => world.system.deleteInterface('net7'));
  deepEqual(chain(), [id + 2, installed]);
  ok(!read(world).has('link:0:net7'));
});

test('a driver that hangs: its readers get what was known, within the limit that is shown', () => {
  const world = newWorld();
  const before = read(world);
  const limit = Number(before.get('ipmpd:0:kstats')?.data.read_limit_ms);
  world.drivers.setMood('net0', 'hung');
  const startMs = world.nowMs;
  const link = (name: string): KstatRecord[] => {
    return world.operate('read', () => collectKstats(world.system.kstats, (k) => k.name === name));
  };
  equal(link('net1')[0]?.stale, false);
  ok(world.nowMs - startMs < 1, 'readers of another NIC do not wait');
  const askedMs = world.nowMs;
  deepEqual(link('net0')[0]?.data, before.get('link:0:net0')?.data);
  equal(link('net0')[0]?.stale, true);
  equal(link('ipmp0')[0]?.stale, true);
  ok(world.nowMs - askedMs <= 3 * limit, `${world.nowMs - askedMs} ms for three readings`);
  equal(read(world).get('ipmpd:0:kstats')?.data.stale_readings, 3n);
});
