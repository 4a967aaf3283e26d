/** How to use `ipmpadm`, one of its objects, or one command: text made from the table. */
import { type Command, type Parameter, roleOf } from './command.ts';
import { COMMANDS } from './commands.ts';
import { OPTIONS, optionForm } from './options.ts';

/** Widest form of a command that has its summary beside it and not below. */
const FORM_WIDTH = 46;

/** `[dev NAME]`, `IF…`, `[-i IF]…`, `[--check]` */
export function parameterForm({ keyword, value, least, most }: Parameter): string {
  const inner = [keyword, value].filter((part) => part !== '').join(' ');
  return `${least === 0 ? `[${inner}]` : inner}${most > 1 ? '…' : ''}`;
}

/** The parameters as usage shows them; those that exclude each other share their brackets. */
export function parametersForm({ parameters }: Command): string {
  const forms = parameters.flatMap((parameter, at) => {
    const other = parameters.find(({ keyword }) => keyword === parameter.excludes);
    if (other === undefined) return [parameterForm(parameter)];
    if (parameters.indexOf(other) < at) return [];
    return [`${parameterForm(parameter).slice(0, -1)} | ${parameterForm(other).slice(1)}`];
  });
  return forms.join(' ');
}

/** `address add ADDR/LEN dev GROUP [--save]` */
export function commandForm(command: Command): string {
  return `${command.name} ${parametersForm(command)}`.trimEnd();
}

const HEAD = 'Usage: ipmpadm [OPTIONS] OBJECT [VERB] [PARAMETERS]';

/** All of it; or the commands of one object; or one command in full. */
export function usageText(object?: string, verb?: string): string {
  if (object === undefined) {
    const options = columns(OPTIONS.map((option) => [optionForm(option), option.summary]));
    const tail = ['ipmpadm OBJECT help, ipmpadm OBJECT VERB help: more about them'];
    return ended([HEAD, '', ...commandLines(COMMANDS), '', 'OPTIONS', ...options, '', ...tail]);
  }
  const rows = COMMANDS.filter((entry) => entry.object === object);
  const command = rows.find((entry) => entry.verb === verb);
  if (verb === undefined || command === undefined) return ended([HEAD, '', ...commandLines(rows)]);
  return ended(commandText(command));
}

function ended(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}

function commandLines(commands: readonly Command[]): string[] {
  return columns(commands.map((command) => [commandForm(command), command.summary]));
}

/** Two columns; what is too wide for the first stands on a line of its own. */
function columns(rows: readonly (readonly [string, string])[]): string[] {
  const widths = rows.map(([form]) => form.length).filter((width) => width <= FORM_WIDTH);
  const width = Math.max(0, ...widths);
  return rows.flatMap(([form, summary]) =>
    form.length <= width
      ? [`  ${form.padEnd(width)}  ${summary}`]
      : [`  ${form}`, `  ${' '.repeat(width)}  ${summary}`],
  );
}

function commandText(command: Command): string[] {
  const { parameters, summary, examples } = command;
  const lines = [`Usage: ipmpadm [OPTIONS] ${commandForm(command)}`, '', `  ${summary}`];
  if (parameters.length > 0) {
    lines.push('', ...columns(parameters.map((entry) => [parameterForm(entry), entry.summary])));
  }
  const settings = parameters.flatMap((parameter) => parameter.settings ?? []);
  if (settings.length > 0) {
    lines.push('', 'KEYS', ...columns(settings.map(({ key, allowed }) => [key, allowed])));
  }
  const calls = examples.map((words) => `  example: ipmpadm ${words}`);
  lines.push('', ...columns(footnotes(command)), '', ...calls);
  return lines;
}

/** The users that may run it, and its call of the API. */
function footnotes(command: Command): [string, string][] {
  const role = roleOf(command);
  if (role === undefined) return [['daemon:', 'not needed']];
  return [
    ['for:', ROLES[role]],
    ['API:', command.route],
  ];
}

/** The users of each role, in words. */
export const ROLES = {
  read: 'everybody',
  operate: 'root and members of the operators’ group',
  root: 'root',
} as const;
