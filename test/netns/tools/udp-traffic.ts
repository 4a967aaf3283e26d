/** Sends and receives UDP in the namespaces of a lab, by ordinary sockets. */

import { fileURLToPath } from 'node:url';
import { until } from '../../../src/lab/until.ts';
import type { Workspace } from '../../../src/lab/workspace.ts';
import { forEachLine } from './programs.ts';

const PROGRAM = fileURLToPath(new URL('../programs/udp.js', import.meta.url));

/** Sends `text` once, or once from each of `sourcePorts`. */
export async function udpSend(
  workspace: Workspace,
  role: string,
  datagram: { address: string; port: number; text: string; sourcePorts?: readonly number[] },
): Promise<void> {
  const { address, port, text, sourcePorts = [] } = datagram;
  const words = ['send', address, String(port), text, ...sourcePorts.map(String)];
  await workspace.runIn(role, [process.execPath, PROGRAM, ...words]);
}

/** A listening socket; `lines` grows by `TEXT from ADDRESS`. */
export async function udpListen(
  workspace: Workspace,
  role: string,
  port: number,
  membership: readonly string[] = [],
): Promise<{ lines: string[]; stop: () => Promise<void> }> {
  const words = ['listen', String(port), ...membership];
  const child = workspace.start([process.execPath, PROGRAM, ...words], { role });
  const lines: string[] = [];
  forEachLine(child.stdout, (line) => lines.push(line));
  await until('the socket listens', 10_000, () => lines.includes('listening'));
  lines.length = 0;
  return { lines, stop: () => workspace.stop(child) };
}
