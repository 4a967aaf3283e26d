/**
 * Completion for bash, made from the tables: objects, verbs, keywords, options and keys by the
 * words before the cursor, and the names that the daemon knows where a name may stand. It is
 * shipped as config/ipmpadm.bash-completion.
 */
import type { Command, Parameter } from '../../../../src/ctl/adm/command.ts';
import { COMMANDS, objectNames } from '../../../../src/ctl/adm/commands.ts';
import { OPTIONS } from '../../../../src/ctl/adm/options.ts';

/** Placeholders of values that are names, and the object whose rows have them. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  GROUP: ['group'],
  IF: ['interface'],
  NAME: ['group', 'interface'],
};

const HEAD = `# Completion of ipmpadm for bash, made from the table of commands.
# Goes to /usr/share/bash-completion/completions/ipmpadm.

# The first column of OBJECT show: names, or nothing without a daemon.
_ipmpadm_names() {
    local object
    for object in "$@"; do
        ipmpadm -br "$object" show 2>/dev/null | cut -d ' ' -f 1
    done
}

_ipmpadm() {
    local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
    local object= verb= word words= at
    # Options that stand before the object, and the value of --socket, are passed over.
    for ((at = 1; at < COMP_CWORD; at++)); do
        word=\${COMP_WORDS[at]}
        if [[ -z $object && $word == --socket ]]; then
            ((at++))
        elif [[ -z $object && $word == -* ]]; then
            continue
        elif [[ -z $object ]]; then
            object=$word
        elif [[ -z $verb ]]; then
            verb=$word
        fi
    done
    if [[ -z $object && $previous == --socket ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
    fi
`;

/** The script, whole. */
export function bashCompletion(): string {
  const options = OPTIONS.map(({ name }) => `--${name.toLowerCase()}`);
  const tops = [...options, ...objectNames(), 'help'].join(' ');
  return `${HEAD}    case $object in
        '') words='${tops}' ;;
${objectNames().map(objectCase).join('\n')}
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    # A key is followed by its value, without a space between.
    if [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *= ]]; then compopt -o nospace; fi
}

complete -F _ipmpadm ipmpadm
`;
}

function objectCase(object: string): string {
  const commands = COMMANDS.filter((entry) => entry.object === object);
  const [only] = commands;
  if (only !== undefined && only.verb === '') {
    return `        ${object})\n            ${wordsOf(only, '            ')}\n            ;;`;
  }
  const verbs = [...commands.map(({ verb }) => verb), 'help'].join(' ');
  const cases = commands.map(
    (entry) =>
      `                ${entry.verb})\n                    ` +
      `${wordsOf(entry, ' '.repeat(20))}\n                    ;;`,
  );
  return `        ${object})
            case $verb in
                '') words='${verbs}' ;;
${cases.join('\n')}
            esac
            ;;`;
}

/** The assignment of what may stand next; after a keyword, what it wants. */
function wordsOf(command: Command, indent: string): string {
  const { parameters, action } = command;
  if (action === 'check') return 'words="$(compgen -f -- "$current")"';
  const all = parameters.flatMap((parameter) =>
    parameter.keyword === '' ? placedWords(command, parameter) : [parameter.keyword],
  );
  const rest = [...all, 'help'].join(' ');
  const pairs = parameters.flatMap(({ keyword, value }) => {
    const objects = keyword === '' ? [] : (NAMES[value] ?? []);
    return objects.length === 0 ? [] : [`${indent}    ${keyword}) words="${names(objects)}" ;;`];
  });
  if (pairs.length === 0) return `words="${rest}"`;
  const otherwise = `${indent}    *) words="${rest}" ;;`;
  return ['case $previous in', ...pairs, otherwise, `${indent}esac`].join('\n');
}

/** What is known of a word that has no keyword: keys, or names unless it is to be a new one. */
function placedWords({ object, verb }: Command, { value, settings }: Parameter): string[] {
  if (settings !== undefined) return settings.map(({ key }) => `${key}=`);
  if (value === 'NAME') return verb === 'create' ? [] : [names([object])];
  return value === 'IF' ? [names(['interface'])] : [];
}

function names(objects: readonly string[]): string {
  return `$(_ipmpadm_names ${objects.join(' ')})`;
}
