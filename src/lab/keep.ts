/** A lab that stays: `lab up` leaves a keeper process behind, `lab down` ends it. */

import { spawn } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRecord } from '../base/keys.ts';
import { environment } from './command.ts';
import type { Lab, Say } from './demonstration.ts';
import { ENTRY, type Ground, INSIDE, userNamespaceCommand } from './ground.ts';
import { ownerOf, signal } from './owner.ts';
import { until } from './until.ts';

/** In a lab's folder: how to use the lab, and the sign that a keeper holds it. */
const KEPT = 'kept.txt';

/** Ours: longer than the slowest start, and than an orderly stop with all its patience. */
const UP_MS = 60_000;
const DOWN_MS = 30_000;

/** In the keeper: prints how to use the lab, then waits for a signal. Returns the exit status. */
export async function keep({ workspace, daemon }: Lab): Promise<number> {
  const text = [
    `the lab is up: namespaces ${workspace.name}-host, -swA, -swB, -gw`,
    `a shell in the host:  ip netns exec ${workspace.namespaceOf('host')} bash`,
    `the control socket:   ipmpadm --socket ${daemon.socket} status`,
    `cut the first NIC:    ip -n ${workspace.namespaceOf('swA')} link set p0 down`,
    'remove the lab:       ipmpadm lab down',
  ].join('\n');
  writeFileSync(join(workspace.folder, KEPT), `${text}\n`);
  process.send?.({ kind: 'ready', text });
  if (process.connected) process.disconnect();
  const exit = await daemon.ended;
  return workspace.isClosed ? 0 : Number(exit) || 1;
}

/** Starts a keeper and waits until its lab works. Returns the exit status. */
export async function leaveUp(ground: Ground, say: Say): Promise<number> {
  if (ground.kind === 'none') {
    process.stderr.write(`ipmpadm: no lab is possible here: ${ground.why}\n`);
    return 1;
  }
  const isInside = ground.kind === 'user-namespace';
  const command = isInside ? userNamespaceCommand(['keep']) : [process.execPath, ENTRY, 'keep'];
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: environment(isInside ? { [INSIDE]: '1' } : {}),
  });
  const outcome = await new Promise<string | number | null>((resolve) => {
    const patience = setTimeout(() => resolve(null), UP_MS);
    const settle = (value: string | number | null): void => {
      clearTimeout(patience);
      resolve(value);
    };
    child.once('message', (message) => settle(isRecord(message) ? String(message.text) : null));
    child.once('exit', settle);
  });
  if (typeof outcome === 'string') {
    say(outcome);
    child.unref();
    return 0;
  }
  if (outcome === null) child.kill('SIGTERM');
  process.stderr.write(`ipmpadm: the lab did not come up (exit status ${outcome})\n`);
  return 1;
}

/** Ends all keepers of this machine and waits until their labs are gone. */
export async function lowerLabs(say: Say): Promise<number> {
  const kept = readdirSync(tmpdir()).filter(
    (name) => ownerOf(name)?.isAlive && existsSync(join(tmpdir(), name, KEPT)),
  );
  if (kept.length === 0) say('no lab is up');
  for (const name of kept) {
    signal(ownerOf(name)?.pid ?? 0, 'SIGTERM');
    await until(`${name} is removed`, DOWN_MS, () => ownerOf(name)?.isAlive === false);
    say(`removed ${name}`);
  }
  return 0;
}
