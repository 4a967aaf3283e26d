/**
 * `if_mpadm`: takes an interface out of service and back (docs/law.md rows 103 to 105). The daemon
 * does both, its test addresses included; here its refusals become the messages of the original.
 */

import { type ErrorCode, OperatorError } from '../../base/errors.ts';
import { INTERFACE_ROW } from '../../model/rows.ts';

import type { ControlClient } from '../client.ts';
import { FatalError, type Tool, type ToolProcess, toolMain, UsageError } from './tool.ts';

const USAGE = `usage: if_mpadm [--socket PATH] -d IF    take interface IF offline
       if_mpadm [--socket PATH] -r IF    undo that
`;

/** One of the two things that can be done. */
interface Action {
  /** Last part of the path that is asked for. */
  readonly verb: string;
  readonly cannot: string;
  /** What a refusal means; others are shown in the daemon's words. */
  readonly refusals: Partial<Readonly<Record<ErrorCode, string>>>;
}

const ACTIONS: Readonly<Record<string, Action>> = {
  d: {
    verb: 'offline',
    cannot: 'cannot offline',
    refusals: {
      EALREADY: 'already offline',
      EBUSY: 'no other functioning interfaces are in its IPMP group',
      EINVAL: 'not in an IPMP group',
      ENXIO: 'not a physical interface of IPMP',
    },
  },
  r: {
    verb: 'online',
    cannot: 'cannot undo-offline',
    refusals: {
      EADDRINUSE: 'another interface of its IPMP group has the same hardware address',
      EINVAL: 'not offline',
      ENXIO: 'not a physical interface of IPMP',
    },
  },
};

/** Runs `if_mpadm` with `words`, those after its name; the result is the exit status. */
export function ifMpadmMain(words: readonly string[], process: ToolProcess): Promise<number> {
  return toolMain(IF_MPADM, words, process);
}

const IF_MPADM: Tool = {
  name: 'if_mpadm',
  usage: USAGE,
  letters: 'd:r:',
  run: async ({ options, operands }, client) => {
    const [option] = options;
    if (operands.length > 0) throw new UsageError(`"${operands.join(' ')}" is too much`);
    if (options.length > 1) throw new UsageError('one of -d and -r, once');
    const action = ACTIONS[option?.[0] ?? ''];
    if (option === undefined || action === undefined) throw new UsageError('');
    await act(action, option[1], client);
  },
};

/** Names that are no interface of ours are found out before they become part of a path. */
async function act(action: Action, ifname: string, client: ControlClient): Promise<void> {
  const refuse = (why: string): never => {
    throw new FatalError(`${action.cannot} ${ifname}: ${why}`);
  };
  const rows = await client.rows(INTERFACE_ROW, '/v1/interfaces');
  const row = rows.find((one) => one.ifname === ifname);
  if (row === undefined) return refuse('not a physical interface of IPMP');
  if (row.group === null) return refuse('not in an IPMP group');
  try {
    await client.request('POST', `/v1/interfaces/${encodeURIComponent(ifname)}/${action.verb}`);
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    refuse(action.refusals[error.code] ?? error.message);
  }
}
