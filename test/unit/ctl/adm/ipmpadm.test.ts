/** `ipmpadm` against a served harness: what it prints, in every form, and how it ends. */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { jsonRead } from '../../../../src/base/text/json.ts';
import { ROWS } from '../../../../src/model/rows.ts';
import { HUGE } from '../api/backend.ts';
import { controlHarness, ipmpadm, until, untilPrinted } from '../api/harness.ts';

test('[contract 4.1, 4.10] show prints rows as text, brief, on a line, with details', async () => {
  await using daemon = await controlHarness();
  const print = async (words: string): Promise<string> => {
    const { status, out, error } = await ipmpadm(daemon.socketPath, words);
    deepEqual([status, error], [0, '']);
    return out;
  };
  equal(
    await print('group show'),
    'ipmp0: <RUNNING,IPMP> state degraded mtu 1500 fdt 1s\n    active net0 failed net1\n' +
      '    cause: not all interfaces of the group work\n' +
      'ipmp2: <FAILED,IPMP> state failed mtu 1280 fdt 1s\n' +
      '    cause: no interface of the group works\n',
  );
  equal(
    await print('-o group show ipmp0'),
    'ipmp0: <RUNNING,IPMP> state degraded mtu 1500 fdt 1s\\    active net0 failed net1' +
      '\\    cause: not all interfaces of the group work\n',
  );
  equal(await print('-br group'), 'ipmp0  degraded  net0,net1\nipmp2  failed\n');
  match(
    await print('-d group'),
    /\n {4}ifname ipmp0 cause members-differ interfaces net0,net1 spreading flow .*\nipmp2/,
  );
  equal(
    await print('interface show net1'),
    'net1: <FAILED> mtu 1500 group ipmp0\n' +
      '    state failed link down probe disabled lladdr 02:00:00:00:00:01\n' +
      '    cause: its link went down\n',
  );
  match(
    await print('-d interface show net1'),
    /cause: its link went down\n {4}nominated false cause link-down\n$/,
  );
  equal(await print('address show dev nosuch'), '');
  equal(
    await print('n'),
    '192.0.2.9 dev ipmp0 lladdr 02:00:00:00:00:fe REACHABLE\n192.0.2.10 dev ipmp0 INCOMPLETE\n',
  );
  equal(await print('multicast'), '239.1.2.10 dev ipmp0 inbound net0\n239.1.2.9 dev ipmp2\n');
  equal(await print('multicast show dev ipmp2'), '239.1.2.9 dev ipmp2\n');
  equal(await print('target'), '192.0.2.9 dev net0 alive rtt 1.234ms\n192.0.2.10 dev net0 dead\n');
  equal(await print('-br target'), '192.0.2.9   net0  alive  1.234ms\n192.0.2.10  net0  dead\n');
  equal(await print('status'), 'ipmp0: degraded active net0 failed net1\nipmp2: failed\n');
  const statistics = await print('-s group show ipmp0');
  match(statistics, new RegExp(`RX: +bytes +packets +errors.*\n +${HUGE} +0 +0`));
});

test('rows stand in natural order, for any order of the daemon', async () => {
  await using daemon = await controlHarness();
  const print = async (words: string) => (await ipmpadm(daemon.socketPath, words)).out;
  equal(
    await print('-br i'),
    'net0   ok      up    ipmp0\nnet1   failed  down  ipmp0\nnet2   ok      up\n' +
      'net3   ok      up\nnet10  ok      up\n',
  );
  const addresses =
    '192.0.2.10/24 dev ipmp0 data up inbound net0 outbound net0\n' +
    '192.0.2.11/24 dev ipmp0 data duplicate\n' +
    '192.0.2.100/24 dev ipmp0 data up inbound net0 outbound net0\n' +
    '2001:db8::10/64 dev ipmp0 data down\n';
  const tests = '192.0.2.21/24 dev net0 test up inbound net0 outbound net0\n';
  equal(await print('address'), addresses + tests);
  equal(await print('address show dev net0'), tests);
  equal(await print('test-address'), tests);
  equal(await print('test-address show dev net1'), '');
  const json = JSON.parse(await print('-j i')) as { ifname: string }[];
  deepEqual(
    json.map(({ ifname }) => ifname),
    ['net0', 'net1', 'net2', 'net3', 'net10'],
  );
});

