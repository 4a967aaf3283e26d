/** The daemon as a process: arguments, signals, exit status. The rest begins in daemon.ts. */

import { Command, CommanderError, Option } from 'commander';
import { OperatorError } from '../base/errors.ts';
import { configErrorFormat } from '../config/document.ts';
import { ConfigStore } from '../config/store.ts';
import type { LogLevel } from '../config/types.ts';
import { CONFIG_FILE } from '../model/paths.ts';
import { native } from '../native/addon.ts';
import { watchFiles } from '../process/file-watch.ts';
import { createLog, type Log } from '../process/log.ts';
import { ServiceManager } from '../process/service-manager.ts';
import { surviveLostTerminals } from '../process/terminals.ts';
import { VERSION } from '../process/version.ts';
import { logViolations } from './reports.ts';
import { startWorkers } from './workers.ts';

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
async function openConfig(options: Options): Promise<ConfigStore | undefined> {
  const { config, socket, logLevel } = options;
  const given = {
    ...(socket === undefined ? {} : { control: { socket } }),
    ...(logLevel === undefined ? {} : { log: { level: logLevel } }),
  };
  const store = await ConfigStore.open(
    config ?? CONFIG_FILE,
    Object.keys(given).length > 0 ? given : null,
  );
  if (store instanceof ConfigStore) return store;
  const errors = store.errors.map(configErrorFormat);
  for (const error of errors) process.stderr.write(`${error}\n`);
  if (options.check !== true && !process.stdout.isTTY) await logRefusedConfig(errors);
  return undefined;
}

/** Writes the errors to the log as well: a log collector does not see stderr. */
async function logRefusedConfig(errors: readonly string[]): Promise<void> {
  const log = await createLog('fatal');
  const [first = '', ...rest] = errors;
  const more = rest.length > 0 ? ` and ${rest.length} more` : '';
  const fields = { event: 'start-failed', code: 'EINVAL', errors };
  log.fatal(fields, `cannot start: ${first}${more}`);
}

/** Calls `handler` with each signal from now on, and with those that came before. */
type TakeSignals = (handler: (signal: NodeJS.Signals) => void) => void;

/** Runs until a signal or a failure ends it; returns the exit status. */
async function run(store: ConfigStore, takeSignals: TakeSignals): Promise<number> {
  surviveLostTerminals();
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
  if (process.env.IPMPD_WITNESS === 'fatal') watchFiles();
  else logViolations(log);
  const manager = new ServiceManager(process.env, process.pid, log);
  const daemon = new Daemon(store, workers, log, manager, (error) => {
    log.fatal({ event: 'daemon-failed', err: error }, 'the daemon cannot go on');
    end(FAILED);
  });
  daemon.start().catch((error: unknown) => {
    logFailedStart(log, error);
    end(FAILED);
  });
  // After the start has begun, since a reload waits for its end.
  takeSignals((signal) => {
    if (signal === 'SIGUSR1') void daemon.dump();
    else if (signal === 'SIGHUP') void daemon.reload();
    else {
      log.info({ event: 'signal', signal }, `${signal}: stopping`);
      end(DONE);
    }
  });
  const status = await ended;
  await daemon.stop();
  // A driver that has not answered so far is not waited for.
  native.laterAbandon();
  return status;
}

/** A refusal is one sentence; where it was found out helps with our own mistakes alone. */
function logFailedStart(log: Log, error: unknown): void {
  const event = 'start-failed';
  if (error instanceof OperatorError) {
    const { code, hint, message } = error;
    log.fatal({ event, code, hint }, `cannot start: ${message} (${code})`);
  } else log.fatal({ event, err: error }, `cannot start: ${String(error)}`);
}

/** Runs `ipmpd` with the words of its command line; the result is the exit status. */
export async function daemonMain(
  argv: readonly string[],
  takeSignals: TakeSignals,
): Promise<number> {
  let options: Options;
  try {
    options = parseArguments(argv);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : USAGE;
    throw error;
  }
  const store = await openConfig(options);
  if (store === undefined) return USAGE;
  return options.check === true ? DONE : await run(store, takeSignals);
}
