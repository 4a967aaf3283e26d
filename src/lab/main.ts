/** `ipmpadm lab run | up | down`: the lab as a command. `npm start` is `lab run`. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../base/errors.ts';
import { environment } from './command.ts';
import { demonstrate, type Lab, raiseLab, type Say, stopDaemon } from './demonstration.ts';
import { findGround, INSIDE, userNamespaceCommand } from './ground.ts';
import { keep, leaveUp, lowerLabs } from './keep.ts';
import { EventHistory } from './live/history.ts';
import { showLive } from './live/live.ts';
import { whyNoRawSocket } from './measure/echo-socket.ts';
import { removeLeftovers } from './owner.ts';
import { Workspace } from './workspace.ts';

const USAGE = `usage: ipmpadm lab run [--once] | up | down
  run   build the lab, show traffic, a failover and the repair; on a terminal stay until Ctrl-C
  up    build the lab and leave it running
  down  remove the lab that 'up' has left running
`;

/** Exit status of a process that SIGINT ended, as shells have it. */
const INTERRUPTED = 130;
/** Ours: how long the summary stays before the live view takes the screen. */
const READING_MS = 4000;

const say: Say = (line) => {
  process.stdout.write(`${line}\n`);
};

/** The command; `argv` without the word `lab`. Returns the exit status (0, 1, 2, 130). */
export async function labMain(argv: readonly string[]): Promise<number> {
  const [verb = 'run', ...options] = argv;
  const unknown = options.filter((option) => option !== '--once' || verb !== 'run');
  if (!['run', 'up', 'down', 'keep'].includes(verb) || unknown.length > 0) {
    process.stderr.write(USAGE);
    return 2;
  }
  if (verb === 'down') return await lowerLabs(say);
  const ground = await findGround();
  if (verb === 'up') return await leaveUp(ground, say);
  if (ground.kind === 'none') return await simulate(`no lab can be built here (${ground.why})`);
  const lacking = verb === 'run' ? await whyNoRawSocket() : undefined;
  if (lacking !== undefined) return await simulate(lacking);
  if (ground.kind === 'user-namespace') return await runInUserNamespace(argv);
  return await own(async (workspace) => {
    for (const name of await removeLeftovers()) say(`removed what a killed run has left: ${name}`);
    const lab = await raiseLab(workspace, ground.wiring, say);
    if (verb === 'keep') return await keep(lab);
    return await runLab(lab, options.includes('--once') || !isOnTerminal());
  });
}

/** Shows the same in the simulator, and why. Returns the exit status. */
async function simulate(why: string): Promise<number> {
  say(`SIMULATED: ${why}; the same in virtual time:`);
  // The simulator brings the whole system with it: loaded only where it is needed.
  const { demonstrate: demonstrateSimulated } = await import('../sim/demonstration.ts');
  return demonstrateSimulated(say) ? 0 : 1;
}

function isOnTerminal(): boolean {
  return process.stdout.isTTY === true && process.stdin.isTTY === true;
}

async function runLab(lab: Lab, isOnce: boolean): Promise<number> {
  const history = isOnce ? undefined : new EventHistory(lab.daemon.socket);
  try {
    const wasRight = await demonstrate(lab, say);
    if (history !== undefined) await stay(lab, history);
    const isPutBack = await stopDaemon(lab, say);
    return wasRight && isPutBack ? 0 : 1;
  } finally {
    history?.stop();
  }
}

/** The summary for a while, then the live view until it is left. */
async function stay(lab: Lab, history: EventHistory): Promise<void> {
  const isOver = (): boolean => lab.workspace.isClosed;
  say('');
  say(`the live view follows in ${READING_MS / 1000} s; q leaves it, ? explains it`);
  const goOnAt = performance.now() + READING_MS;
  while (performance.now() < goOnAt && !isOver()) await sleep(50);
  await showLive(lab, { history, hints: hintsFor(lab), say, isOver });
}

/** How a lab is used from another terminal. */
function hintsFor({ workspace, daemon }: Lab): string[] {
  const enter = `nsenter -U -m -n --preserve-credentials -t ${process.pid} bash`;
  const isInside = process.env[INSIDE] !== undefined;
  return [
    ...(isInside ? [`${enter}    # first`] : []),
    `ip netns exec ${workspace.namespaceOf('host')} bash`,
    `ipmpadm --socket ${daemon.socket} status`,
    `ip -n ${workspace.namespaceOf('swA')} link set p0 down    # cuts eth0`,
  ];
}

/** Runs the same command as root of a user namespace of its own. */
async function runInUserNamespace(argv: readonly string[]): Promise<number> {
  say('without root: the lab runs in a user namespace, its NICs as TAPs in bridges');
  const [program = '', ...args] = userNamespaceCommand(argv);
  const child = spawn(program, args, { stdio: 'inherit', env: environment({ [INSIDE]: '1' }) });
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  // The terminal sends its signals to both of us; the one inside ends the lab, we wait for it.
  const pass = (name: NodeJS.Signals): void => {
    if (name !== 'SIGINT' || !isOnTerminal()) child.kill(name);
  };
  for (const name of names) process.on(name, pass);
  const [status] = (await once(child, 'exit')) as [number | null];
  for (const name of names) process.off(name, pass);
  return status ?? 1;
}

/**
 * Runs `body` with a workspace that is removed whatever happens: signals, and a reader of our
 * output that closes (`| head`, a terminal that is closed), included.
 */
async function own(body: (workspace: Workspace) => Promise<number>): Promise<number> {
  let workspace: Workspace | undefined;
  let wasInterrupted = false;
  const stop = (): void => {
    wasInterrupted = true;
    void workspace?.close();
  };
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of names) process.on(name, stop);
  process.stdout.on('error', stop);
  // After the signals are taken: it makes a folder.
  workspace = new Workspace();
  try {
    const status = await body(workspace);
    return wasInterrupted ? INTERRUPTED : status;
  } catch (error) {
    if (wasInterrupted) return INTERRUPTED;
    say(`the lab failed: ${messageOf(error)}`);
    return 1;
  } finally {
    await workspace.close();
    for (const name of names) process.off(name, stop);
  }
}
