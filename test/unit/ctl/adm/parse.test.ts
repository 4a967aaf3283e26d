/** The command line as a table: words, and what they mean or why they are refused. */
import { equal, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { COMMANDS } from '../../../../src/ctl/adm/commands.ts';
import { OPTIONS } from '../../../../src/ctl/adm/options.ts';
import { parseArguments } from '../../../../src/ctl/adm/parse.ts';
import { usageText } from '../../../../src/ctl/adm/usage.ts';
import { GROUP_SETTINGS, INTERFACE_SETTINGS } from '../../../../src/ctl/settings.ts';

/** Command name, values by key, global options, colour, socket: as one short text. */
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
      const { command, values, options, words: rest } = parsed;
      const named = [...values].map(([key, value]) => `${key}=${value.join(',')}`);
      const given = [...options.set].filter((key) => key !== 'socket').map((key) => `-${key}`);
      if (options.color !== 'auto') given.push(options.color);
      if (options.socket !== undefined) given.push(`@${options.socket}`);
      return [command.name, ...(command.isOpaque ? rest : named), ...given].join(' ');
    }
  }
}

const OBJECTS =
  'one of status, group, interface, address, test-address, neighbor, multicast, target, kstat, ' +
  'monitor, config, reload, lab';
const ADD = 'usage: address add ADDR/LEN dev GROUP [--save]';
const CREATE = 'usage: interface create NAME [--uplink DEV | --bridge BR] [--standby] [--save]';

