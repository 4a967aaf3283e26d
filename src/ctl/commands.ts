/**
 * The commands of `ipmpadm`, as one table: usage, abbreviation, completion and dispatch are made
 * from it.
 *
 * The grammar is iproute2's: options, then an object, then a verb, then its parameters. Objects
 * and verbs may be shortened while that is unambiguous; `help` works wherever a word may stand.
 */

/** Everything that `ipmpadm` can do, by object and verb. */
export type CommandName =
  | 'status'
  | 'group show'
  | 'group delete'
  | 'group add'
  | 'group remove'
  | 'interface show'
  | 'address show'
  | 'neighbor show'
  | 'kstat'
  | 'monitor'
  | 'config check'
  | 'lab run'
  | 'lab up'
  | 'lab down';

export interface Command {
  readonly name: CommandName;
  readonly object: string;
  /** Empty if the object stands alone (`status`). */
  readonly verb: string;
  /** As usage shows them. */
  readonly parameters: string;
  readonly least: number;
  readonly most: number;
  /** Options of this command alone, with their minus signs. */
  readonly flags: readonly string[];
  readonly summary: string;
}

function command(
  name: CommandName,
  parameters: string,
  counts: readonly [number, number],
  summary: string,
  flags: readonly string[] = [],
): Command {
  const [object = '', verb = ''] = name.split(' ');
  return { name, object, verb, parameters, least: counts[0], most: counts[1], flags, summary };
}

/** Members of a group at most, and parameters handed on unseen (to the lab). */
const ANY_NUMBER = 64;

export const COMMANDS: readonly Command[] = [
  command('status', '[--check]', [0, 0], 'one line a group; --check: exit 4 degraded, 5 failed', [
    '--check',
  ]),
  command('group show', '[NAME]', [0, 1], 'groups, their state and members'),
  command('group delete', 'NAME', [1, 1], 'delete an empty group'),
  command('group add', 'NAME IF…', [2, ANY_NUMBER], 'make interfaces members of a group'),
  command('group remove', 'NAME IF…', [2, ANY_NUMBER], 'take interfaces out of a group'),
  command('interface show', '[NAME]', [0, 1], 'interfaces, their state and why'),
  command('address show', '[dev NAME]', [0, 2], 'data and test addresses and where they are bound'),
  command('neighbor show', '[dev NAME]', [0, 2], 'the neighbour cache'),
  command(
    'kstat',
    '[-p] [module:instance:name:statistic]',
    [0, 1],
    'statistics; globs allowed; -p: one a line',
    ['-p'],
  ),
  command('monitor', '', [0, 0], 'every event as it happens, until interrupted'),
  command('config check', 'FILE', [1, 1], 'check a configuration file'),
  command('lab run', '[--once]', [0, ANY_NUMBER], 'build the lab and show a failover (npm start)'),
  command('lab up', '', [0, ANY_NUMBER], 'build the lab and leave it up'),
  command('lab down', '', [0, ANY_NUMBER], 'take the lab down'),
];

/** One global option. */
export interface OptionDescription {
  readonly key: OptionKey;
  /** The long name, without minus signs. */
  readonly name: string;
  /** The shortest form that stands for it. */
  readonly shortest: string;
  /** The name of its value, if it has one. */
  readonly value?: string;
  readonly summary: string;
}

export type OptionKey =
  | 'json'
  | 'pretty'
  | 'details'
  | 'statistics'
  | 'oneline'
  | 'brief'
  | 'timestamp'
  | 'socket'
  | 'version'
  | 'help';

export const OPTIONS: readonly OptionDescription[] = [
  { key: 'json', name: 'json', shortest: 'j', summary: 'JSON' },
  { key: 'pretty', name: 'pretty', shortest: 'p', summary: 'JSON over several lines' },
  { key: 'details', name: 'details', shortest: 'd', summary: 'everything that is known' },
  { key: 'statistics', name: 'statistics', shortest: 's', summary: 'with statistics' },
  { key: 'oneline', name: 'oneline', shortest: 'o', summary: 'one line for each row' },
  { key: 'brief', name: 'brief', shortest: 'br', summary: 'a short table' },
  { key: 'timestamp', name: 'timestamp', shortest: 't', summary: 'times in monitor' },
  { key: 'socket', name: 'socket', shortest: 'socket', value: 'PATH', summary: 'control socket' },
  { key: 'version', name: 'Version', shortest: 'V', summary: 'version of ipmpadm' },
  { key: 'help', name: 'help', shortest: 'h', summary: 'this text' },
];

/** The objects in table order, each once. */
export function objectNames(): string[] {
  return [...new Set(COMMANDS.map((entry) => entry.object))];
}

/** How to use `ipmpadm`, or one of its objects, or one command. */
export function usageText(object?: string, verb?: string): string {
  const rows = COMMANDS.filter(
    (entry) =>
      (object === undefined || entry.object === object) &&
      (verb === undefined || entry.verb === verb),
  );
  const width = Math.max(...rows.map((row) => commandForm(row).length));
  const lines = rows.map((row) => `  ${commandForm(row).padEnd(width)}  ${row.summary}`);
  const usage = ['Usage: ipmpadm [OPTIONS] OBJECT [VERB] [PARAMETERS]', '', ...lines];
  if (object === undefined) usage.push('', 'OPTIONS', ...optionLines());
  return `${usage.join('\n')}\n`;
}

function commandForm(entry: Command): string {
  return [entry.object, entry.verb, entry.parameters].filter((word) => word !== '').join(' ');
}

function optionLines(): string[] {
  const forms = OPTIONS.map((option) => {
    const shortest = option.shortest === option.name ? '' : `-${option.shortest}, `;
    return `${shortest}--${option.name.toLowerCase()}${option.value ? ` ${option.value}` : ''}`;
  });
  const width = Math.max(...forms.map((form) => form.length));
  return OPTIONS.map((option, at) => `  ${(forms[at] ?? '').padEnd(width)}  ${option.summary}`);
}
