/**
 * The raw socket of the prober, from the package raw-socket. The package has to be compiled, and
 * only the lab and the tests use it: an installed daemon goes without it.
 */

import type * as raw from 'raw-socket';
import { messageOf } from '../../base/errors.ts';

/** Loads the package. @throws Error with one sentence: what is missing and what to do */
export async function loadRawSocket(): Promise<typeof raw> {
  try {
    // A package of CommonJS: what it exports by name is not known before it has run.
    const { default: loaded } = await import('raw-socket');
    return loaded;
  } catch (error) {
    const [why = ''] = messageOf(error).split('\n');
    throw new Error(
      'the package raw-socket, which sends the echo requests, is missing or not compiled ' +
        `(npm start in a checkout does it): ${why}`,
    );
  }
}

/** Why no echo requests can be measured here; undefined: they can. */
export async function whyNoRawSocket(): Promise<string | undefined> {
  try {
    await loadRawSocket();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
