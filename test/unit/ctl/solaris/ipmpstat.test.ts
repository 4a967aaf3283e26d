/** `ipmpstat` against fixed rows: the text of every mode, and how it refuses. */

import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { ipmpstatMain } from '../../../../src/ctl/solaris/ipmpstat.ts';
import type { AddressRow, GroupRow, InterfaceRow } from '../../../../src/model/rows.ts';
import type { GroupState } from '../../../../src/model/states.ts';
import { addressRow, groupRow, interfaceRow } from '../../../tools/rows.ts';
import { type Outcome, outcomeOf, RowsServer } from './harness.ts';

function group(
  name: string,
  state: GroupState,
  fdt_ms: number,
  members: string,
  rest: Partial<GroupRow>,
): GroupRow {
  const interfaces = members.split(' ');
  return groupRow(name, { state, fdt_ms, interfaces, active: interfaces, ...rest });
}

function nic(ifname: string, group: string | null, rest: Partial<InterfaceRow> = {}): InterfaceRow {
  return interfaceRow(ifname, { group, flags: [], ...rest });
}

function address(ifname: string, text: string, rest: Partial<AddressRow> = {}): AddressRow {
  return addressRow(text, { ifname, group: ifname, ...rest });
}

const GROUPS = [
  group('front0', 'ok', 10_000, 'tap0 tap1', {}),
  group('storage', 'failed', 10_000, 'tap2 tap3', { ifname: 'back0', active: [] }),
  group('wide0', 'degraded', 20_000, 'tap4 tap5 tap6 tap7', {
    active: ['tap4', 'tap7'],
    inactive: ['tap6'],
  }),
];

const FAILED = { state: 'failed', active: false } as const;
const NOMINATED = { nominated: true };

const INTERFACES = [
  nic('tap0', 'front0', { probe: 'ok', ...NOMINATED }),
  nic('tap1', 'front0', { probe: 'ok' }),
  nic('tap2', 'storage', { link: 'down', probe: 'failed', ...FAILED }),
  nic('tap3', 'storage', { link: 'unknown', state: 'offline', active: false }),
  nic('tap4', 'wide0', { link: 'unknown', probe: 'ok', ...NOMINATED }),
  nic('tap5', 'wide0', { probe: 'failed', ...FAILED }),
  nic('tap6', 'wide0', { active: false, standby: true, flags: ['INACTIVE', 'STANDBY'] }),
  nic('tap7', 'wide0'),
];

const OUTBOUND = { outbound: ['tap0', 'tap1'] };

const ADDRESSES = [
  address('front0', '2001:db8::20/64', { inbound: 'tap0', state: 'tentative', ...OUTBOUND }),
  address('front0', '198.51.100.20/24', { inbound: 'tap0', ...OUTBOUND }),
  address('front0', '198.51.100.21/24', { inbound: 'tap1', ...OUTBOUND }),
  address('back0', '203.0.113.9/24'),
  address('tap0', '198.51.100.100/24', { type: 'test', group: 'front0', inbound: 'tap0' }),
  address('tap0', '2001:db8::100/64', { type: 'test', group: 'front0', state: 'down' }),
  address('tap4', '203.0.113.50/24', { type: 'test', group: 'wide0', inbound: 'tap4' }),
];

const TARGETS = [
  { ifname: 'tap0', target: '198.51.100.1', state: 'active', mode: 'routes', rtt_us: null },
  { ifname: 'tap4', target: '203.0.113.8', state: 'active', mode: 'multicast', rtt_us: null },
  { ifname: 'tap0', target: '198.51.100.9', state: 'dead', mode: 'routes', rtt_us: null },
  { ifname: 'tap0', target: '198.51.100.2', state: 'active', mode: 'routes', rtt_us: null },
];

const REPLIES = {
  'GET /v1/groups': GROUPS,
  'GET /v1/interfaces': INTERFACES,
  'GET /v1/addresses': ADDRESSES,
  'GET /v1/targets': TARGETS,
};

const NAMES = new Map([
  ['198.51.100.20', 'web.example.net'],
  ['198.51.100.1', 'gateway-of-the-front-lan.example.net'],
]);

/** The replies of each table, and the one of all. */
function withSnapshot(replies: Record<string, unknown>): Record<string, unknown> {
  const tables = Object.entries(replies).map(([name, rows]) => [name.split('/').at(-1), rows]);
  const rest = { time: 't', signature: '0-1', multicast: [] };
  return { ...replies, 'GET /v1/snapshot': { ...rest, ...Object.fromEntries(tables) } };
}

/** Runs it against the replies; `asked` gets the addresses whose names are looked up. */
async function ipmpstat(
  words: string,
  replies: object = {},
  height = 0,
  asked: string[] = [],
): Promise<Outcome> {
  await using server = await RowsServer.start(withSnapshot({ ...REPLIES, ...replies }));
  return await outcomeOf((process) =>
    ipmpstatMain(['--socket', server.socketPath, ...words.split(' ')], {
      ...process,
      windowHeight: () => height,
      hostNames: async (addresses) => {
        asked.push(...addresses);
        return NAMES;
      },
    }),
  );
}

