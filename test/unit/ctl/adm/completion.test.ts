/**
 * Completion for bash, made from the tables: objects, verbs, keywords, options and keys by the
 * words before the cursor, and the names that the daemon has where a name may stand. It is shipped
 * as config/ipmpadm.bash-completion.
 */
import { equal } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import type { Command, Parameter } from '../../../../src/ctl/adm/command.ts';
import { COMMANDS, objectNames } from '../../../../src/ctl/adm/commands.ts';
import { OPTIONS } from '../../../../src/ctl/adm/options.ts';
import { pageText } from '../../../tools/page.ts';

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
function bashCompletion(): string {
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
  if (only?.verb === '') {
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

const FILE = 'config/ipmpadm.bash-completion';

test('the script that is shipped is made from the table of commands', () => {
  const made = bashCompletion();
  equal(pageText(FILE, made), made, 'IPMPD_WRITE_DOCS=1 npm test -- unit adm/completion');
});

/** What bash offers for the last of `words`, with a daemon that has some names. */
function offered(...words: string[]): string[] {
  const stub = `ipmpadm() {
    case "$*" in
      '-br group show') printf 'ipmp0  ok\\nipmp1  ok\\n' ;;
      '-br interface show') printf 'net0  ok  up\\nnet1  ok  up\\n' ;;
      *) return 3 ;;
    esac
  }
  compopt() { :; }`;
  const print = 'for word in "$' + '{COMPREPLY[@]}"; do echo "$word"; done';
  const run = `COMP_WORDS=(ipmpadm "$@"); COMP_CWORD=$#; _ipmpadm; ${print}`;
  const script = `set -u\n${bashCompletion()}\n${stub}\n${run}`;
  const text = execFileSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8' });
  return text.split('\n').filter((line) => line !== '');
}

const TABLE = [
  ['gr', 'group'],
  ['t', 'test-address target'],
  ['--so', '--socket'],
  ['group re', 'rename remove'],
  ['-j group se', 'set'],
  ['--socket /x gr', 'group'],
  ['group show i', 'ipmp0 ipmp1'],
  ['group set ipmp0 mt', 'mtu='],
  ['group add ipmp0 n', 'net0 net1'],
  ['group create x -i ', 'net0 net1'],
  ['group create i', ''],
  ['address add 192.0.2.1/24 ', 'dev --save help'],
  ['address add 192.0.2.1/24 dev ', 'ipmp0 ipmp1'],
  ['address show dev ', 'ipmp0 ipmp1 net0 net1'],
  ['address add 2001:db8::1/64 ', 'dev --save help'],
  ['address add 2001:db8::1/64 dev i', 'ipmp0 ipmp1'],
  ['test-address add 192.0.2.1/24 dev ', 'net0 net1'],
  ['neighbor add 192.0.2.9 l', 'lladdr'],
  ['neighbor add fe80::9 lladdr 02:00:00:00:00:09 p', 'proxy'],
  ['multicast join ff05::1:3 dev ', 'ipmp0 ipmp1'],
  ['interface create n --', '--uplink --bridge --standby --save'],
  ['status ', '--check help'],
  ['monitor interface ', 'ipmp0 ipmp1 net0 net1'],
  ['nosuch x ', ''],
] as const;

test('each place offers what may stand there', () => {
  for (const [words, offers] of TABLE) {
    // Bash breaks words at colons too.
    const broken = words.split(/ |(:+)/).filter((word) => word !== undefined);
    equal(offered(...broken).join(' '), offers, words);
  }
});
