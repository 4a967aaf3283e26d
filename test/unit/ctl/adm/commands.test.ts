/** Every command as a whole: its words, its request, what the daemon was asked, who may. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { roleOf } from '../../../../src/ctl/adm/command.ts';
import { COMMANDS } from '../../../../src/ctl/adm/commands.ts';
import { ROUTES, routeOf } from '../../../../src/ctl/api/routes.ts';
import { routeName } from '../../../../src/ctl/route.ts';
import { type FakeDaemon, fakeDaemon, ipmpadm } from '../api/fake.ts';

/** Routes that no command uses: `config check` needs no daemon. */
const API_ONLY = ['POST /v1/config/check'];

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

/** Words, and what the daemon was asked for. */
const CHANGES: readonly (readonly [words: string, done: readonly string[]])[] = [
  ['group create ipmp1', ['createGroup ipmp1']],
  ['group create ipmp1 -i net2 -i net3', ['createGroup ipmp1 net2 net3']],
  ['group delete ipmp2', ['deleteGroup ipmp2']],
  ['group rename ipmp2 up', ['renameGroup ipmp2 up']],
  ['group add ipmp0 net2 net3', ['addMember ipmp0 net2', 'addMember ipmp0 net3']],
  ['group remove ipmp0 net1', ['removeMember ipmp0 net1']],
  ['group set ipmp0 mtu=1400', ['setGroup ipmp0 {"mtu":"1400"}']],
  [
    'group set ipmp0 forwarding=off flap-damping=off probe-targets=[192.0.2.1]',
    ['setGroup ipmp0 ' + '{"forwarding":"off","flap-damping":"off","probe-targets":"[192.0.2.1]"}'],
  ],
  ['interface create net4', ['createInterface net4 null null false']],
  ['interface create net4 --uplink eth4', ['createInterface net4 eth4 null false']],
  ['interface create net4 --standby --bridge br0', ['createInterface net4 null br0 true']],
  ['interface delete net3', ['deleteInterface net3']],
  ['interface set net1 standby=on', ['setInterface net1 {"standby":"on"}']],
  ['interface offline net1', ['offlineInterface net1']],
  ['interface online net1', ['onlineInterface net1']],
  ['interface activate net1', ['activateInterface net1']],
  ['address add 192.0.2.12/24 dev ipmp0', ['addAddress ipmp0 192.0.2.12/24']],
  ['address add dev ipmp0 2001:db8::12/64', ['addAddress ipmp0 2001:db8::12/64']],
  ['address delete 192.0.2.12/24 dev ipmp0', ['deleteAddress ipmp0 192.0.2.12/24']],
  ['address delete 192.0.2.12 dev ipmp0', ['deleteAddress ipmp0 192.0.2.12']],
  ['test-address add 192.0.2.22/24 dev net1', ['addTestAddress net1 192.0.2.22/24']],
  ['test-address delete 192.0.2.22 dev net1', ['deleteTestAddress net1 192.0.2.22']],
  [
    'neighbor add 192.0.2.9 lladdr 02:00:00:00:00:09 dev ipmp0',
    ['addNeighbor ipmp0 192.0.2.9 02:00:00:00:00:09 false'],
  ],
  [
    'neighbor add 192.0.2.9 dev ipmp0 proxy lladdr 02:00:00:00:00:09',
    ['addNeighbor ipmp0 192.0.2.9 02:00:00:00:00:09 true'],
  ],
  ['neighbor delete 192.0.2.9 dev ipmp0', ['deleteNeighbor ipmp0 192.0.2.9']],
  ['multicast join 239.1.2.3 dev ipmp0', ['joinMulticast ipmp0 239.1.2.3']],
  ['multicast leave 239.1.2.3 dev ipmp0', ['leaveMulticast ipmp0 239.1.2.3']],
];

