/** Every command as a whole: its words, its request, the daemon's call, the role it needs. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { roleOf } from '../../../../src/ctl/adm/command.ts';
import { COMMANDS } from '../../../../src/ctl/adm/commands.ts';
import { ROUTES, routeOf } from '../../../../src/ctl/api/routes.ts';
import { routeName } from '../../../../src/ctl/route.ts';
import { FAMILIES, type FamilyRow } from '../../system/families.ts';
import { type ControlHarness, controlHarness, ipmpadm, untilPrinted } from '../api/harness.ts';
import type { Outcome } from '../solaris/harness.ts';

/** Routes that no command uses: `ipmpstat` takes snapshots; `config check` needs no daemon. */
const API_ONLY = ['GET /v1/snapshot', 'POST /v1/config/check'];

test('every route is used by a command, or is known to be for the API alone', () => {
  const used = new Set(COMMANDS.map(({ route }) => route));
  const unused = ROUTES.map(routeName).filter((name) => !used.has(name));
  deepEqual(unused, API_ONLY);
  const known = ['', 'GET /v1/events', ...ROUTES.map(routeName)];
  deepEqual(
    COMMANDS.filter(({ route }) => !known.includes(route)).map(({ name }) => name),
    [],
  );
});

test('roles: everybody shows, operators operate, root does the rest', () => {
  for (const command of COMMANDS) {
    const { name, verb, action } = command;
    const isOperation = ['offline', 'online', 'activate'].includes(verb);
    const isReading = ['show', 'status', 'kstat', 'config'].includes(action);
    const isLocal = ['lab', 'check', 'monitor'].includes(action);
    const expected = isReading ? 'read' : isOperation ? 'operate' : 'root';
    equal(roleOf(command), isLocal ? undefined : expected, name);
  }
});

test('--save stands on all that changes the configuration, and on nothing else', () => {
  for (const { name, parameters, route } of COMMANDS) {
    const takesSave = parameters.some(({ keyword }) => keyword === '--save');
    const properties = routeOf(route)?.query?.properties as object | undefined;
    equal(takesSave, properties !== undefined && 'save' in properties, name);
  }
});

const LLADDR = '02:00:00:00:00:09';

/** What is done with the addresses of either family. */
function ofFamily({ at, castAt, whole }: FamilyRow) {
  const cast = castAt(3);
  return {
    prefix: (n: number) => `${at(n)}/${whole - 8}`,
    cast,
    testAdd: `test-address add ${at(22)}/${whole - 8} dev net1`,
    testDelete: `test-address delete ${at(22)} dev net1`,
    join: `multicast join ${cast} dev ipmp0`,
    leave: `multicast leave ${cast} dev ipmp0`,
    neighborAdd: `neighbor add ${at(9)} lladdr ${LLADDR} dev ipmp0`,
    neighborDelete: `neighbor delete ${at(9)} dev ipmp0`,
    neighbor: `{"dst":"${at(9)}","lladdr":"${LLADDR}"`,
  };
}

const IN_IPMP0 =
  'interface net0 is already in group ipmp0 (EALREADY)\n' +
  '  remove it there first: ipmpadm group remove ipmp0 net0';

