#!/usr/bin/env node

/** Entry of the control CLI: the process's side of it. What it does is in ctl/main.ts. */

import { configErrorFormat } from './config/document.ts';
import { loadConfig } from './config.ts';
import { ipmpadmMain } from './ctl/main.ts';
import { VERSION } from './host/version.ts';

const DEFAULT_SOCKET = '/run/ipmpd/ipmpd.sock';
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode = await ipmpadmMain(process.argv.slice(2), {
  version: VERSION,
  defaultSocket: DEFAULT_SOCKET,
  isColorful: process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb',
  print: (text) => process.stdout.write(text),
  complain: (text) => process.stderr.write(text),
  checkConfig: async (file) => {
    const result = loadConfig(file);
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
