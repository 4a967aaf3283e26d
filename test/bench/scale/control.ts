/**
 * The control plane at scale: 64 groups of 8 NICs, 4096 data addresses, 10,000 neighbours, all of
 * real devices. How long each thing that an operator does takes, and the longest turn of the
 * daemon's main thread meanwhile.
 */

import { ControlClient } from '../../../src/ctl/client.ts';
import { getText } from '../../../src/lab/api.ts';
import { until } from '../../../src/lab/until.ts';
import type { Turns } from '../programs/turn-watch.ts';
import { say } from '../report.ts';
import type { Closable } from '../side-by-side/field.ts';
import { ScaleField } from './field.ts';
import { dataAddress, type Plan } from './plan.ts';

const PLAN: Plan = { groups: 64, nics: 8, addresses: 64, neighbors: 10_000 };

/** Of each reading, beside the first, which is kept apart: it also compiles. */
const READINGS = 5;
/** Ours: one that takes longer is stuck. */
const FAILOVER_MS = 10_000;

const SHOWN = [
  ...['/v1/status', '/v1/groups', '/v1/interfaces', '/v1/addresses', '/v1/neighbors'],
  ...['/v1/kstats', '/v1/config', '/metrics'],
];

/** One line of the table. */
export interface Step extends Turns {
  readonly name: string;
  readonly tookMs: number;
  readonly note: string;
}

/** Measures all of it. `open` gets what must be closed. @throws CommandError, WaitedTooLong */
export async function measureControl(open: Closable[]): Promise<Step[]> {
  const field = new ScaleField(PLAN);
  open.push(field);
  const steps: Step[] = [];
  const measure = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    say(name);
    if (steps.length > 0) await field.takeTurns();
    const beganMs = performance.now();
    const result = await work();
    const note = typeof result === 'string' ? result : '';
    const tookMs = performance.now() - beganMs;
    const turns = await field.takeTurns();
    steps.push({ name, tookMs, ...turns, note });
    say(`  ${tookMs.toFixed(0)} ms, longest turn ${turns.processorMs.toFixed(1)} ms of processor`);
  };
  const total = PLAN.groups * PLAN.addresses;
  await field.build();
  await measure('start, until the socket answers', () => field.start());
  await measure('until all addresses are up', () => field.waitForAddresses(total));
  await measure('neighbours learnt', () => field.raiseNeighbors());
  for (const path of SHOWN) {
    await measure(`${path}, first`, () => size(field, path));
    await measure(`${path}, ${READINGS} more`, async () => {
      for (let i = 0; i < READINGS; i++) await size(field, path);
    });
  }
  await measure('reload, nothing changed', () => reload(field));
  const exchange = (isExchanged: (group: number, at: number) => boolean): void =>
    field.rewrite((group) => ({
      addresses: Array.from({ length: PLAN.addresses }, (_, at) =>
        dataAddress(group, isExchanged(group, at) ? PLAN.addresses + at : at),
      ),
    }));
  exchange((group, at) => group === 0 && at === 0);
  await measure('reload, one address exchanged', () => reload(field));
  exchange(() => true);
  await measure('reload, all addresses exchanged', () => reload(field));
  await measure('until all addresses are up again', () => field.waitForAddresses(total));
  await measure('failover of one NIC', () => failover(field));
  const beganMs = performance.now();
  const note = `exit status ${await field.stop()}`;
  const tookMs = performance.now() - beganMs;
  steps.push({ name: 'stop', tookMs, processorMs: Number.NaN, wallMs: Number.NaN, note });
  return steps;
}

async function size(field: ScaleField, path: string): Promise<string> {
  const text = await getText(field.daemon.socket, path);
  return `${Math.ceil(text.length / 1024)} KiB`;
}

async function reload(field: ScaleField): Promise<string> {
  const client = new ControlClient(field.daemon.socket);
  const reply = await client.request('POST', '/v1/reload');
  const { changes, problems } = reply as { changes: string[]; problems: string[] };
  return `${changes.length} changes, ${problems.length} problems`;
}

async function failover(field: ScaleField): Promise<string> {
  await field.workspace.ip('lan', ['link set p0 down']);
  const before = await field.daemon.addresses();
  await until('nothing is bound to net0', FAILOVER_MS, async () => {
    const rows = await field.daemon.addresses();
    return rows.every(({ inbound }) => inbound !== 'net0' && inbound !== null);
  });
  return `${before.length} addresses`;
}
