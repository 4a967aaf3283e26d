/**
 * A terminal that is lost while the process runs must not turn its end into a crash.
 *
 * Node puts the settings of the terminals among its first three descriptors back when it ends, and
 * aborts (SIGABRT) if one of them cannot be set, as one that has hung up cannot. It passes over a
 * descriptor that is another file by then.
 */

import { closeSync, openSync } from 'node:fs';
import { isatty } from 'node:tty';

/** Call it at the start: at the end, what was a terminal and is none any more becomes /dev/null. */
export function surviveLostTerminals(): void {
  const terminals = [0, 1, 2].filter((fd) => isatty(fd));
  if (terminals.length === 0) return;
  process.on('exit', () => {
    for (const fd of terminals.filter((one) => !isatty(one))) {
      closeSync(fd);
      // The lowest number that is free is the one that was closed.
      openSync('/dev/null', 'r+');
    }
  });
}