async function shown(words: string, replies: object = {}): Promise<string> {
  const { status, out, error } = await ipmpstat(words, replies);
  deepEqual([status, error], [0, '']);
  deepEqual(await ipmpstat(`-L ${words}`, replies), { status, out, error }, 'the same live');
  return out;
}

/** The table is that of the template, without the indentation of its lines. */
function table(text: string): string {
  return text.slice(1).replace(/^ +/gm, '');
}

test('-g: groups, their members by what they do, the newest first', async () => {
  equal(
    await shown('-g'),
    table(`
      GROUP       GROUPNAME   STATE     FDT       INTERFACES
      front0      front0      ok        10.00s    tap1 tap0
      back0       storage     failed    10.00s    [tap3 tap2]
      wide0       wide0       degraded  20.00s    tap7 tap4 (tap6) [tap5]
    `),
  );
});

test('-g: no time of detection while no member is probed', async () => {
  const unprobed = INTERFACES.map((row) => ({ ...row, probe: 'disabled' }));
  const out = await shown('-gP -o group,fdt', { 'GET /v1/interfaces': unprobed });
  equal(out, 'front0:\nback0:\nwide0:\n');
});

test('-g: a member that has gone between two replies is a warning', async () => {
  const left = INTERFACES.filter((row) => row.group !== 'storage');
  const { status, out, error } = await ipmpstat('-gP -o group,fdt,interfaces', {
    'GET /v1/interfaces': left,
  });
  equal(status, 0);
  equal(
    out,
    'front0:10.00s:tap1 tap0\nback0:?:[tap3 tap2]\nwide0:20.00s:tap7 tap4 (tap6) [tap5]\n',
  );
  equal(
    error,
    'ipmpstat: warning: cannot get info for interface tap2\n' +
      'ipmpstat: warning: cannot get info for interface tap3\n',
  );
});

test('-a: data addresses, their places and senders', async () => {
  equal(
    await shown('-an'),
    table(`
      ADDRESS                   STATE  GROUP       INBOUND     OUTBOUND
      2001:db8::20              down   front0      tap0        --
      198.51.100.20             up     front0      tap0        tap1 tap0
      198.51.100.21             up     front0      tap1        tap1 tap0
      203.0.113.9               up     back0       --          --
    `),
  );
});

test('-a: an address that two rows have is shown once, up rather than down', async () => {
  const twice = [
    address('front0', '198.51.100.20/32', { state: 'duplicate' }),
    address('front0', '198.51.100.20/24', { inbound: 'tap0' }),
    address('front0', '198.51.100.20/16', { state: 'down' }),
    address('back0', '198.51.100.20/24', { state: 'down' }),
  ];
  const out = await shown('-anP -o address,state,group', { 'GET /v1/addresses': twice });
  equal(out, '198.51.100.20:up:front0\n198.51.100.20:down:back0\n');
});

test('-i: interfaces, group by group, the newest first', async () => {
  equal(
    await shown('-i'),
    table(`
      INTERFACE   ACTIVE  GROUP       FLAGS     LINK      PROBE     STATE
      tap1        yes     front0      -------   up        ok        ok
      tap0        yes     front0      --mbM--   up        ok        ok
      tap3        no      back0       -----d-   unknown   disabled  offline
      tap2        no      back0       -------   down      failed    failed
      tap7        yes     wide0       -------   up        disabled  ok
      tap6        no      wide0       is-----   up        disabled  ok
      tap5        no      wide0       -------   up        failed    failed
      tap4        yes     wide0       --mbM--   unknown   ok        ok
    `),
  );
});

test('-i: what has no group, a vanished group, an absent device, a MAC that clashes', async () => {
  const interfaces = [
    nic('net0', null),
    nic('net1', 'gone0'),
    nic('net2', 'front0', { state: 'absent', active: false, link: 'unknown' }),
    nic('net3', 'front0', { state: 'offline', active: false, cause: 'duplicate-mac' }),
  ];
  const { status, out, error } = await ipmpstat('-iP -o interface,group,flags,state', {
    'GET /v1/groups': [group('front0', 'failed', 1000, 'net2 net3', { active: [] })],
    'GET /v1/interfaces': interfaces,
  });
  equal(status, 0);
  equal(error, 'ipmpstat: warning: cannot get info for group gone0\n');
  equal(
    out,
    'net3:front0:-----dh:offline\nnet2:front0:-----d-:absent\nnet0::-------:ok\n' +
      'net1:?:-------:ok\n',
  );
});

test('-t: how each interface is probed', async () => {
  equal(
    await shown('-nt'),
    table(`
      INTERFACE   MODE      TESTADDR            TARGETS
      tap1        disabled  --                  --
      tap0        routes    198.51.100.100      198.51.100.1 198.51.100.2
      tap3        disabled  --                  --
      tap2        disabled  --                  --
      tap7        disabled  --                  --
      tap6        disabled  --                  --
      tap5        disabled  --                  --
      tap4        multicast 203.0.113.50        203.0.113.8
    `),
  );
});

