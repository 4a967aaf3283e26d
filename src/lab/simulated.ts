/** The same demonstration in the simulator, for machines where the real one cannot be shown. */

import type { Say } from './demonstration.ts';

/** Prints first that and why it is simulated. Returns the exit status. */
export async function simulate(why: string, say: Say): Promise<number> {
  say(`SIMULATED: ${why}; the same in virtual time:`);
  // The simulator brings the whole system with it: loaded only where it is needed.
  const { demonstrate } = await import('../sim/demonstration.ts');
  return demonstrate(say) ? 0 : 1;
}
