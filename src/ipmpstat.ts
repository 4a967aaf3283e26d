#!/usr/bin/env node

/** Entry of `ipmpstat`: the process's side of it. What it does is in ctl/ipmpstat.ts. */

import { hostNames } from './ctl/host-names.ts';
import { ipmpstatMain } from './ctl/ipmpstat.ts';

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode = await ipmpstatMain(process.argv.slice(2), {
  print: (text) => process.stdout.write(text),
  complain: (text) => process.stderr.write(text),
  windowHeight: () => process.stdout.rows,
  hostNames: (addresses) => hostNames(addresses),
});