test('-t: a row for each family that is probed, one if none is; ? without a mode', async () => {
  const replies = {
    'GET /v1/groups': [group('front0', 'ok', 1000, 'tap0 tap1 tap2', {})],
    'GET /v1/interfaces': ['tap0', 'tap1', 'tap2'].map((name) =>
      nic(name, 'front0', { probe: name === 'tap2' ? 'disabled' : 'unknown' }),
    ),
    'GET /v1/addresses': [
      address('tap0', '192.0.2.1/24', { type: 'test' }),
      address('tap0', '2001:db8::1/64', { type: 'test' }),
      address('tap1', '2001:db8::2/64', { type: 'test' }),
      address('tap2', '192.0.2.3/24', { type: 'test' }),
    ],
    'GET /v1/targets': [{ ...TARGETS[0], ifname: 'tap1', target: '2001:db8::9' }],
  };
  equal(
    await shown('-tnP -o interface,mode,testaddr,targets', replies),
    'tap2:disabled::\n' +
      'tap1:routes:2001\\:db8\\:\\:2:2001\\:db8\\:\\:9\n' +
      'tap0:?:192.0.2.1:\ntap0:?:2001\\:db8\\:\\:1:\n',
  );
});

test('addresses are shown by name unless -n; a long name pushes its row', async () => {
  const [, , row] = (await shown('-a')).split('\n');
  equal(row, 'web.example.net           up     front0      tap0        tap1 tap0');
  equal(
    await shown('-tP -o targets,interface,testaddr').then((text) => text.split('\n')[1]),
    'gateway-of-the-front-lan.example.net 198.51.100.2:tap0:198.51.100.100',
  );
});

test('names are looked up only if they will be shown, each once', async () => {
  for (const [words, expected] of [
    ['-an', []],
    ['-ao state,group', []],
    ['-g', []],
    ['-i', []],
    ['-tPo mode', []],
    ['-tPo testaddr', ['198.51.100.100', '203.0.113.50']],
    ['-aPo address,address', ADDRESSES.slice(0, 4).map((row) => row.address.split('/')[0])],
  ] as const) {
    const asked: string[] = [];
    equal((await ipmpstat(words, {}, 0, asked)).status, 0);
    deepEqual(asked, expected, words);
  }
});

test('unknown fields: a warning for people, a refusal for programs', async () => {
  const people = await ipmpstat('-g -o colour,state');
  deepEqual(
    [people.status, people.error],
    [0, 'ipmpstat: warning: ignoring unknown output field(s) colour\n'],
  );
  equal(people.out, 'STATE\nok\nfailed\ndegraded\n');
  deepEqual(await ipmpstat('-g -P -o colour,state'), {
    status: 1,
    out: '',
    error: 'ipmpstat: fatal: unknown output field(s) colour\n',
  });
});

test('the header is repeated with each window', async () => {
  const { out } = await ipmpstat('-i -o interface', {}, 4);
  deepEqual(
    out.split('\n').flatMap((line, at) => (line === 'INTERFACE' ? [at] : [])),
    [0, 4, 8],
  );
});

test('-p: there are no probes; its fields are checked all the same', async () => {
  const disabled = 'ipmpstat: fatal: probe-based failure detection is disabled\n';
  deepEqual(await ipmpstat('-pn'), { status: 1, out: '', error: disabled });
  deepEqual((await ipmpstat('-p -o time,target')).error, disabled);
  match((await ipmpstat('-p -o nosuch')).error, /no valid output fields/);
});

test('wrong usage: the usage, and exit status 1', async () => {
  for (const words of ['-n', '-a extra', '-x', '-go', '-n -P -o group', '--group']) {
    const { status, out, error } = await ipmpstat(words);
    deepEqual([status, out], [1, ''], words);
    match(error, /usage: ipmpstat \[-n\]/, words);
  }
  match((await ipmpstat('-a -g')).error, /^ipmpstat: only one output format may be specified\n/);
  const help = await ipmpstat('--help');
  deepEqual([help.status, help.error], [0, '']);
  match(help.out, /-p {2}probes as they end: time,interface,probe,netrtt,rtt,rttavg,target,rttdev/);
});

test('no daemon, or one with other replies: a sentence, exit status 1', async () => {
  for (const letter of ['a', 'g', 'i', 'p', 't']) {
    const { status, error } = await ipmpstat(`--socket /nonexistent/ipmpd.sock -${letter}`);
    equal(status, 1);
    equal(
      error,
      'ipmpstat: fatal: cannot contact ipmpd at /nonexistent/ipmpd.sock: ' +
        'there is no such socket -- is IPMP in use?\n',
    );
  }
  for (const [words, sentence] of [
    ['-g', 'the daemon replied with no row of kind Snapshot: groups'],
    ['-gL', 'the daemon replied with no list'],
  ] as const) {
    const strange = await ipmpstat(words, { 'GET /v1/groups': { groups: [] } });
    deepEqual([strange.status, strange.error], [1, `ipmpstat: fatal: ${sentence}\n`]);
  }
});
