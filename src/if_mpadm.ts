#!/usr/bin/env -S node --inspect-port=0.0.0.1:9229

/** Entry of `if_mpadm`: the process's side of it. What it does is in ctl/solaris/if-mpadm.ts. */

// Node would open a debugger on it (see ipmpd.ts): here it ends the program, as it ends any other.
process.once('SIGUSR1', () => process.kill(process.pid, 'SIGUSR1'));

const [{ printable }, { ifMpadmMain }] = await Promise.all([
  import('./base/text/printable.ts'),
  import('./ctl/solaris/if-mpadm.ts'),
]);
process.exitCode = await ifMpadmMain(process.argv.slice(2), {
  print: (text) => process.stdout.write(text),
  complain: (text) => process.stderr.write(printable(text)),
});
