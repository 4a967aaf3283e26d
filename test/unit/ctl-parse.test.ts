/** The command line as a table: words, and what they mean or what is said about them. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { COMMANDS, OPTIONS, usageText } from '../../src/ctl/commands.ts';
import { parseArguments } from '../../src/ctl/parse.ts';

/** Command name, parameters, flags, global options, socket: as one short text. */
function meaning(words: string): string {
  const parsed = parseArguments(words.split(' ').filter((word) => word !== ''));
  switch (parsed.kind) {
    case 'help':
      return `help: ${parsed.text.split('\n')[2]?.trim().split('  ')[0]}`;
    case 'version':
      return 'version';
    case 'wrong':
      return `wrong: ${parsed.message} | ${parsed.hint}`;
    default: {
      const { command, parameters, flags, options } = parsed;
      const given = [...options.set].filter((key) => key !== 'socket').map((key) => `-${key}`);
      if (options.socket !== undefined) given.push(`@${options.socket}`);
      return [command.name, ...parameters, ...flags, ...given].join(' ');
    }
  }
}

const OBJECTS = 'one of status, group, interface, address, neighbor, kstat, monitor, config, lab';

const TABLE: readonly (readonly [words: string, meaning: string])[] = [
  // Whole words, and what may be left out.
  ['status', 'status'],
  ['status --check', 'status --check'],
  ['group show', 'group show'],
  ['group show ipmp0', 'group show ipmp0'],
  ['group', 'group show'],
  ['group delete ipmp0', 'group delete ipmp0'],
  ['group add ipmp0 net0 net1', 'group add ipmp0 net0 net1'],
  ['group remove ipmp0 net0', 'group remove ipmp0 net0'],
  ['interface show net0', 'interface show net0'],
  ['address show dev ipmp0', 'address show dev ipmp0'],
  ['neighbor show', 'neighbor show'],
  ['kstat -p ipmp:0:*', 'kstat ipmp:0:* -p'],
  ['monitor', 'monitor'],
  ['config check /etc/x.yaml', 'config check /etc/x.yaml'],
  ['lab run --once', 'lab run --once'],
  // Abbreviations.
  ['s', 'status'],
  ['g s', 'group show'],
  ['gr del x', 'group delete x'],
  ['i', 'interface show'],
  ['a s', 'address show'],
  ['n', 'neighbor show'],
  ['neigh', 'neighbor show'],
  ['k', 'kstat'],
  ['m', 'monitor'],
  ['c c f', 'config check f'],
  ['l d', 'lab down'],
  // Options: one minus sign or two, short or begun.
  ['-j group', 'group show -json'],
  ['-json -p group', 'group show -json -pretty'],
  ['--json --pretty group', 'group show -json -pretty'],
  ['-br interface', 'interface show -brief'],
  ['-brief interface', 'interface show -brief'],
  ['-o -d -s group', 'group show -oneline -details -statistics'],
  ['-stat group', 'group show -statistics'],
  ['-t monitor', 'monitor -timestamp'],
  ['--socket /x status', 'status @/x'],
  ['--socket=/x status', 'status @/x'],
  ['-V', 'version'],
  ['--version', 'version'],
  // Help, everywhere.
  ['help', 'help: status [--check]'],
  ['-h', 'help: status [--check]'],
  ['--help', 'help: status [--check]'],
  ['group help', 'help: group show [NAME]'],
  ['group show help', 'help: group show [NAME]'],
  ['group delete help', 'help: group delete NAME'],
  ['status help', 'help: status [--check]'],
  ['kstat --help', 'help: kstat [-p] [module:instance:name:statistic]'],
  // Mistakes.
  ['', `wrong: an object is missing | ${OBJECTS}`],
  ['-j', `wrong: an object is missing | ${OBJECTS}`],
  ['zebra', `wrong: there is no object "zebra" | ${OBJECTS}`],
  ['grup show', 'wrong: there is no object "grup" | did you mean group?'],
  ['neighbour', 'wrong: there is no object "neighbour" | did you mean neighbor?'],
  ['group shwo', 'wrong: group: there is no verb "shwo" | did you mean show?'],
  ['group zap', 'wrong: group: there is no verb "zap" | one of show, delete, add, remove'],
  ['group delete', 'wrong: group delete: NAME is missing | usage: group delete NAME'],
  ['group delete a b', 'wrong: group delete: "b" is too much | usage: group delete NAME'],
  ['group show a b', 'wrong: group show: "b" is too much | usage: group show [NAME]'],
  ['status now', 'wrong: status: "now" is too much | usage: status [--check]'],
  ['status --chekc', 'wrong: status has no option --chekc | usage: status [--check]'],
  [
    'status -j',
    'wrong: status has no option -j | options stand before the object: ipmpadm -j status',
  ],
  ['config', 'wrong: config: a verb is missing | one of check'],
  ['config check', 'wrong: config check: FILE is missing | usage: config check FILE'],
  ['lab', 'wrong: lab: a verb is missing | one of run, up, down'],
  [
    'address show net0',
    'wrong: address show: "net0" is not dev NAME | usage: address show [dev NAME]',
  ],
  [
    'address show dev',
    'wrong: address show: "dev" is not dev NAME | usage: address show [dev NAME]',
  ],
  ['-x status', 'wrong: there is no option -x | see: ipmpadm help'],
  ['--jsno status', 'wrong: there is no option --jsno | did you mean --json?'],
  ['-b status', 'wrong: there is no option -b | see: ipmpadm help'],
  ['--json=1 status', 'wrong: option --json takes no value | see: ipmpadm help'],
  ['--socket', 'wrong: option --socket needs its PATH | see: ipmpadm help'],
  ['--socket= status', 'wrong: option --socket needs its PATH | see: ipmpadm help'],
];

for (const [words, expected] of TABLE) {
  test(`ipmpadm ${words}`, () => equal(meaning(words), expected));
}

test('a mistake after -j is known to want JSON', () => {
  const parsed = parseArguments(['-j', 'group', 'zap']);
  ok(parsed.kind === 'wrong' && parsed.json);
});

test('an abbreviation of several names is refused with all of them', () => {
  const parsed = parseArguments(['lab', '']);
  deepEqual(parsed.kind, 'wrong');
});

test('usage names every command and every option', () => {
  const text = usageText();
  for (const { object, verb } of COMMANDS) ok(text.includes(`  ${object} ${verb}`.trimEnd()));
  for (const { name } of OPTIONS) ok(text.includes(`--${name.toLowerCase()}`));
  ok(text.split('\n').every((line) => line.length <= 100));
});

test('every command is reached by its own words', () => {
  for (const { name, object, verb, least } of COMMANDS) {
    const words = [object, verb, ...Array<string>(least).fill('x')].filter((word) => word !== '');
    const parsed = parseArguments(words);
    equal(parsed.kind === 'command' ? parsed.command.name : parsed.kind, name);
  }
});
