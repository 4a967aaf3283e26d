/**
 * `ipmpadm`: words in, an exit status out. Wrong words are refused without a connection;
 * everything else is a request to the daemon, its reply shown as text or JSON.
 *
 * Exit status (contract 4): 0 done, 1 refused or failed, 2 usage, 3 daemon not reachable; `status
 * --check` adds 4 degraded and 5 failed.
 */
import { OperatorError } from '../../base/errors.ts';
import { ControlClient, UnreachableError } from '../client.ts';
import { change, checkConfig, reload } from './changing.ts';
import type { Action } from './command.ts';
import {
  type Call,
  type CommandLine,
  complain,
  EXIT_DONE,
  EXIT_REFUSED,
  EXIT_UNREACHABLE,
  EXIT_USAGE,
  isJson,
  paintFor,
} from './command-line.ts';
import { type ParsedCommand, parseArguments } from './parse.ts';
import { monitor, showConfig, showKstats, showRows, showStatus } from './show.ts';

const HANDLERS: Readonly<Record<Action, (call: Call) => Promise<number>>> = {
  show: showRows,
  status: showStatus,
  kstat: showKstats,
  config: showConfig,
  change,
  reload,
  check: checkConfig,
  monitor,
  lab: ({ line, command, words }) => line.lab([command.verb, ...words]),
};

/**
 * Runs the command that `words` (those after the program's name) ask for; the result is the exit
 * status.
 */
export async function ipmpadmMain(words: readonly string[], line: CommandLine): Promise<number> {
  const parsed = parseArguments(words);
  switch (parsed.kind) {
    case 'help':
      line.print(parsed.text);
      return EXIT_DONE;
    case 'version':
      line.print(`ipmpadm ${line.version}\n`);
      return EXIT_DONE;
    case 'wrong': {
      const { json, message, hint } = parsed;
      complain(line, json, { code: 'EINVAL', message, hint, withCode: false });
      return EXIT_USAGE;
    }
    default:
      return await run(parsed, line);
  }
}

async function run(parsed: ParsedCommand, line: CommandLine): Promise<number> {
  const client = new ControlClient(parsed.options.socket ?? line.defaultSocket);
  const call: Call = { ...parsed, line, client, paint: paintFor(line, parsed.options) };
  try {
    return await HANDLERS[parsed.command.action](call);
  } catch (error) {
    if (error instanceof UnreachableError) {
      const { message, hint } = error;
      complain(line, isJson(call), { code: 'ECONNREFUSED', message, hint, withCode: false });
      return EXIT_UNREACHABLE;
    }
    if (!(error instanceof OperatorError)) throw error;
    const { code, message, hint } = error;
    complain(line, isJson(call), { code, message, hint, withCode: true });
    return EXIT_REFUSED;
  }
}
