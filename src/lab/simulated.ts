/** The same demonstration in the simulator, for machines that allow no devices. */

import type { Say } from './demonstration.ts';

/** Says first that and why it is simulated. Returns the exit status. */
export async function simulate(why: string, say: Say): Promise<number> {
  say(`SIMULATED: this machine allows no devices here (${why}); the same in virtual time:`);
  const module = new URL('../sim/demonstration.js', import.meta.url).href;
  const { demonstrate } = (await import(module)) as { demonstrate: (say: Say) => boolean };
  return demonstrate(say) ? 0 : 1;
}
