/**
 * The commands of `ipmpadm`, as one table: usage, abbreviation, help, completion, requests and the
 * documentation are made from it.
 */

import { CONFIG_FILE } from '../../model/paths.ts';
import { GROUP_SETTINGS, INTERFACE_SETTINGS } from '../settings.ts';
import {
  assignments,
  type Command,
  mark,
  optional,
  type Parameter,
  pair,
  repeated,
  SAVE,
  word,
} from './command.ts';
import type { ViewName } from './views.ts';

function command(
  name: string,
  route: string,
  summary: string,
  action: Command['action'],
  parameters: readonly Parameter[] = [],
  ...examples: readonly string[]
): Command {
  const [object = '', verb = ''] = name.split(' ');
  const common = { name, object, verb, route, summary, action, parameters };
  const given = examples.length === 0 ? [''] : examples;
  return { ...common, examples: given.map((words) => `${name} ${words}`.trimEnd()) };
}

/** Rows of one kind, all or some. */
function show(
  object: string,
  route: string,
  view: ViewName,
  summary: string,
  filter: Parameter,
): Command {
  return { ...command(`${object} show`, route, summary, 'show', [optional(filter)]), view };
}

/** A change of the configuration. */
function change(
  name: string,
  route: string,
  summary: string,
  parameters: readonly Parameter[],
  ...examples: readonly string[]
): Command {
  return command(name, route, summary, 'change', [...parameters, SAVE], ...examples);
}

const GROUP = word('NAME', 'name', 'name of the group');
const INTERFACE = word('NAME', 'ifname', 'name of the interface');
const MEMBERS = repeated(word('IF', 'ifname', 'interfaces'));
const DEV_GROUP = pair('dev', 'GROUP', 'name', 'the group');
const DEV_INTERFACE = pair('dev', 'IF', 'ifname', 'the interface');
const DEV_ANY = pair('dev', 'NAME', 'dev', 'only those of this group or interface');
const PREFIX = word('ADDR/LEN', 'address', 'address with its prefix length');
const ADDRESS = word('ADDR', 'address', 'address, with or without its prefix length');
const NEIGHBOR = word('ADDR', 'dst', 'address of the neighbour');
const MULTICAST = word('ADDR', 'address', 'multicast address');

const GROUPS: readonly Command[] = [
  show('group', 'GET /v1/groups', 'group', 'groups, their state and members', {
    ...GROUP,
    key: 'wanted',
    summary: 'only this group',
  }),
  change(
    'group create',
    'POST /v1/groups',
    'create a group',
    [GROUP, optional(repeated(pair('-i', 'IF', 'interfaces', 'an interface that joins it')))],
    'ipmp1 -i net2 -i net3',
  ),
  change('group delete', 'DELETE /v1/groups/:name', 'delete an empty group', [GROUP], 'ipmp2'),
  change(
    'group rename',
    'POST /v1/groups/:name/rename',
    'give a group another name; its device keeps its own',
    [GROUP, word('NEW', 'to', 'the new name')],
    'ipmp2 uplinks',
  ),
  change(
    'group add',
    'PUT /v1/groups/:name/interfaces/:ifname',
    'make interfaces members of a group',
    [GROUP, MEMBERS],
    'ipmp0 net2 net3',
  ),
  change(
    'group remove',
    'DELETE /v1/groups/:name/interfaces/:ifname',
    'take interfaces out of a group',
    [GROUP, MEMBERS],
    'ipmp0 net1',
  ),
  change(
    'group set',
    'PATCH /v1/groups/:name',
    'change settings of a group',
    [GROUP, assignments(GROUP_SETTINGS)],
    'ipmp0 failback=off spreading=destination',
  ),
];

/** An operation: it lasts until the daemon stops. */
function operation(verb: string, summary: string): Command {
  const route = `POST /v1/interfaces/:ifname/${verb}`;
  return command(`interface ${verb}`, route, summary, 'change', [INTERFACE], 'net1');
}

const INTERFACES: readonly Command[] = [
  show('interface', 'GET /v1/interfaces', 'interface', 'interfaces, their state and why', {
    ...INTERFACE,
    key: 'wanted',
    summary: 'only this interface',
  }),
  change(
    'interface create',
    'POST /v1/interfaces',
    'create an interface: a macvtap, or a TAP',
    [
      word('NAME', 'name', 'name of the interface and its device'),
      {
        ...optional(pair('--uplink', 'DEV', 'uplink', 'the NIC below it (macvtap)')),
        excludes: '--bridge',
      },
      {
        ...optional(pair('--bridge', 'BR', 'bridge', 'the bridge that it becomes a port of')),
        excludes: '--uplink',
      },
      mark('--standby', 'standby', 'use it only while another has failed'),
    ],
    'net4 --uplink eth4 --standby',
  ),
  change(
    'interface delete',
    'DELETE /v1/interfaces/:ifname',
    'delete an interface',
    [INTERFACE],
    'net3',
  ),
  change(
    'interface set',
    'PATCH /v1/interfaces/:ifname',
    'change settings of an interface',
    [INTERFACE, assignments(INTERFACE_SETTINGS)],
    'net1 standby=on',
  ),
  operation('offline', 'take an interface out of use; others take over'),
  operation('online', 'take it into use again'),
  operation('activate', 'make an inactive interface active'),
];