/** Words, and the edits that come of them; `&&`: words that come before. */
const CHANGES = [
  ['group create ipmp1', 'groups.ipmp1={"interfaces":[]}'],
  ['group create ipmp1 -i net2 -i net3', 'groups.ipmp1={"interfaces":["net2","net3"]}'],
  ['group delete ipmp2', 'groups.ipmp2="removed"'],
  ['group rename ipmp2 up', 'groups.ipmp2.name="up"'],
  ['group add ipmp0 net3', 'groups.ipmp0.interfaces=["net0","net1","net3"]'],
  ['group remove ipmp0 net1', 'groups.ipmp0.interfaces=["net0"]'],
  ['group set ipmp0 mtu=1400', 'groups.ipmp0.mtu=1400'],
  [
    'group set ipmp0 forwarding=off flap-damping=off probe-targets=[192.0.2.1]',
    'groups.ipmp0.forwarding=false groups.ipmp0.flap-damping="off" ' +
      'groups.ipmp0.probe-targets=["192.0.2.1"]',
  ],
  ['interface create net4', 'interfaces.net4={}'],
  ['interface create net4 --uplink eth4', 'interfaces.net4={"uplink":"eth4"}'],
  [
    'interface create net4 --standby --bridge br0',
    'interfaces.net4={"bridge":"br0","standby":true}',
  ],
  ['interface delete net3', 'interfaces.net3="removed"'],
  ['interface delete net1', 'groups.ipmp0.interfaces=["net0"] interfaces.net1="removed"'],
  ['interface set net1 standby=on', 'interfaces.net1.standby=true'],
  ['address add dev ipmp2 192.0.2.12/24', 'groups.ipmp2.addresses=["192.0.2.12/24"]'],
  ['address delete 192.0.2.11/24 dev ipmp0', 'groups.ipmp0.addresses=["192.0.2.10/24"]'],
  ['address delete 192.0.2.11 dev ipmp0', 'groups.ipmp0.addresses=["192.0.2.10/24"]'],
  ['interface offline net1', 'offline net1'],
  ['interface offline net1 && interface online net1', 'online net1'],
  [
    'address add 2001:DB8:0::12/64 dev ipmp2 && address delete 2001:db8::0:12 dev ipmp2',
    'groups.ipmp2.addresses=[]',
  ],
  [
    `neighbor add 2001:DB8:0::9 lladdr ${LLADDR} dev ipmp0 && neighbor del 2001:db8:0::9 dev ipmp0`,
    'groups.ipmp0.static-neighbors=[]',
  ],
  [
    'multicast join FF05::0:3 dev ipmp0 && multicast leave ff05:0::3 dev ipmp0',
    'groups.ipmp0.multicast=[]',
  ],
  ...FAMILIES.flatMap((family) => {
    const { prefix, cast, testAdd, testDelete, join, leave, ...words } = ofFamily(family);
    const { neighborAdd, neighborDelete, neighbor } = words;
    return [
      [`address add ${prefix(12)} dev ipmp2`, `groups.ipmp2.addresses=["${prefix(12)}"]`],
      [testAdd, `interfaces.net1.test-addresses=["${prefix(22)}"]`],
      [`${testAdd} && ${testDelete}`, 'interfaces.net1.test-addresses=[]'],
      [neighborAdd, `groups.ipmp0.static-neighbors=[${neighbor},"proxy":false}]`],
      [`${neighborAdd} proxy`, `groups.ipmp0.static-neighbors=[${neighbor},"proxy":true}]`],
      [`${neighborAdd} && ${neighborDelete}`, 'groups.ipmp0.static-neighbors=[]'],
      [join, `groups.ipmp0.multicast=["${cast}"]`],
      [`${join} && ${leave}`, 'groups.ipmp0.multicast=[]'],
    ] as const;
  }),
] as const;

/** Runs the words in a daemon that has just begun; what came of the last of them. */
async function lastOf(
  daemon: ControlHarness,
  words: string,
): Promise<Outcome & { done: string[] }> {
  const { harness } = daemon.backend;
  await harness.renew();
  const all = words.split(' && ');
  const last = all.pop() ?? '';
  for (const one of all) equal((await ipmpadm(daemon.socketPath, one)).error, '', one);
  harness.done.splice(0);
  return { ...(await ipmpadm(daemon.socketPath, last)), done: harness.done };
}

test('[contract 4.3, 4.5, 4.7, 4.8, 4.9, 4.17] a change asks for just that', async () => {
  await using daemon = await controlHarness();
  for (const [words, edits] of CHANGES) {
    const good = { status: 0, out: '', error: '' };
    deepEqual(await lastOf(daemon, words), { ...good, done: [edits] }, words);
    if (/(off|on)line/.test(words)) continue;
    const saved = await lastOf(daemon, `${words} --save`);
    deepEqual(saved, { ...good, done: [`${edits} save`] }, words);
  }
  const covered = CHANGES.flatMap(([words]) => words.split(' && ')).map(nameOf);
  const isOpen = ({ name, action }: (typeof COMMANDS)[number]): boolean =>
    action === 'change' && !covered.includes(name);
  deepEqual(
    COMMANDS.filter(isOpen).map(({ name }) => name),
    ['interface activate'],
  );
});

function nameOf(words: string): string {
  return words.split(' ').slice(0, 2).join(' ');
}

const IS_GROUP = 'ipmp2 is a group, no interface (EINVAL)';

