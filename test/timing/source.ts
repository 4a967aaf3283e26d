/** Where traffic of the host comes from: its NIC is the one that a measured cut has to hit. */

import type { TestHost } from '../netns/tools/harness.ts';

/** The address that the host's kernel sends from to `target`. @throws CommandError, if no route */
export async function sourceTo(host: TestHost, target: string): Promise<string> {
  const rows = (await host.ipJson('host', ['route', 'get', target])) as { prefsrc: string }[];
  const [route] = rows;
  if (route === undefined) throw new Error(`no route to ${target}`);
  return route.prefsrc;
}
