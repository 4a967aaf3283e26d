/** A failover of the lab as figures: what each NIC carried, what was cut when, what was lost. */

import { setTimeout as sleep } from 'node:timers/promises';
import { ControlClient } from '../../src/ctl/client.ts';
import { raiseLab } from '../../src/lab/demonstration.ts';
import { EchoStream } from '../../src/lab/measure/measure.ts';
import { LAN } from '../../src/lab/topology.ts';
import { Workspace } from '../../src/lab/workspace.ts';
import { KSTAT_ROW } from '../../src/model/rows.ts';

/** Ours: between two readings of the kstats, and how long each of the three parts lasts. */
const SAMPLE_MS = 10;
const PART_MS = 1000;

/** Packets in both directions since the sample before. */
export interface Sample {
  readonly atMs: number;
  readonly packets: Readonly<Record<string, number>>;
}

/** Something that was done, and what it cost the stream of 1000 echo requests a second. */
export interface Deed {
  readonly atMs: number;
  readonly lost: number;
  readonly longestGapMs: number;
}

export interface FailoverRecord {
  readonly nics: readonly string[];
  readonly samples: readonly Sample[];
  readonly cut: Deed;
  readonly repair: Deed;
}

/** Plays one failover of the NIC that carries the first data address. */
export async function recordFailover(): Promise<FailoverRecord> {
  const workspace = new Workspace();
  try {
    const { topology, daemon } = await raiseLab(workspace, 'macvtap', () => undefined);
    const client = new ControlClient(daemon.socket);
    const { inbound } = await daemon.address(LAN.data[0]);
    const uplink = topology.uplinks[topology.members.indexOf(inbound ?? '')] ?? 'eth0';
    const echo = await EchoStream.start(workspace, LAN.gateways[0]);
    const samples: Sample[] = [];
    const beganMs = performance.now();
    const ended = new AbortController();
    const sampling = (async () => {
      let before = await totals(client);
      while (!ended.signal.aborted) {
        await sleep(SAMPLE_MS);
        const now = await totals(client);
        const packets = [...now].map(([name, count]) => [name, count - (before.get(name) ?? 0)]);
        const atMs = performance.now() - beganMs;
        samples.push({ atMs, packets: Object.fromEntries(packets) });
        before = now;
      }
    })();
    const at: Record<string, number> = {};
    const mark = async (label: string): Promise<void> => {
      await sleep(PART_MS);
      await echo.mark(label);
      at[label] = performance.now() - beganMs;
    };
    await mark('cut');
    await topology.cut(uplink);
    await mark('repair');
    await topology.repair(uplink);
    await daemon.waitUntilOk();
    await sleep(PART_MS);
    ended.abort();
    await sampling;
    const { windows } = await echo.stop();
    await daemon.stop();
    const deed = (label: string): Deed => {
      const window = windows.find((one) => one.label === label);
      if (window === undefined) throw new Error(`the record has no ${label}`);
      const { lost, longestGapMs } = window;
      return { atMs: round(at[label] ?? 0), lost, longestGapMs: round(longestGapMs) };
    };
    const rounded = samples.map(({ atMs, packets }) => ({ atMs: round(atMs), packets }));
    return { nics: topology.members, samples: rounded, cut: deed('cut'), repair: deed('repair') };
  } finally {
    await workspace.close();
  }
}

async function totals(client: ControlClient): Promise<ReadonlyMap<string, number>> {
  const rows = await client.rows(KSTAT_ROW, '/v1/kstats?pattern=link');
  return new Map(
    rows.map(({ name, data }) => [name, Number(data.ipackets64) + Number(data.opackets64)]),
  );
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