const ADDRESSES: readonly Command[] = [
  show(
    'address',
    'GET /v1/addresses',
    'address',
    'data and test addresses and where they are bound',
    DEV_ANY,
  ),
  change(
    'address add',
    'POST /v1/groups/:name/addresses',
    'add a data address',
    [PREFIX, DEV_GROUP],
    '192.0.2.12/24 dev ipmp0',
    '2001:db8::12/64 dev ipmp0',
  ),
  change(
    'address delete',
    'DELETE /v1/groups/:name/addresses/:address',
    'delete a data address',
    [ADDRESS, DEV_GROUP],
    '192.0.2.12/24 dev ipmp0',
    '2001:db8::12 dev ipmp0',
  ),
  show('test-address', 'GET /v1/addresses', 'test-address', 'test addresses', DEV_ANY),
  change(
    'test-address add',
    'POST /v1/interfaces/:ifname/test-addresses',
    'add a test address',
    [PREFIX, DEV_INTERFACE],
    '192.0.2.21/24 dev net0',
    '2001:db8::21/64 dev net0',
  ),
  change(
    'test-address delete',
    'DELETE /v1/interfaces/:ifname/test-addresses/:address',
    'delete a test address',
    [ADDRESS, DEV_INTERFACE],
    '192.0.2.21/24 dev net0',
    '2001:db8::21 dev net0',
  ),
];

const NEIGHBORS: readonly Command[] = [
  show('neighbor', 'GET /v1/neighbors', 'neighbor', 'the neighbour cache', DEV_ANY),
  change(
    'neighbor add',
    'POST /v1/groups/:name/neighbors',
    'add a static neighbour',
    [
      NEIGHBOR,
      pair('lladdr', 'MAC', 'lladdr', 'its MAC'),
      mark('proxy', 'proxy', 'answer for it on the wire'),
      DEV_GROUP,
    ],
    '192.0.2.9 lladdr 02:00:00:00:00:09 dev ipmp0',
    '2001:db8::9 lladdr 02:00:00:00:00:09 proxy dev ipmp0',
  ),
  change(
    'neighbor delete',
    'DELETE /v1/groups/:name/neighbors/:dst',
    'delete a neighbour',
    [NEIGHBOR, DEV_GROUP],
    '192.0.2.9 dev ipmp0',
    '2001:db8::9 dev ipmp0',
  ),
  show('multicast', 'GET /v1/multicast', 'multicast', 'memberships that were asked for', DEV_ANY),
  change(
    'multicast join',
    'PUT /v1/groups/:name/multicast/:address',
    'join a multicast address',
    [MULTICAST, DEV_GROUP],
    '239.1.2.3 dev ipmp0',
    'ff05::1:3 dev ipmp0',
  ),
  change(
    'multicast leave',
    'DELETE /v1/groups/:name/multicast/:address',
    'leave a multicast address',
    [MULTICAST, DEV_GROUP],
    '239.1.2.3 dev ipmp0',
    'ff05::1:3 dev ipmp0',
  ),
  show('target', 'GET /v1/targets', 'target', 'hosts that are probed', DEV_ANY),
];

const REST: readonly Command[] = [
  command(
    'kstat',
    'GET /v1/kstats',
    'statistics; globs allowed; -p: one a line',
    'kstat',
    [
      mark('-p', 'parsable', 'module:instance:name:statistic, a tab, and the value'),
      optional(word('module:instance:name:statistic', 'pattern', 'those that match')),
    ],
    '-p ipmp:0:ipmp0:*packets64',
  ),
  command('monitor', 'GET /v1/events', 'events as they happen, until interrupted', 'monitor', [
    optional(pair('group', 'NAME', 'group', 'only events of this group')),
    optional(pair('interface', 'NAME', 'ifname', 'only events of this interface')),
    optional(pair('event', 'NAME', 'event', 'only events of this name')),
  ]),
  command(
    'config show',
    'GET /v1/config',
    'the configuration, with the origin of each value',
    'config',
  ),
  command(
    'config check',
    '',
    'check a configuration file',
    'check',
    [word('FILE', 'file', 'the file')],
    CONFIG_FILE,
  ),
  command('reload', 'POST /v1/reload', 'read the configuration anew, apply what differs', 'reload'),
  lab('run', 'build the lab and show a failover (npm start)', [
    mark('--once', 'once', 'do not stay up afterwards'),
  ]),
  lab('up', 'build the lab and leave it up'),
  lab('down', 'take the lab down'),
];

function lab(verb: string, summary: string, parameters: readonly Parameter[] = []): Command {
  return { ...command(`lab ${verb}`, '', summary, 'lab', parameters), isOpaque: true };
}

export const COMMANDS: readonly Command[] = [
  command(
    'status',
    'GET /v1/status',
    'one line a group; --check: exit 4 degraded, 5 failed',
    'status',
    [mark('--check', 'check', 'the exit status gives the state')],
    '--check',
  ),
  ...GROUPS,
  ...INTERFACES,
  ...ADDRESSES,
  ...NEIGHBORS,
  ...REST,
];

/** The objects in table order, each once. */
export function objectNames(): string[] {
  return [...new Set(COMMANDS.map((entry) => entry.object))];
}
