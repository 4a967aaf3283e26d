#!/usr/bin/env -S node --inspect-port=0.0.0.1:9229
/**
 * Entry of the daemon: takes the signals, then loads everything else (daemon/process.ts). What is
 * imported in the usual way would be evaluated before the first line of this file.
 *
 * Until a program takes SIGUSR1, Node opens a debugger on it, as root and for every user of the
 * machine; and some ten milliseconds pass before the first line of any program. So the first line
 * gives the debugger an address that no host has: it cannot be opened.
 */

/** What came before the daemon could act on it. */
const early: NodeJS.Signals[] = [];
let handle = (signal: NodeJS.Signals): void => void early.push(signal);
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1'] as const) {
  process.on(signal, () => handle(signal));
}

const { daemonMain } = await import('./daemon/process.ts');
process.exitCode = await daemonMain(process.argv, (handler) => {
  handle = handler;
  for (const signal of early.splice(0)) handler(signal);
});
