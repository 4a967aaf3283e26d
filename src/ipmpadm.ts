#!/usr/bin/env -S node --inspect-port=0.0.0.1:9229

/** Entry of the control CLI: the process's side of it. What it does is in ctl/adm/main.ts. */

// Node would open a debugger on it (see ipmpd.ts): here it ends the program, as it ends any other.
process.once('SIGUSR1', () => process.kill(process.pid, 'SIGUSR1'));

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

const [{ printable }, { ipmpadmMain }, { CONTROL_SOCKET }, { surviveLostTerminals }, { VERSION }] =
  await Promise.all([
    import('./base/text/printable.ts'),
    import('./ctl/adm/main.ts'),
    import('./model/paths.ts'),
    import('./process/terminals.ts'),
    import('./process/version.ts'),
  ]);
surviveLostTerminals();
process.exitCode = await ipmpadmMain(process.argv.slice(2), {
  version: VERSION,
  defaultSocket: CONTROL_SOCKET,
  isColorful: process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb',
  print: (text) => process.stdout.write(text),
  complain: (text) => process.stderr.write(printable(text)),
  checkConfig: async (file) => {
    // Its libraries take as long to load as the whole of any other command takes.
    const [{ configErrorFormat }, { loadConfig }] = await Promise.all([
      import('./config/document.ts'),
      import('./config/load.ts'),
    ]);
    const result = await loadConfig(file);
    return 'errors' in result ? result.errors.map(configErrorFormat) : [];
  },
  lab: async (words) => {
    const { labMain } = await import('./lab/main.ts');
    return await labMain(words);
  },
  interruption: () => {
    const controller = new AbortController();
    for (const signal of SIGNALS) process.once(signal, () => controller.abort());
    return controller.signal;
  },
});
