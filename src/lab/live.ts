/** The live view of a lab on a terminal, until Ctrl-C: tables, and keys that cut and repair. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab, Say } from './demonstration.ts';

const REFRESH_MS = 1000;
const CLEAR = '\x1b[H\x1b[2J';
const CTRL_C = '\x03';

/** Shows the lab until Ctrl-C, `q`, or until `isOver()`. */
export async function showLive(lab: Lab, say: Say, isOver: () => boolean): Promise<void> {
  const cut = new Set<string>();
  let quit = false;
  const onKey = (key: Buffer): void => {
    const text = key.toString();
    if (text === CTRL_C || text === 'q') quit = true;
    const uplink = lab.topology.uplinks[Number(text) - 1];
    if (uplink !== undefined) void toggle(lab, cut, uplink, say);
  };
  process.stdin.setRawMode?.(true);
  process.stdin.on('data', onKey);
  try {
    while (!quit && !isOver()) {
      await draw(lab, cut, say);
      for (let waited = 0; waited < REFRESH_MS && !quit; waited += 50) await sleep(50);
    }
  } finally {
    process.stdin.off('data', onKey);
    process.stdin.setRawMode?.(false);
    process.stdin.pause();
  }
}

async function toggle(lab: Lab, cut: Set<string>, uplink: string, say: Say): Promise<void> {
  const isCut = cut.has(uplink);
  if (isCut) cut.delete(uplink);
  else cut.add(uplink);
  try {
    await (isCut ? lab.topology.repair(uplink) : lab.topology.cut(uplink));
  } catch (error) {
    say(`${uplink}: ${(error as Error).message}`);
  }
}

async function draw({ daemon, topology, workspace }: Lab, cut: Set<string>, say: Say) {
  const tables = [];
  for (const object of ['group', 'interface', 'address', 'neighbor']) {
    const { stdout, stderr } = await daemon.ipmpadm([object, 'show']);
    tables.push(`# ipmpadm ${object} show\n${(stdout + stderr).trimEnd()}`);
  }
  const keys = topology.uplinks.map(
    (uplink, index) => `${index + 1} ${cut.has(uplink) ? 'repairs' : 'cuts'} ${uplink}`,
  );
  say(`${CLEAR}${tables.join('\n\n')}\n`);
  say(`keys: ${keys.join(', ')}, Ctrl-C ends`);
  say(`a shell in the host: ip netns exec ${workspace.namespaceOf('host')} bash`);
  say(`the control socket:  ipmpadm --socket ${daemon.socket} …`);
}
