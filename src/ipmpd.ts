#!/usr/bin/env node
/** Entry of the daemon: arguments, signals, exit status. Everything else begins in daemon.ts. */

import { Command, CommanderError, Option } from 'commander';
import { configErrorFormat } from './config/document.ts';
import { ConfigStore } from './config/store.ts';
import type { LogLevel } from './config/types.ts';
import { CONFIG_FILE } from './config.ts';
import { logViolations } from './daemon/reports.ts';
import { startWorkers } from './daemon/workers.ts';
import { createLog } from './host/log.ts';
import { ServiceManager } from './host/service-manager.ts';
import { VERSION } from './host/version.ts';

/** Exit statuses (contract 2). */
const DONE = 0;
const FAILED = 1;
const USAGE = 2;

const LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

interface Options {
  readonly config?: string;
  readonly check?: boolean;
  readonly socket?: string;
  readonly logLevel?: LogLevel;
}

function parseArguments(argv: readonly string[]): Options {
  const command = new Command('ipmpd')
    .description('IP multipathing daemon')
    .option('--config <file>', `configuration (default: ${CONFIG_FILE}, and its drop-ins)`)
    .option('--check', 'validate the configuration and exit')
    .option('--socket <path>', 'control socket, instead of the configured one')
    .addOption(new Option('--log-level <level>', 'least severe level logged').choices([...LEVELS]))
    .version(VERSION, '--version')
    .allowExcessArguments(false)
    .exitOverride();
  return command.parse(argv).opts<Options>();
}

/** The configuration with the command line laid over it; undefined after saying what is wrong. */
function openConfig({ config, socket, logLevel }: Options): ConfigStore | undefined {
  const given = {
    ...(socket === undefined ? {} : { control: { socket } }),
    ...(logLevel === undefined ? {} : { log: { level: logLevel } }),
  };
  const store = ConfigStore.open(
    config ?? CONFIG_FILE,
    Object.keys(given).length > 0 ? given : null,
  );
  if (store instanceof ConfigStore) return store;
  for (const error of store.errors) process.stderr.write(`${configErrorFormat(error)}\n`);
  return undefined;
}

/** Runs until a signal or a failure ends it; returns the exit status. */
async function run(store: ConfigStore): Promise<number> {
  // They start on other processors while this one loads the rest of the daemon.
  const workers = startWorkers(store.config.datapath);
  const [log, { Daemon }] = await Promise.all([
    createLog(store.config.log.level),
    import('./daemon.ts'),
  ]);
  let end: (status: number) => void = () => undefined;
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });
  // With IPMPD_WITNESS=fatal, as in our labs, what the witness finds ends the daemon.
  if (process.env.IPMPD_WITNESS !== 'fatal') logViolations(log);
  const manager = new ServiceManager(process.env, process.pid, log);
  const daemon = new Daemon(store, workers, log, manager, (error) => {
    log.fatal({ event: 'daemon-failed', err: error }, 'the daemon cannot go on');
    end(FAILED);
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      log.info({ event: 'signal', signal }, `${signal}: stopping`);
      end(DONE);
    });
  }
  process.on('SIGUSR1', () => void daemon.dump());
  process.on('SIGHUP', () => void daemon.reload());
  daemon.start().catch((error: unknown) => {
    log.fatal({ event: 'start-failed', err: error }, `cannot start: ${String(error)}`);
    end(FAILED);
  });
  const status = await ended;
  await daemon.stop();
  return status;
}

async function main(argv: readonly string[]): Promise<number> {
  let options: Options;
  try {
    options = parseArguments(argv);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : USAGE;
    throw error;
  }
  const store = openConfig(options);
  if (store === undefined) return USAGE;
  return options.check === true ? DONE : await run(store);
}

process.exitCode = await main(process.argv);
