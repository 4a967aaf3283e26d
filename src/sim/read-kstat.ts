/** What a reader of one kstat does: it looks the name up, and reads what it found. */

import { OperatorError } from '../base/errors.ts';
import type { Operation } from '../base/operation.ts';
import type { KstatChain, KstatReading } from '../stats/kstat.ts';

/** Reads `module:0:name`. ENOENT if it is gone; ends with data otherwise, however late. */
export function* readKstat(
  chain: KstatChain,
  module: string,
  name: string,
): Operation<KstatReading> {
  const kstat = chain.lookup(module, 0, name);
  if (kstat === undefined) throw new OperatorError('ENOENT', `there is no ${module}:0:${name}`);
  return yield* kstat.read();
}
