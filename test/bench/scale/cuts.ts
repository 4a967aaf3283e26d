/**
 * Fifty cuts on each wiring: the longest gap that a program on the host sees in a thousand echo
 * requests a second, next to as long a while of the same stream without a cut, which is what the
 * machine itself does. A stream of each family flows over the same cuts; a cut counts for a family
 * whose answers come in on the NIC that is cut.
 *
 * Two wirings lie on veth pairs, whose loss of carrier the kernel reports at once. That of real
 * NICs is reported at most once a second for the whole machine. So is a TAP's, driven by hand: here
 * below macvtaps, with another one in a namespace of its own whose carrier changes all the time.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { EchoSummary } from '../../../src/lab/measure/echo-record.ts';
import type { Family } from '../../../src/wire/addr.ts';
import { Cable, startNoise } from '../../netns/tools/cable.ts';
import { TestHost } from '../../netns/tools/harness.ts';
import { median } from '../../timing/figures.ts';
import { sourceTo } from '../../timing/source.ts';
import type { Closable } from '../side-by-side/field.ts';

export const CUTS = 50;
/** From one series of announcements of an address to the next, and some (ip/claim/dad.ts). */
const CALM_MS = 1100;

export const CUT_WIRINGS = ['macvtap', 'bridge', 'driven TAP'] as const;
type CutWiring = (typeof CUT_WIRINGS)[number];

/** What one family saw on one wiring: longest gaps in ms, one for each cut that counts. */
export interface Cuts {
  readonly wiring: CutWiring;
  readonly family: Family;
  readonly gaps: readonly number[];
  readonly calm: readonly number[];
  readonly lost: number;
  readonly lostByRepairs: number;
}

/**
 * Cuts and repairs; what each family saw. `open` gets what must be closed.
 * @throws CommandError, WaitedTooLong
 */
export async function measureCuts(open: Closable[], wiring: CutWiring): Promise<Cuts[]> {
  const cables = new Map<string, Cable>();
  const isDriven = wiring === 'driven TAP';
  const host = await TestHost.raise({
    wiring: isDriven ? 'macvtap' : wiring,
    ipv6: true,
    group: { 'flap-damping': 'off' },
    environment: { IPMPD_WITNESS: '' },
    prepare: async (topology) => {
      open.push(topology);
      if (!isDriven) return;
      for (const uplink of topology.uplinks) {
        cables.set(uplink, await Cable.replace(topology, uplink));
      }
      await startNoise(topology);
    },
  });
  const set = async (uplink: string, what: 'cut' | 'repair'): Promise<void> => {
    const cable = cables.get(uplink);
    await (cable === undefined ? host.topology[what](uplink) : cable[what]());
  };
  const { lans } = host.topology;
  const echoes = await Promise.all(lans.map(({ gateways }) => host.echo(gateways[0])));
  const sources = await Promise.all(lans.map(({ gateways }) => sourceTo(host, gateways[0])));
  const mark = async (label: string): Promise<void> => {
    await Promise.all(echoes.map((echo) => echo.mark(label)));
  };
  for (let cut = 0; cut < CUTS; cut++) {
    await mark('calm');
    await sleep(CALM_MS);
    const bound = await Promise.all(sources.map((source) => host.boundTo(source)));
    const { ifname, uplink } = bound[cut % bound.length]!;
    const labels = bound.map((one) => (one.ifname === ifname ? 'cut' : 'spared'));
    await Promise.all(echoes.map((echo, at) => echo.mark(labels[at]!)));
    await set(uplink, 'cut');
    await host.waitForState(ifname, 'failed');
    await sleep(CALM_MS);
    await mark('repair');
    await set(uplink, 'repair');
    await host.daemon.waitUntilOk();
  }
  const summaries = await Promise.all(echoes.map((echo) => echo.stop()));
  await host.lower();
  return summaries.map((seen, at) => ({ wiring, family: lans[at]!.family, ...figuresOf(seen) }));
}

function figuresOf({ windows }: EchoSummary): Omit<Cuts, 'wiring' | 'family'> {
  const of = (label: string) => windows.filter((window) => window.label === label);
  const lostIn = (label: string): number => of(label).reduce((sum, { lost }) => sum + lost, 0);
  return {
    gaps: of('cut').map(({ longestGapMs }) => longestGapMs),
    calm: of('calm').map(({ longestGapMs }) => longestGapMs),
    lost: lostIn('cut') + lostIn('spared'),
    lostByRepairs: lostIn('repair'),
  };
}

/** Median and worst. */
export function middleAndWorst(values: readonly number[]): string {
  return `${median(values).toFixed(1)} / ${Math.max(...values).toFixed(1)}`;
}
