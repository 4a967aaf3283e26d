/**
 * The pages of docs/ that are made from tables, and the examples of docs/api.md.
 *
 * IPMPD_WRITE_DOCS=1 npm test -- unit adm/docs writes the pages anew; in docs/events.md the tables.
 */

import { type Command, type Parameter, roleOf } from '../../../../src/ctl/adm/command.ts';
import { COMMANDS, objectNames } from '../../../../src/ctl/adm/commands.ts';
import { OPTIONS, optionForm } from '../../../../src/ctl/adm/options.ts';
import { commandForm, parameterForm, ROLES } from '../../../../src/ctl/adm/usage.ts';
import { CAUSES } from '../../../../src/model/causes.ts';
import { EVENTS } from '../../../../src/model/events.ts';
import type { Schema } from '../../../../src/model/fields.ts';
import { ROWS } from '../../../../src/model/rows.ts';
import { fileText } from '../../../tools/page.ts';

const COMMANDS_HEAD = `# Commands of ipmpadm

    ipmpadm [OPTIONS] OBJECT [VERB] [PARAMETERS]

Objects and verbs may be shortened while that is unambiguous; without a verb, \`show\` is meant.
\`help\` works in the place of any word. Keywords (\`dev GROUP\`) and options of a command stand in
any order.

Changes last until the daemon stops, unless \`--save\` is given: then they are also written to
\`/etc/ipmpd/ipmpd.d/50-ipmpadm.yaml\`.

| exit status | |
|---|---|
| 0 | done |
| 1 | refused or failed |
| 2 | the command line is wrong |
| 3 | the daemon cannot be reached |
| 4, 5 | \`status --check\`: degraded, failed |

A refusal goes to stderr as \`ipmpadm: sentence (CODE)\`, with a hint below it where one helps;
with \`-j\` as \`{"error":{"code","message","hint"}}\`.

This page is made from the table of commands; so is \`help\`.

## Options
`;

/** docs/commands.md */
export function commandsPage(): string {
  const options = OPTIONS.map((option) => [`\`${optionForm(option)}\``, option.summary]);
  const objects = objectNames().flatMap((object) => [
    `## ${object}`,
    ...COMMANDS.filter((command) => command.object === object).map(commandSection),
  ]);
  return `${[`${COMMANDS_HEAD}\n${table(['option', ''], options)}`, ...objects].join('\n\n')}\n`;
}

function commandSection(command: Command): string {
  const { parameters, summary, examples, route } = command;
  const role = roleOf(command);
  const settings = parameters.flatMap((parameter) => parameter.settings ?? []);
  const parts = [`### \`${commandForm(command)}\``, sentence(summary)];
  if (parameters.length > 0) parts.push(table(['parameter', ''], parameters.map(parameterRow)));
  if (settings.length > 0) {
    const rows = settings.map(({ key, allowed }) => [`\`${key}\``, allowed]);
    parts.push(table(['key', 'allowed'], rows));
  }
  if (role !== undefined) parts.push(`For ${ROLES[role]}. API: \`${route}\``);
  else if (route !== '') parts.push(`For everybody. API: \`${route}\``);
  else parts.push('Needs no daemon.');
  const calls = examples.map((words) => `    ipmpadm ${words}`);
  return [...parts, calls.join('\n')].join('\n\n');
}

function parameterRow(parameter: Parameter): string[] {
  return [`\`${parameterForm(parameter)}\``, parameter.summary];
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`.replaceAll('|  |', '| |');
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}

/** docs/events.md: `before` with the rows that there should be. */
export function eventsPage(before: string): string {
  const events = Object.entries(EVENTS).map(([name, words]) => [`\`${name}\``, ...words]);
  const causes = Object.entries(CAUSES).map(([cause, words]) => [`\`${cause}\``, words]);
  const page = withTable(before, '## Events', ['event', 'it means', '`from`, `to`'], events);
  return withTable(page, '## Causes', ['cause', 'sentence'], causes);
}

const ROWS_HEAD = `# Rows

What the API replies and \`ipmpadm -j\` prints. All of these fields are always there; others may be
there too. \`ipmpadm -d\` shows them as text. The words of \`cause\` are those of
[events.md](events.md); \`cause_text\` is for people and may change.`;

/** docs/rows.md. */
export function rowsPage(): string {
  const parts = Object.entries(ROWS).map(([name, { fields }]) => {
    const rows = Object.entries(fields).map(([key, { schema }]) => [
      `\`${key}\``,
      typeWords(schema),
      String(schema.description ?? ''),
    ]);
    return `## ${name}\n\n${table(['field', 'type', 'it is'], rows)}`;
  });
  return `${[ROWS_HEAD, ...parts].join('\n\n')}\n`;
}

/** A schema as words: `text or null`, `ok, failed`, `list of text`. */
function typeWords(schema: Schema): string {
  const { type, enum: words, items, $ref: other, format } = schema as SchemaWords;
  if (other !== undefined) return other.replace('#', '');
  if (type === 'array') return `list of ${typeWords(items ?? {})}`;
  const [first = 'any', ...more] = [type ?? 'any'].flat();
  const name = format ?? first.replace('string', 'text');
  const isCause = words !== undefined && words.length > CAUSES_FROM;
  const plain =
    words === undefined
      ? name
      : words
          .filter((one) => one !== null)
          .map((one) => `\`${one}\``)
          .join(' ');
  return [isCause ? 'a cause' : plain, ...(more.length > 0 ? ['null'] : [])].join(' or ');
}

interface SchemaWords {
  readonly type?: string | readonly string[];
  readonly enum?: readonly (string | null)[];
  readonly items?: Schema;
  readonly $ref?: string;
  readonly format?: string;
}

/** Lists that are longer are in a page of their own. */
const CAUSES_FROM = 10;

/** The first table after a heading: where it begins and ends in the page. */
function tablePlace(page: string, heading: string): [number, number] {
  const from = page.indexOf('\n|', page.indexOf(`${heading}\n`)) + 1;
  const end = /^(?!\|)/m.exec(page.slice(from));
  return [from, end === null ? page.length : from + end.index];
}

/** Its rows, as cells. */
export function rowsUnder(page: string, heading: string): string[][] {
  const [from, to] = tablePlace(page, heading);
  const rows = page.slice(from, to).trimEnd().split('\n').slice(2);
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

function withTable(
  page: string,
  heading: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const [from, to] = tablePlace(page, heading);
  return `${page.slice(0, from)}${table(head, rows)}\n${page.slice(to)}`;
}

/** A call with curl, and the status that it ends with. */
export interface CurlExample {
  readonly command: string;
  readonly status: string;
}

/** The examples of docs/api.md in their order; `$sock` and `$json` are for the shell to know. */
export function curlExamples(): CurlExample[] {
  const blocks = [...fileText('docs/api.md').matchAll(/```sh\n([\s\S]*?)```/g)];
  const lines = blocks.flatMap(([, text = '']) => text.replaceAll('\\\n', ' ').split('\n'));
  return lines.flatMap((line) => {
    const match = /^(curl .*?)\s+# (\d{3})$/.exec(line);
    return match === null ? [] : [{ command: match[1] ?? '', status: match[2] ?? '' }];
  });
}