test('[contract 4.14] config show: key = value, and where the value comes from', async () => {
  await using daemon = await controlHarness();
  equal(
    (await ipmpadm(daemon.socketPath, 'config show')).out,
    `log.level                 = info                            # argument
interfaces.net0.standby   = false                           # default
groups.ipmp0.addresses    = [192.0.2.10/24, 192.0.2.11/24]  # /etc/ipmpd/ipmpd.yaml:9
groups.ipmp0.flap-damping = { ups: 2, within: 60s }         # default
groups.ipmp0.mtu          = 1500                            # command
`,
  );
  const json = JSON.parse((await ipmpadm(daemon.socketPath, '-j config')).out);
  deepEqual(json[0], { key: 'log.level', value: 'info', origin: 'argument' });
});

test('[contract 4.18, 4.19] JSON carries every field, 64-bit counters exactly', async () => {
  await using daemon = await controlHarness();
  const plain = await ipmpadm(daemon.socketPath, '-j group show ipmp0');
  const group = (await daemon.backend.groups()).find((row) => row.group === 'ipmp0');
  deepEqual(JSON.parse(plain.out), [{ ...group }]);
  deepEqual(Object.keys(group ?? {}), Object.keys(ROWS.group.fields));
  equal(plain.out.split('\n').length, 2);
  const pretty = await ipmpadm(daemon.socketPath, '-j -p group show ipmp0');
  equal(pretty.out, `${JSON.stringify(JSON.parse(plain.out), null, 4)}\n`);
  const kstats = await ipmpadm(daemon.socketPath, '-j kstat ipmp:::rbytes64');
  const [kstat] = jsonRead(kstats.out) as { crtime: unknown; data: unknown }[];
  match(kstats.out, new RegExp(`"rbytes64":${HUGE}[,}]`));
  match(kstats.out, /"crtime":0\.001000000,"snaptime":0\.002000000/);
  deepEqual(Object.keys(kstat?.data as object), ['rbytes64']);
  const empty = await ipmpadm(daemon.socketPath, '-j address show dev nosuch');
  equal(empty.out, '[]\n');
});

test('[contract 4.11] kstat prints the form of Solaris with -p, and takes globs', async () => {
  await using daemon = await controlHarness();
  const { out } = await ipmpadm(daemon.socketPath, 'kstat -p ipmp:0:ipmp*:rbytes*');
  equal(out, `ipmp:0:ipmp0:rbytes\t1\nipmp:0:ipmp0:rbytes64\t${HUGE}\n`);
  const whole = await ipmpadm(daemon.socketPath, 'kstat -p ipmpd:0:drops');
  equal(
    whole.out,
    'ipmpd:0:drops:runt\t3\nipmpd:0:drops:class\tmisc\nipmpd:0:drops:crtime\t0.001000000\n' +
      'ipmpd:0:drops:snaptime\t0.002000000\nipmpd:0:drops:stale\t0\n',
  );
  const classes = await ipmpadm(daemon.socketPath, 'kstat -p :::class');
  equal(classes.out, 'ipmp:0:ipmp0:class\tnet\nipmpd:0:drops:class\tmisc\n');
  const table = await ipmpadm(daemon.socketPath, 'kstat ipmpd');
  match(table.out, /^module: ipmpd {2}instance: 0 {2}name: drops\n {4}runt +3\n/);
  equal((await ipmpadm(daemon.socketPath, 'kstat nosuch')).status, 1);
  equal((await ipmpadm(daemon.socketPath, 'kstat a:b:c:d:e')).status, 2);
});

test('only the kstats that are asked for are read', async () => {
  await using daemon = await controlHarness();
  equal((await ipmpadm(daemon.socketPath, 'kstat ipmp:0:ipmp0:obytes')).status, 0);
  equal((await ipmpadm(daemon.socketPath, '-s group show')).status, 0);
  deepEqual(daemon.backend.kstatsRead, ['ipmp:ipmp0', 'ipmp:ipmp0']);
});

