/**
 * `/metrics` of a running daemon: each number equals its kstat, over TCP as over the control
 * socket, and promtool accepts their names and form.
 */

import { deepEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { SHARED_MS } from '../../../src/ctl/api/shared.ts';
import { GROUP } from '../../../src/lab/configuration.ts';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import type { KstatRow } from '../../tools/conservation.ts';
import { NO_PROMTOOL, PROMTOOL, promtool } from '../../tools/promtool.ts';
import { TestHost } from '../tools/harness.ts';

/** Part of a metric's name -> statistic of `ipmp:0:<group>` and `link:0:<ifname>`. */
const TRAFFIC: Readonly<Record<string, string>> = {
  receive_bytes: 'rbytes64',
  transmit_bytes: 'obytes64',
  receive_packets: 'ipackets64',
  transmit_packets: 'opackets64',
  receive_errors: 'ierrors',
  transmit_errors: 'oerrors',
};

async function scrape(host: TestHost): Promise<string> {
  const url = ['--unix-socket', host.daemon.socket, 'http://ipmpd/metrics'];
  return await host.run('host', ['curl', '-sS', '--fail', ...url]);
}

/** Series, labels included -> value, as text. */
function seriesOf(text: string): Map<string, string> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line): [string, string] => [
      line.slice(0, line.lastIndexOf(' ')),
      line.slice(line.lastIndexOf(' ') + 1),
    ]),
  );
}

/** The series that follow from the kstats. */
function expectedOf(rows: readonly KstatRow[]): Map<string, string> {
  const expected = new Map<string, string>();
  for (const { module, name, data } of rows) {
    if (module === 'ipmpd' && name === 'drops') {
      for (const [reason, count] of Object.entries(data)) {
        expected.set(`ipmp_drops_total{reason="${reason}"}`, String(count));
      }
    }
    if (module === 'ipmpd') continue;
    const labels = module === 'ipmp' ? `group="${name}"` : `interface="${name}",group="${GROUP}"`;
    const what = module === 'ipmp' ? 'group' : 'interface';
    for (const [part, statistic] of Object.entries(TRAFFIC)) {
      expected.set(`ipmp_${what}_${part}_total{${labels}}`, String(data[statistic]));
    }
  }
  return expected;
}

/** The series that come from kstats. */
function countersOf(series: ReadonlyMap<string, string>): Map<string, string> {
  const isCounter = /^ipmp_((group|interface)_(receive|transmit)_\w+|drops)_total\{/;
  return new Map([...series].filter(([name]) => isCounter.test(name)));
}

/**
 * A scrape between two readings of the kstats. Counters never fall, so each series lies between its
 * two readings, also while frames arrive. Returns the series whose readings were the same, and so
 * have one right value; adds what is wrong to `wrong`.
 */
function compare(
  { before, series, after }: Record<'before' | 'series' | 'after', ReadonlyMap<string, string>>,
  wrong: string[],
): string[] {
  const rested: string[] = [];
  for (const name of new Set([...after.keys(), ...series.keys()])) {
    const [least, value, most] = [before.get(name), series.get(name), after.get(name)];
    const isCount = [least, value, most].every((text) => /^\d+$/.test(text ?? ''));
    const isBetween =
      isCount && BigInt(least!) <= BigInt(value!) && BigInt(value!) <= BigInt(most!);
    if (!isBetween) wrong.push(`${name}: ${value}, kstats ${least} and ${most}`);
    if (least === most) rested.push(name);
  }
  return rested;
}

const host = TestHost.ofSuite();

test('[contract 7.5] every metric equals its kstat, and no other comes from a kstat', async () => {
  const pings = await host.ping('host', LAN.gateways[0], { count: 20 });
  deepEqual(pings, { answered: 20, duplicates: 0 });
  await host.run('gw', ['ip', 'link', 'set', 'eth0', 'arp', 'off']);
  const wrong: string[] = [];
  const unproven = new Set(expectedOf(await host.kstats()).keys());
  const series = await until('each counter has rested once', 30_000, async () => {
    const before = expectedOf(await host.kstats());
    // A text may be shared for that long before it is rendered again.
    await delay(SHARED_MS);
    const series = seriesOf(await scrape(host));
    const between = { before, series: countersOf(series), after: expectedOf(await host.kstats()) };
    for (const name of compare(between, wrong)) unproven.delete(name);
    return (wrong.length > 0 || unproven.size === 0) && series;
  });
  deepEqual(wrong, []);
  const frames = (what: string): number => {
    return Number(series.get(`ipmp_group_${what}_packets_total{group="${GROUP}"}`));
  };
  ok(frames('receive') >= 20 && frames('transmit') >= 20, 'and the pings are in it');
});

test('[contract 7.5] promtool finds nothing', async (t) => {
  if (PROMTOOL === undefined) return t.skip(NO_PROMTOOL);
  await host.topology.cut('eth0');
  const text = await until('the failover is counted', 10_000, async () => {
    const text = await scrape(host);
    return /^ipmp_failovers_total\{.*\} 1$/m.test(text) && text;
  });
  deepEqual(promtool(['check', 'metrics'], text), { status: 0, said: '' });
});