const TABLE: readonly (readonly [words: string, meaning: string])[] = [
  // Whole words, and what may be left out.
  ['status', 'status'],
  ['status --check', 'status check='],
  ['group show', 'group show'],
  ['group show ipmp0', 'group show wanted=ipmp0'],
  ['group', 'group show'],
  ['group create ipmp1', 'group create name=ipmp1'],
  ['group create ipmp1 -i net0 -i=net1', 'group create name=ipmp1 interfaces=net0,net1'],
  ['group create -i net0 ipmp1', 'group create interfaces=net0 name=ipmp1'],
  ['group delete ipmp0', 'group delete name=ipmp0'],
  ['group delete --save ipmp0', 'group delete save= name=ipmp0'],
  ['group rename ipmp0 up', 'group rename name=ipmp0 to=up'],
  ['group add ipmp0 net0 net1', 'group add name=ipmp0 ifname=net0,net1'],
  ['group remove ipmp0 net0', 'group remove name=ipmp0 ifname=net0'],
  ['group set g mtu=1400 failback=off', 'group set name=g settings=mtu=1400,failback=off'],
  ['group set g flap-damping={}', 'group set name=g settings=flap-damping={}'],
  ['interface show net0', 'interface show wanted=net0'],
  ['interface create n --uplink=eth0', 'interface create name=n uplink=eth0'],
  ['interface create n --bridge br0 --standby', 'interface create name=n bridge=br0 standby='],
  ['interface set n standby=on', 'interface set ifname=n settings=standby=on'],
  ['interface offline n', 'interface offline ifname=n'],
  ['address show dev ipmp0', 'address show dev=ipmp0'],
  ['address add 192.0.2.1/24 dev g', 'address add address=192.0.2.1/24 name=g'],
  ['address add dev g 192.0.2.1/24', 'address add name=g address=192.0.2.1/24'],
  ['test-address add 192.0.2.1/24 dev n', 'test-address add address=192.0.2.1/24 ifname=n'],
  ['neighbor show', 'neighbor show'],
  ['neighbor add 192.0.2.9 lladdr M dev g', 'neighbor add dst=192.0.2.9 lladdr=M name=g'],
  [
    'neighbor add 192.0.2.9 proxy dev g lladdr M --save',
    'neighbor add dst=192.0.2.9 proxy= name=g lladdr=M save=',
  ],
  ['multicast join 239.1.2.3 dev g', 'multicast join address=239.1.2.3 name=g'],
  ['target', 'target show'],
  ['kstat -p ipmp:0:*', 'kstat parsable= pattern=ipmp:0:*'],
  ['monitor', 'monitor'],
  ['monitor interface n event e group g', 'monitor ifname=n event=e group=g'],
  ['config', 'config show'],
  ['config check /etc/x.yaml', 'config check file=/etc/x.yaml'],
  ['reload', 'reload'],
  ['lab run --once', 'lab run --once'],
  // Abbreviations.
  ['s', 'status'],
  ['g sh', 'group show'],
  ['gr del x', 'group delete name=x'],
  ['i', 'interface show'],
  ['a s', 'address show'],
  ['a a 192.0.2.1/24 dev g', 'address add address=192.0.2.1/24 name=g'],
  ['te', 'test-address show'],
  ['ta', 'target show'],
  ['n', 'neighbor show'],
  ['neigh', 'neighbor show'],
  ['mu', 'multicast show'],
  ['mo', 'monitor'],
  ['k', 'kstat'],
  ['c c f', 'config check file=f'],
  ['r', 'reload'],
  ['l d', 'lab down'],
  ['i on x', 'interface online ifname=x'],
  ['i off x', 'interface offline ifname=x'],
  // Options: one minus sign or two, short or begun.
  ['-j group', 'group show -json'],
  ['-json -p group', 'group show -json -pretty'],
  ['--json --pretty group', 'group show -json -pretty'],
  ['-br interface', 'interface show -brief'],
  ['-brief interface', 'interface show -brief'],
  ['-o -d -s group', 'group show -oneline -details -statistics'],
  ['-stat group', 'group show -statistics'],
  ['-t monitor', 'monitor -timestamp'],
  ['-c group', 'group show -color always'],
  ['-color=never group', 'group show -color never'],
  ['--color=auto group', 'group show -color'],
  ['--socket /x status', 'status @/x'],
  ['--socket=/x status', 'status @/x'],
  ['-V', 'version'],
  ['--version', 'version'],
  // Help, everywhere.
  ['help', 'help: status [--check]'],
  ['-h', 'help: status [--check]'],
  ['--help', 'help: status [--check]'],
  ['help help', 'help: status [--check]'],
  ['group help', 'help: group show [NAME]'],
  ['help gr', 'help: group show [NAME]'],
  ['group show help', 'help: groups, their state and members'],
  ['group delete help', 'help: delete an empty group'],
  ['help group delete', 'help: delete an empty group'],
  ['status help', 'help: one line a group; --check: exit 4 degraded, 5 failed'],
  ['help status', 'help: one line a group; --check: exit 4 degraded, 5 failed'],
  ['kstat --help', 'help: statistics; globs allowed; -p: one a line'],
  ['help zebra', `wrong: there is no object "zebra" | ${OBJECTS}`],
  // Mistakes of objects and verbs.
  ['', `wrong: an object is missing | ${OBJECTS}`],
  ['-j', `wrong: an object is missing | ${OBJECTS}`],
  ['zebra', `wrong: there is no object "zebra" | ${OBJECTS}`],
  ['grup show', 'wrong: there is no object "grup" | did you mean group?'],
  ['neighbour', 'wrong: there is no object "neighbour" | did you mean neighbor?'],
  ['m', 'wrong: object "m" is ambiguous | one of multicast, monitor'],
  ['g s', 'wrong: group: verb "s" is ambiguous | one of show, set'],
  ['group shwo', 'wrong: group: there is no verb "shwo" | did you mean show?'],
  ['lab zap', 'wrong: lab: there is no verb "zap" | one of run, up, down'],
  ['lab', 'wrong: lab: a verb is missing | one of run, up, down'],
  // Mistakes of parameters.
  ['group delete', 'wrong: group delete: NAME is missing | usage: group delete NAME [--save]'],
  ['group delete a b', 'wrong: group delete: "b" is too much | usage: group delete NAME [--save]'],
  ['group show a b', 'wrong: group show: "b" is too much | usage: group show [NAME]'],
  ['group show a --save', 'wrong: group show has no option --save | usage: group show [NAME]'],
  ['group delete a --svae', 'wrong: group delete has no option --svae | did you mean --save?'],
  ['status now', 'wrong: status: "now" is too much | usage: status [--check]'],
  ['status --chekc', 'wrong: status has no option --chekc | did you mean --check?'],
  ['status --check=1', 'wrong: status: --check takes no value | usage: status [--check]'],
  ['status --check --check', 'wrong: status: --check stands twice | usage: status [--check]'],
  [
    'status -j',
    'wrong: status has no option -j | options stand before the object: ipmpadm -j status',
  ],
  ['config check', 'wrong: config check: FILE is missing | usage: config check FILE'],
  ['address add 192.0.2.1/24', `wrong: address add: dev GROUP is missing | ${ADD}`],
  ['address add dev g', `wrong: address add: ADDR/LEN is missing | ${ADD}`],
  ['address add 192.0.2.1/24 dev', `wrong: address add: dev needs its GROUP | ${ADD}`],
  ['address add 1.1.1.1/24 dev g dev h', `wrong: address add: dev stands twice | ${ADD}`],
  [
    'address add 192.0.2.1/24 dve g',
    'wrong: address add: there is no parameter "dve" | did you mean dev?',
  ],
  ['address add 192.0.2.1/24 x', `wrong: address add: there is no parameter "x" | ${ADD}`],
  [
    'neighbor add 192.0.2.9 laddr M dev g',
    'wrong: neighbor add: there is no parameter "laddr" | did you mean lladdr?',
  ],
  [
    'address show net0',
    'wrong: address show: there is no parameter "net0" | usage: address show [dev NAME]',
  ],
  ['address show dev', 'wrong: address show: dev needs its NAME | usage: address show [dev NAME]'],
  [
    'interface create n --uplink e --bridge b',
    `wrong: interface create: --uplink and --bridge exclude each other | ${CREATE}`,
  ],
  ['interface create n --uplink', `wrong: interface create: --uplink needs its DEV | ${CREATE}`],
  // Mistakes of settings.
  [
    'group set g',
    'wrong: group set: KEY=VALUE… is missing | usage: group set NAME KEY=VALUE… [--save]',
  ],
  ['group set g mtuu=1', 'wrong: group set: there is no key "mtuu" | did you mean mtu?'],
  [
    'group set g mtu',
    'wrong: group set: "mtu" is not KEY=VALUE | mtu: auto, or a whole number from 1280 to 65535',
  ],
  [
    'interface set n uplink=eth0',
    'wrong: interface set: there is no key "uplink" | one of standby, test-addresses',
  ],
  [
    'group set g mtu=1 mtu=2',
    'wrong: group set: mtu stands twice | usage: group set NAME KEY=VALUE… [--save]',
  ],
  // Mistakes of options.
  ['-x status', 'wrong: there is no option -x | see: ipmpadm help'],
  ['--jsno status', 'wrong: there is no option --jsno | did you mean --json?'],
  ['-b status', 'wrong: there is no option -b | see: ipmpadm help'],
  ['--json=1 status', 'wrong: option --json takes no value | see: ipmpadm help'],
  ['-c=alwys status', 'wrong: option -c has no "alwys" | did you mean always?'],
  ['--socket', 'wrong: option --socket needs its PATH | see: ipmpadm help'],
  ['--socket= status', 'wrong: option --socket needs its PATH | see: ipmpadm help'],
];