test('[contract 4.22] a refusal is printed with its code and hint; exit status 1', async () => {
  await using daemon = await controlHarness();
  deepEqual(await ipmpadm(daemon.socketPath, 'group delete ipmp0'), {
    status: 1,
    out: '',
    error:
      'ipmpadm: cannot delete group ipmp0: it still has members net0, net1 (EBUSY)\n' +
      '  remove them first: ipmpadm group remove ipmp0 net0 net1\n',
  });
  const json = await ipmpadm(daemon.socketPath, '-j group delete ipmp0');
  equal(json.status, 1);
  deepEqual(JSON.parse(json.error), {
    error: {
      code: 'EBUSY',
      message: 'cannot delete group ipmp0: it still has members net0, net1',
      hint: 'remove them first: ipmpadm group remove ipmp0 net0 net1',
    },
  });
  const absent = await ipmpadm(daemon.socketPath, 'group show nosuch');
  deepEqual(absent, { status: 1, out: '', error: 'ipmpadm: there is no group nosuch (ENOENT)\n' });
  const missing = await ipmpadm(daemon.socketPath, 'interface show nosuch');
  equal(missing.error, 'ipmpadm: there is no interface nosuch (ENXIO)\n');
  deepEqual(await ipmpadm(daemon.socketPath, 'group delete ../../etc'), {
    status: 1,
    out: '',
    error:
      'ipmpadm: name "../../etc" is not valid (EINVAL)\n' +
      '  a letter, then up to 14 letters, digits, ., _ or -\n',
  });
});

test('[contract 4.15] reload prints what has changed; what was not done is a failure', async () => {
  await using daemon = await controlHarness();
  equal((await ipmpadm(daemon.socketPath, 'reload')).out, 'nothing to change\n');
  for (const [problems, status, error] of [
    [[], 0, 'ipmpadm: warning: c\n'],
    [['b'], 1, 'ipmpadm: b\nipmpadm: warning: c\n'],
  ] as const) {
    daemon.backend.reloaded = { changes: ['a'], problems, warnings: ['c'] };
    deepEqual(await ipmpadm(daemon.socketPath, 'reload'), { status, out: 'a\n', error });
  }
  const json = await ipmpadm(daemon.socketPath, '-j reload');
  deepEqual([json.status, JSON.parse(json.out)], [1, daemon.backend.reloaded]);
});

test('[contract 4.12] status --check: the exit status is the state', async () => {
  await using daemon = await controlHarness();
  const check = async (): Promise<number> =>
    (await ipmpadm(daemon.socketPath, 'status --check')).status;
  equal(await check(), 4);
  daemon.backend.group = { ...daemon.backend.group, state: 'failed' };
  equal(await check(), 5);
  equal((await ipmpadm(daemon.socketPath, 'status')).status, 0);
  daemon.backend.group = { ...daemon.backend.group, state: 'ok' };
  equal(await check(), 0);
});

test('[contract 4.21] no daemon: exit status 3, and what to look at', async () => {
  const outcome = await ipmpadm('/nonexistent/ipmpd.sock', 'status');
  equal(outcome.status, 3);
  equal(
    outcome.error,
    'ipmpadm: cannot reach ipmpd at /nonexistent/ipmpd.sock: there is no such socket\n' +
      '  is ipmpd running?\n',
  );
  const json = await ipmpadm('/nonexistent/ipmpd.sock', '-j status');
  equal(JSON.parse(json.error).error.code, 'ECONNREFUSED');
});

