#!/usr/bin/env node

/** Entry of `if_mpadm`: the process's side of it. What it does is in ctl/if-mpadm.ts. */

import { ifMpadmMain } from './ctl/if-mpadm.ts';

process.exitCode = await ifMpadmMain(process.argv.slice(2), {
  print: (text) => process.stdout.write(text),
  complain: (text) => process.stderr.write(text),
});
