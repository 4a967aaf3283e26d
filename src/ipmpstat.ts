#!/usr/bin/env -S node --inspect-port=0.0.0.1:9229

/** Entry of `ipmpstat`: the process's side of it. What it does is in ctl/solaris/ipmpstat.ts. */

// Node would open a debugger on it (see ipmpd.ts): here it ends the program, as it ends any other.
process.once('SIGUSR1', () => process.kill(process.pid, 'SIGUSR1'));

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

const [{ printable }, { hostNames }, { ipmpstatMain }] = await Promise.all([
  import('./base/text/printable.ts'),
  import('./ctl/solaris/host-names.ts'),
  import('./ctl/solaris/ipmpstat.ts'),
]);
process.exitCode = await ipmpstatMain(process.argv.slice(2), {
  print: (text) => process.stdout.write(text),
  complain: (text) => process.stderr.write(printable(text)),
  windowHeight: () => process.stdout.rows,
  hostNames: (addresses) => hostNames(addresses),
});
