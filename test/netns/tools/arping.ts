/** ARP requests by arping; a file apart, since a test that runs it needs the program. */

import type { TestHost } from './harness.ts';

/** Sends ARP requests for `address` from a gateway; returns what arping printed. */
export async function arping(host: TestHost, address: string, count = 1): Promise<string> {
  const argv = ['arping', '-c', String(count), '-W', '0.1', '-i', 'eth0', address];
  return await host.attempt('gw', argv);
}