/** Words, and the sentence with which the last of them is refused. */
const REFUSALS = [
  ['group create ipmp0', 'there is a group ipmp0 already (EEXIST)'],
  ['group create net0', 'there is an interface net0 already (EEXIST)'],
  ['group create ipmp1 -i net9', 'there is no interface net9 (ENXIO)'],
  ['group create ipmp1 -i net0', IN_IPMP0],
  ['group add ipmp2 net0', IN_IPMP0],
  ['group add ipmp9 net0', IN_IPMP0],
  ['group add ipmp9 net9', 'there is no interface net9 (ENXIO)'],
  ['group add ipmp9 net2', 'there is no group ipmp9 (ENOENT)'],
  ['group remove ipmp9 net9', 'there is no interface net9 (ENXIO)'],
  ['group remove ipmp9 net0', 'there is no group ipmp9 (ENOENT)'],
  ['group create net3 -i net9', 'there is an interface net3 already (EEXIST)'],
  ['group remove ipmp2 net0', 'interface net0 is in group ipmp0, not in ipmp2 (EINVAL)'],
  ['group rename ipmp2 ipmp0', 'there is a group ipmp0 already (EEXIST)'],
  ['group delete ipmp9', 'there is no group ipmp9 (ENOENT)'],
  [
    'group set ipmp0 mtu=big',
    'groups.ipmp0.mtu: "big" is not valid (auto, or a whole number from 1280 to 65535) (EINVAL)',
  ],
  ['interface create net0', 'there is an interface net0 already (EEXIST)'],
  ['interface delete net9', 'there is no interface net9 (ENXIO)'],
  [
    'interface offline net0',
    'cannot take interface net0 offline: no other interface of group ipmp0 works (EBUSY)\n' +
      '  bring another one online or add one first: ipmpadm group add ipmp0 IF',
  ],
  ['interface offline net2', 'cannot take interface net2 offline: it is in no group (EINVAL)'],
  ['interface online net0', 'interface net0 is not offline (EINVAL)'],
  ['interface set ipmp2 standby=on', IS_GROUP],
  ['interface offline ipmp2', IS_GROUP],
  ['interface online ipmp2', IS_GROUP],
  ['interface activate ipmp2', IS_GROUP],
  ['interface delete ipmp2', IS_GROUP],
  ['group add ipmp0 ipmp2', IS_GROUP],
  ['group create ipmp1 -i ipmp2', IS_GROUP],
  ['test-address add 192.0.2.22/24 dev ipmp2', IS_GROUP],
  ['group rename ipmp2 up && interface offline up', 'up is a group, no interface (EINVAL)'],
  ['interface activate net0', 'interface net0 is active (EALREADY)'],
  [
    'interface activate net1',
    'cannot activate interface net1: it is failed: its link went down (EINVAL)',
  ],
  ['address add 192.0.2.10/24 dev ipmp0', 'group ipmp0 has 192.0.2.10/24 already (EEXIST)'],
  [
    'address add 192.0.2.10/24 dev ipmp2',
    '192.0.2.10/24 is an address of group ipmp0 already (EADDRINUSE)',
  ],
  ['address delete 192.0.2.99 dev ipmp0', 'group ipmp0 does not have 192.0.2.99 (EADDRNOTAVAIL)'],
  [
    'address add 192.0.2.10 dev ipmp0',
    'address "192.0.2.10" is not valid (EINVAL)\n' +
      '  an address with its prefix length, such as 192.0.2.10/24',
  ],
  [
    'test-address add 192.0.2.10/24 dev net0',
    '192.0.2.10/24 is an address of ipmp0 already (EADDRINUSE)',
  ],
  ...FAMILIES.flatMap((family) => {
    const { at, whole } = family;
    const { prefix, cast, testAdd, testDelete, join, leave, ...words } = ofFamily(family);
    const { neighborAdd, neighborDelete } = words;
    const neighborAt = 'groups.ipmp0.static-neighbors[0].dst';
    return [
      [`${testAdd} && ${testAdd}`, `interface net1 has ${prefix(22)} already (EEXIST)`],
      [testDelete, `interface net1 does not have ${at(22)} (EADDRNOTAVAIL)`],
      [
        `address add ${at(33)}/${whole} dev ipmp0 && address add ${at(33)}/${whole} dev ipmp2`,
        `${at(33)}/${whole} is an address of group ipmp0 already (EADDRINUSE)`,
      ],
      [
        `${neighborAdd} && ${neighborAdd} proxy`,
        `group ipmp0 has a neighbor ${at(9)} already (EEXIST)\n` +
          `  remove it first: ipmpadm ${neighborDelete}`,
      ],
      [neighborDelete, `group ipmp0 has no neighbor ${at(9)} (ENOENT)`],
      [
        `neighbor add ${cast} lladdr ${LLADDR} dev ipmp0`,
        `${neighborAt}: ${cast} is a multicast address (the address of a host) (EINVAL)`,
      ],
      [`${join} && ${join}`, `group ipmp0 has joined ${cast} already (EADDRINUSE)`],
      [leave, `group ipmp0 has not joined ${cast} (EADDRNOTAVAIL)`],
      [
        `multicast join ${at(9)} dev ipmp0`,
        `groups.ipmp0.multicast[0]: ${at(9)} is no multicast address ` +
          '(224.0.0.0/4 or ff00::/8) (EINVAL)',
      ],
    ] as const;
  }),
  [
    `neighbor add 2001:db8::g lladdr ${LLADDR} dev ipmp0`,
    'dst "2001:db8::g" is not valid (EINVAL)\n  an IPv4 or IPv6 address',
  ],
  [
    'address add fe80::1/64 dev ipmp0 && test-address add fe80::1/64 dev net0',
    'fe80::1/64 is an address of ipmp0 already (EADDRINUSE)',
  ],
  [
    'neighbor add 192.0.2.9 lladdr 2:0:0:0:0:9 dev ipmp0',
    'lladdr "2:0:0:0:0:9" is not valid (EINVAL)\n' +
      '  six pairs of hexadecimal digits, such as 02:00:00:00:00:01',
  ],
  [
    'multicast join 239.1.2.3 dev net0',
    'net0 is an interface, and multicast is joined on a group (EINVAL)\n' +
      '  it is in group ipmp0: give dev ipmp0',
  ],
  [
    'multicast leave 239.1.2.3 dev net2',
    'net2 is an interface, and multicast is joined on a group (EINVAL)',
  ],
  [
    'group create averyveryverylongname',
    'name "averyveryverylongname" is longer than 15 characters (ENAMETOOLONG)\n' +
      '  a letter, then up to 14 letters, digits, ., _ or -',
  ],
] as const;