test('[contract 4.3, 4.5, 4.7, 4.8, 4.9, 4.17] a change asks for just that', async () => {
  await using daemon = await fakeDaemon();
  const asked = async (words: string): Promise<string[]> => {
    daemon.backend.done.splice(0);
    deepEqual(await ipmpadm(daemon.socketPath, words), { status: 0, out: '', error: '' }, words);
    return [...daemon.backend.done];
  };
  for (const [words, done] of CHANGES) {
    deepEqual(
      await asked(words),
      done.map((text) => `${text} by 0`),
    );
    if (/(off|on)line|activate/.test(words)) continue;
    deepEqual(
      await asked(`${words} --save`),
      done.map((text) => `${text} by 0 save`),
    );
  }
  const covered = new Set(CHANGES.map(([words]) => words.split(' ').slice(0, 2).join(' ')));
  for (const { name, action } of COMMANDS) ok(action !== 'change' || covered.has(name), name);
});

/** Words, and what is said about them. */
const REFUSALS: readonly (readonly [words: string, error: string])[] = [
  ['group create ipmp0', 'group ipmp0 exists already (EEXIST)'],
  ['group create ipmp1 -i net0', 'net0 is in group ipmp0 already (EALREADY)'],
  ['group rename ipmp2 ipmp0', 'group ipmp0 exists already (EEXIST)'],
  ['group set ipmp0 mtu=big', 'mtu: "big" is not valid (EINVAL)\n  auto'],
  ['interface create net0', 'interface net0 exists already (EEXIST)'],
  ['interface delete net9', 'there is no interface net9 (ENXIO)'],
  [
    'interface offline net0',
    'cannot take net0 offline: no other interface of group ipmp0 works (EBUSY)',
  ],
  ['address add 192.0.2.10/24 dev ipmp0', '192.0.2.10/24 is on ipmp0 already (EEXIST)'],
  [
    'address add 192.0.2.10 dev ipmp0',
    'address "192.0.2.10" is not valid (EINVAL)\n' +
      '  an address with its prefix length, such as 192.0.2.10/24',
  ],
  [
    'neighbor add 192.0.2.9 lladdr 2:0:0:0:0:9 dev ipmp0',
    'lladdr "2:0:0:0:0:9" is not valid (EINVAL)\n' +
      '  six pairs of hexadecimal digits, such as 02:00:00:00:00:01',
  ],
  [
    'group create averyveryverylongname',
    'name "averyveryverylongname" is longer than 15 characters (ENAMETOOLONG)\n' +
      '  a letter, then up to 14 letters, digits, ., _ or -',
  ],
];

test('[contract 4.22, 8.2] a refusal has code, sentence and hint; nothing changes', async () => {
  await using daemon = await fakeDaemon();
  for (const [words, error] of REFUSALS) {
    const outcome = await ipmpadm(daemon.socketPath, words);
    deepEqual(outcome, { status: 1, out: '', error: `ipmpadm: ${error}\n` });
  }
  deepEqual(daemon.backend.done, []);
});

test('several requests of one command: the first refusal ends it', async () => {
  await using daemon = await fakeDaemon();
  const refused = await ipmpadm(daemon.socketPath, 'group add ipmp0 net2 net9 net3');
  equal(refused.error, 'ipmpadm: there is no interface net9 (ENXIO)\n');
  deepEqual(daemon.backend.done, ['addMember ipmp0 net2 by 0']);
});

/** Runs an example until its end, or its first event. */
async function runExample(daemon: FakeDaemon, example: string): Promise<number> {
  const controller = new AbortController();
  const publish = setInterval(() => daemon.backend.publish('link-down'), 5);
  const outcome = await ipmpadm(daemon.socketPath, example, {
    interrupted: controller.signal,
    onPrint: () => controller.abort(),
  }).finally(() => clearInterval(publish));
  return outcome.status;
}

test('every example works', async () => {
  for (const { example, name } of COMMANDS) {
    await using daemon = await fakeDaemon();
    equal(await runExample(daemon, example), name === 'status' ? 4 : 0, example);
  }
});