for (const [words, expected] of TABLE) {
  test(`[contract 4.1, 4.2] ipmpadm ${words}`, () => equal(meaning(words), expected));
}

test('a mistake after -j is known to want JSON', () => {
  const parsed = parseArguments(['-j', 'group', 'zap']);
  ok(parsed.kind === 'wrong' && parsed.json);
});

test('an empty word is no value', () => {
  for (const [words, message] of [
    [['group', 'delete', ''], 'group delete: NAME is empty'],
    [['address', 'add', '1.1.1.1/8', 'dev', ''], 'address add: dev needs its GROUP'],
    [['lab', ''], 'lab: there is no verb ""'],
  ] as const) {
    const parsed = parseArguments(words);
    equal(parsed.kind === 'wrong' && parsed.message, message);
  }
});

test('usage names every command and every option, in lines of a terminal', () => {
  const text = usageText();
  for (const { name } of COMMANDS) ok(text.includes(`\n  ${name}`), name);
  for (const { name } of OPTIONS) ok(text.includes(`--${name.toLowerCase()}`));
  for (const { object, verb } of COMMANDS) {
    for (const line of [text, usageText(object), usageText(object, verb)].join('').split('\n')) {
      ok(line.length <= 100, line);
    }
  }
});

test('[contract 4.2] help of a command has parameters, keys, role and the API call', () => {
  equal(
    usageText('interface', 'set'),
    `Usage: ipmpadm [OPTIONS] interface set NAME KEY=VALUE… [--save]

  change settings of an interface

  NAME        name of the interface
  KEY=VALUE…  new values, written as in the configuration file
  [--save]    keep the change in the configuration of the next start

KEYS
  standby         on or off
  test-addresses  a list of at most 16 addresses with prefix length

  for:  root
  API:  PATCH /v1/interfaces/:ifname

  example: ipmpadm interface set net1 standby=on
`,
  );
});

test('[contract 4.4] the keys and what they allow are those of the configuration', () => {
  const url = new URL('../../../../../config/ipmpd.schema.json', import.meta.url);
  const { definitions } = JSON.parse(readFileSync(url, 'utf8'));
  const keys: Record<string, { 'x-allowed'?: string }> = definitions.group.properties;
  const words = (text: string | undefined) => (text === 'true or false' ? 'on or off' : text);
  const ofConfig = Object.entries(keys).map(([key, part]) => [key, words(part['x-allowed'])]);
  equal(
    JSON.stringify(GROUP_SETTINGS.map(({ key, allowed }) => [key, allowed])),
    JSON.stringify(ofConfig),
  );
  const ofInterface = definitions.interface.properties;
  for (const { key, allowed } of INTERFACE_SETTINGS) {
    equal(allowed, words(ofInterface[key]['x-allowed']), key);
  }
});