test('[contract 4.22, 8.2] a refusal has code, sentence and hint; nothing changes', async () => {
  await using daemon = await controlHarness();
  for (const [words, error] of REFUSALS) {
    const refused = { status: 1, out: '', error: `ipmpadm: ${error}\n`, done: [] };
    deepEqual(await lastOf(daemon, words), refused, words);
  }
});

test('several requests of one command: the first refusal ends it', async () => {
  await using daemon = await controlHarness();
  const { error, done } = await lastOf(daemon, 'group add ipmp0 net2 net9 net3');
  equal(error, 'ipmpadm: there is no interface net9 (ENXIO)\n');
  deepEqual(done, ['groups.ipmp0.interfaces=["net0","net1","net2"]']);
});

test('what another program put on a device or took off it is followed', async () => {
  await using daemon = await controlHarness();
  const { harness, done } = daemon.backend;
  const { devices, reconfiguration } = harness;
  devices.setAddresses('ipmp0', ['192.0.2.11/24', '192.0.2.13/24']);
  for (const words of ['add 192.0.2.10/24', 'delete 192.0.2.13']) {
    const { error } = await ipmpadm(daemon.socketPath, `address ${words} dev ipmp0`);
    equal(error, '', words);
  }
  deepEqual(devices.addressesOf('ipmp0'), ['192.0.2.11/24', '192.0.2.10/24']);
  deepEqual(done, [
    'groups.ipmp0.addresses=["192.0.2.11/24","192.0.2.10/24"] ' +
      'add 192.0.2.10/24 to ipmp0 afterwards',
    'remove 192.0.2.13 from ipmp0 afterwards',
  ]);
  const [group] = reconfiguration.config.groups;
  deepEqual(group?.addresses.toSorted(), ['192.0.2.10/24', '192.0.2.11/24']);
});

/** What an example takes for granted. */
const BEFORE: Readonly<Record<string, string>> = {
  'interface online': 'interface offline',
  'address delete': 'address add',
  'test-address delete': 'test-address add',
  'neighbor delete': 'neighbor add',
  'multicast leave': 'multicast join',
};

test('every example works', async () => {
  await using daemon = await controlHarness();
  const { harness } = daemon.backend;
  const all = COMMANDS.flatMap(({ name, examples }) =>
    examples.map((example, at) => ({ name, example, at })),
  );
  for (const { example, name, at } of all) {
    await harness.renew();
    const before = COMMANDS.find((one) => one.name === BEFORE[name])?.examples[at];
    if (before !== undefined) equal((await untilPrinted(daemon, before)).status, 0, before);
    if (name === 'interface activate') {
      harness.bench.link('net1', 'up');
      equal((await untilPrinted(daemon, 'interface set net1 standby=on')).status, 0);
      harness.bench.advance(60_000);
    }
    const { status } = await untilPrinted(daemon, example);
    equal(status, name === 'status' ? 4 : 0, example);
  }
});
