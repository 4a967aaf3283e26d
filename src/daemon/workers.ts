/**
 * The datapath's workers, started before anything else: a thread takes as long to begin as the
 * daemon's other modules take to load, and does so on another processor.
 */

import type { Config } from '../config/types.ts';
import { DatapathPool } from '../datapath/pool.ts';
import { workersForMachine } from './machine.ts';

/** Workers that are starting. The caller awaits `ready` and stops the pool. */
export interface Workers {
  readonly pool: DatapathPool;
  /** How many there are: as many as a device has queues. */
  readonly count: number;
  /** Resolves when all are in their loops; fails if one cannot start. */
  readonly ready: Promise<void>;
}

/**
 * Starts as many workers as `datapath` sets. One that dies before a daemon has the pool ends
 * the process: nothing was changed by then.
 */
export function startWorkers({ workers }: Config['datapath']): Workers {
  const count = workers === 'auto' ? workersForMachine() : workers;
  const pool = new DatapathPool({ workers: count });
  const ready = pool.start();
  // The daemon awaits it later; until then a failure is not unhandled.
  ready.catch(() => undefined);
  return { pool, count, ready };
}
