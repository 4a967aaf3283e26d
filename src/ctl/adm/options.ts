/** The global options of `ipmpadm`; their letters are iproute2's. */

export type OptionKey =
  | 'json'
  | 'pretty'
  | 'details'
  | 'statistics'
  | 'oneline'
  | 'brief'
  | 'timestamp'
  | 'color'
  | 'socket'
  | 'version'
  | 'help';

/** One global option. */
export interface OptionDescription {
  readonly key: OptionKey;
  /** The long name, without minus signs. */
  readonly name: string;
  /** The shortest form that stands for it. */
  readonly shortest: string;
  /** The name of its value, if it has one. */
  readonly value?: string;
  /** What may stand after `=`; the first of them holds if nothing does. */
  readonly choices?: readonly string[];
  readonly summary: string;
}

export const OPTIONS: readonly OptionDescription[] = [
  { key: 'json', name: 'json', shortest: 'j', summary: 'JSON' },
  { key: 'pretty', name: 'pretty', shortest: 'p', summary: 'JSON over several lines' },
  { key: 'details', name: 'details', shortest: 'd', summary: 'everything that is known' },
  { key: 'statistics', name: 'statistics', shortest: 's', summary: 'with statistics' },
  { key: 'oneline', name: 'oneline', shortest: 'o', summary: 'one line for each row' },
  { key: 'brief', name: 'brief', shortest: 'br', summary: 'a short table' },
  { key: 'timestamp', name: 'timestamp', shortest: 't', summary: 'times in monitor' },
  {
    key: 'color',
    name: 'color',
    shortest: 'c',
    choices: ['always', 'auto', 'never'],
    summary: 'colours; auto, on a terminal only, is the default',
  },
  { key: 'socket', name: 'socket', shortest: 'socket', value: 'PATH', summary: 'control socket' },
  { key: 'version', name: 'Version', shortest: 'V', summary: 'version of ipmpadm' },
  { key: 'help', name: 'help', shortest: 'h', summary: 'this text' },
];

/** As in iproute2: one minus sign or two, and any beginning of the name from its shortest form. */
export function isOptionWord(option: OptionDescription, word: string): boolean {
  const name = word.replace(/^--?/, '');
  if (name === 'version' && option.key === 'version') return true;
  return name.startsWith(option.shortest) && option.name.startsWith(name);
}

/** `-j, --json`, `-c, --color[=always|auto|never]`, `--socket PATH` */
export function optionForm({ name, shortest, value, choices }: OptionDescription): string {
  const short = shortest === name ? '' : `-${shortest}, `;
  const rest = choices === undefined ? '' : `[=${choices.join('|')}]`;
  return `${short}--${name.toLowerCase()}${rest}${value === undefined ? '' : ` ${value}`}`;
}