test('[contract 4.2, 4.21] help, usage errors, config check and lab need no daemon', async () => {
  const nowhere = '/nonexistent/ipmpd.sock';
  const help = await ipmpadm(nowhere, 'help');
  deepEqual([help.status, help.error], [0, '']);
  ok(help.out.startsWith('Usage: ipmpadm [OPTIONS]'));
  deepEqual(await ipmpadm(nowhere, 'grup'), {
    status: 2,
    out: '',
    error: 'ipmpadm: there is no object "grup"\n  did you mean group?\n',
  });
  deepEqual(await ipmpadm(nowhere, '-V'), { status: 0, out: 'ipmpadm 0.0.0\n', error: '' });
  equal((await ipmpadm(nowhere, 'config check good')).out, 'good: good\n');
  deepEqual(await ipmpadm(nowhere, 'config check bad'), {
    status: 1,
    out: '',
    error: 'bad:1: x: is bad (good)\n',
  });
  equal((await ipmpadm(nowhere, 'lab run --once')).status, 0);
});

test('colours: on a terminal, when asked for, never in JSON', async () => {
  await using daemon = await controlHarness();
  const print = async (words: string, isColorful: boolean): Promise<string> => {
    const { out } = await ipmpadm(daemon.socketPath, words, { isColorful });
    return out.replaceAll('\u001b[', '^').replaceAll('^0m', '$');
  };
  const colored = '^36mipmp0$: ^33mdegraded$ active ^36mnet0$ failed ^36mnet1$\n';
  match(await print('status', true), /^\^36mipmp0\$: /);
  equal((await print('-c status', false)).split('^36mipmp2')[0], colored);
  for (const words of ['-c=never status', '-j status', '-c -j status']) {
    ok(!(await print(words, true)).includes('^'), words);
  }
  ok(!(await print('-c=auto status', false)).includes('^'));
  equal(
    (await print('-br i', true)).split('\n')[1],
    '^36mnet1$   ^31mfailed$  ^31mdown$  ^36mipmp0$',
  );
  match(await print('address', true), /^\^35m192\.0\.2\.10\/24\$ dev \^36mipmp0\$ data \^32mup\$/);
  match(await print('address', true), /\^34m2001:db8::10\/64\$/);
  match(await print('n', true), /lladdr \^33m02:00:00:00:00:fe\$ \^32mREACHABLE\$/);
});

test('[contract 4.1, 4.13] monitor prints events as they happen, until interrupted', async () => {
  await using daemon = await controlHarness();
  const monitor = async (words: string): Promise<string> => {
    const { status, out } = await untilPrinted(daemon, words);
    equal(status, 0);
    return out.split('\n')[0] ?? '';
  };
  equal(await monitor('monitor'), 'ipmp0 net1 interface-state from ok to failed (link-down)');
  match(await monitor('-t monitor'), /^\[2026-01-02T03:04:05\.678901Z\] ipmp0 net1 /);
  deepEqual(JSON.parse(await monitor('-j monitor')), {
    time: '2026-01-02T03:04:05.678901Z',
    event: 'interface-state',
    group: 'ipmp0',
    ifname: 'net1',
    from: 'ok',
    to: 'failed',
    cause: 'link-down',
    detail: null,
    type: 'normal',
    signature: '0-7',
    version: 1,
  });
});

test('monitor shows only what it is asked for', async () => {
  await using daemon = await controlHarness();
  const { out } = await untilPrinted(daemon, 'monitor interface net2 group ipmp0', () => {
    daemon.backend.publish('link-down');
    daemon.backend.publish('link-down', { ifname: 'net2', group: 'ipmp2' });
    daemon.backend.publish('link-up', { ifname: 'net2' });
  });
  equal(out.split('\n')[0], 'ipmp0 net2 interface-state from ok to failed (link-up)');
  const wrong = await ipmpadm(daemon.socketPath, 'monitor event Wrong!');
  deepEqual([wrong.status, wrong.error.includes('event "Wrong!" is not valid')], [1, true]);
});

test('monitor ends with status 3 when the daemon stops', async () => {
  await using daemon = await controlHarness();
  let printed = 0;
  const running = ipmpadm(daemon.socketPath, 'monitor', { onPrint: () => printed++ });
  const publish = setInterval(() => daemon.backend.publish('link-down'), 5);
  await until(() => printed > 0, 'the monitor prints').finally(() => clearInterval(publish));
  await daemon.stop();
  equal((await running).status, 3);
  equal(daemon.backend.listeners.size, 0);
});
