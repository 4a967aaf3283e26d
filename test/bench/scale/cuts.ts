/**
 * Fifty cuts on each wiring: the longest gap that a program on the host sees in a thousand echo
 * requests a second, next to as long a while of the same stream without a cut, which is what the
 * machine itself does.
 *
 * Two wirings lie on veth pairs, whose loss of carrier the kernel reports at once. That of real
 * NICs is reported at most once a second for the whole machine. So is a TAP's, driven by hand: here
 * below macvtaps, with another one in a namespace of its own whose carrier changes all the time.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { LAN } from '../../../src/lab/topology.ts';
import { Cable, startNoise } from '../../netns/tools/cable.ts';
import { TestHost } from '../../netns/tools/harness.ts';
import { median } from '../../timing/figures.ts';
import type { Closable } from '../side-by-side/field.ts';

export const CUTS = 50;
/** From one series of announcements of an address to the next, and some (ip/claim/dad.ts). */
const CALM_MS = 1100;

export const CUT_WIRINGS = ['macvtap', 'bridge', 'driven TAP'] as const;
type CutWiring = (typeof CUT_WIRINGS)[number];

/** What was seen of one wiring: longest gaps in milliseconds, one for each cut. */
export interface Cuts {
  readonly wiring: CutWiring;
  readonly gaps: readonly number[];
  readonly calm: readonly number[];
  readonly lost: number;
  readonly lostByRepairs: number;
}

/** Cuts and repairs. `open` gets what must be closed. @throws CommandError, WaitedTooLong */
export async function measureCuts(open: Closable[], wiring: CutWiring): Promise<Cuts> {
  const cables = new Map<string, Cable>();
  const isDriven = wiring === 'driven TAP';
  const host = await TestHost.raise({
    wiring: isDriven ? 'macvtap' : wiring,
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
  const echo = await host.echo(LAN.gateways[0]);
  for (let cut = 0; cut < CUTS; cut++) {
    await echo.mark('calm');
    await sleep(CALM_MS);
    const { ifname, uplink } = await host.boundTo(LAN.data[0]);
    await echo.mark('cut');
    await set(uplink, 'cut');
    await host.waitForState(ifname, 'failed');
    await sleep(CALM_MS);
    await echo.mark('repair');
    await set(uplink, 'repair');
    await host.daemon.waitUntilOk();
  }
  const { windows } = await echo.stop();
  await host.lower();
  const of = (label: string) => windows.filter((window) => window.label === label);
  const lostIn = (label: string): number => of(label).reduce((sum, { lost }) => sum + lost, 0);
  return {
    wiring,
    gaps: of('cut').map(({ longestGapMs }) => longestGapMs),
    calm: of('calm').map(({ longestGapMs }) => longestGapMs),
    lost: lostIn('cut'),
    lostByRepairs: lostIn('repair'),
  };
}

/** Median and worst. */
export function middleAndWorst(values: readonly number[]): string {
  return `${median(values).toFixed(1)} / ${Math.max(...values).toFixed(1)}`;
}
