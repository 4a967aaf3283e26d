/** The log line about the priority of the workers; native/priority.c has the reasons for it. */

import { native } from '../native/addon.ts';
import type { Log } from '../process/log.ts';

/** One line at the start, whether the workers were raised or not. Neither is a mistake. */
export function logPriority(log: Log, nices: readonly number[]): void {
  const nice = Math.max(...nices);
  const wanted = native.datapathNice;
  if (nice <= wanted) {
    log.info({ event: 'priority', nice, wanted }, `the workers run at nice ${nice}`);
    return;
  }
  log.info(
    { event: 'priority', nice, wanted },
    `the workers run at nice ${nice}: ${wanted} needs Nice=, LimitNICE= or CAP_SYS_NICE`,
  );
}
