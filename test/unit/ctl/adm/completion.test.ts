/** Completion for bash: the script that is shipped, and what it offers. */
import { equal } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { pageText } from '../../../tools/page.ts';
import { bashCompletion } from './completion.ts';

const FILE = 'config/ipmpadm.bash-completion';

test('the script that is shipped is made from the table of commands', () => {
  const made = bashCompletion();
  equal(pageText(FILE, made), made, 'IPMPD_WRITE_DOCS=1 npm test -- unit adm/completion');
});

/** What bash offers for the last of `words`, with a daemon that knows some names. */
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
  ['test-address add 192.0.2.1/24 dev ', 'net0 net1'],
  ['neighbor add 192.0.2.9 l', 'lladdr'],
  ['interface create n --', '--uplink --bridge --standby --save'],
  ['status ', '--check help'],
  ['monitor interface ', 'ipmp0 ipmp1 net0 net1'],
  ['nosuch x ', ''],
] as const;

test('each place offers what may stand there', () => {
  for (const [words, offers] of TABLE) {
    equal(offered(...words.split(' ')).join(' '), offers, words);
  }
});
