/** `if_mpadm`: its requests to the daemon, and what each refusal becomes. */

import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { ifMpadmMain } from '../../../../src/ctl/solaris/if-mpadm.ts';
import { interfaceRow } from '../../../tools/rows.ts';
import { type Outcome, outcomeOf, Reply, RowsServer, refusal } from './harness.ts';

const INTERFACES = [interfaceRow('net0'), interfaceRow('net9', { group: null })];
const OFFLINE = 'POST /v1/interfaces/net0/offline';
const ONLINE = 'POST /v1/interfaces/net0/online';

function run(socketPath: string, words: string): Promise<Outcome> {
  return outcomeOf((process) =>
    ifMpadmMain([`--socket=${socketPath}`, ...words.split(' ')], process),
  );
}

function serverWith(replies: Record<string, unknown>): Promise<RowsServer> {
  return RowsServer.start({ 'GET /v1/interfaces': INTERFACES, ...replies });
}

test('-d and -r send one request each, and print nothing', async () => {
  const done = new Reply(204, undefined);
  await using server = await serverWith({ [OFFLINE]: done, [ONLINE]: done });
  const silence = { status: 0, out: '', error: '' };
  deepEqual(await run(server.socketPath, '-d net0'), silence);
  deepEqual(await run(server.socketPath, '-rnet0'), silence);
  deepEqual(
    server.asked.filter((asked) => asked.startsWith('POST')),
    [OFFLINE, ONLINE],
  );
});

const REFUSALS: readonly (readonly [words: string, code: string, sentence: string])[] = [
  ['-d net0', 'EALREADY', 'cannot offline net0: already offline'],
  [
    '-d net0',
    'EBUSY',
    'cannot offline net0: no other functioning interfaces are in its IPMP group',
  ],
  ['-d net0', 'EINVAL', 'cannot offline net0: not in an IPMP group'],
  ['-d net0', 'ENXIO', 'cannot offline net0: not a physical interface of IPMP'],
  ['-d net0', 'EACCES', 'cannot offline net0: it is as it is'],
  ['-r net0', 'EINVAL', 'cannot undo-offline net0: not offline'],
  [
    '-r net0',
    'EADDRINUSE',
    'cannot undo-offline net0: another interface of its IPMP group has the same hardware address',
  ],
  ['-r net0', 'ENXIO', 'cannot undo-offline net0: not a physical interface of IPMP'],
  ['-r net0', 'EIO', 'cannot undo-offline net0: it is as it is'],
];

for (const [words, code, sentence] of REFUSALS) {
  test(`${words} refused with ${code}`, async () => {
    const reply = refusal(code, 'it is as it is');
    await using server = await serverWith({ [OFFLINE]: reply, [ONLINE]: reply });
    deepEqual(await run(server.socketPath, words), {
      status: 1,
      out: '',
      error: `if_mpadm: fatal: ${sentence}\n`,
    });
  });
}

test('no request is sent for what is no member', async () => {
  await using server = await serverWith({});
  for (const [words, sentence] of [
    ['-d ipmp0', 'cannot offline ipmp0: not a physical interface of IPMP'],
    ['-r ../groups/x', 'cannot undo-offline ../groups/x: not a physical interface of IPMP'],
    ['-d net9', 'cannot offline net9: not in an IPMP group'],
    ['-r net9', 'cannot undo-offline net9: not in an IPMP group'],
  ] as const) {
    const { status, error } = await run(server.socketPath, words);
    deepEqual([status, error], [1, `if_mpadm: fatal: ${sentence}\n`]);
  }
  deepEqual(new Set(server.asked), new Set(['GET /v1/interfaces']));
});

test('wrong usage: the usage, and exit status 1', async () => {
  for (const words of ['', '-d', '-x net0', '-d net0 net1', '-d net0 -r net0', '--dnet0']) {
    const { status, out, error } = await run('/nonexistent/ipmpd.sock', words);
    deepEqual([status, out], [1, ''], words);
    match(error, /usage: if_mpadm \[--socket PATH\] -d IF/, words);
  }
  const help = await run('/nonexistent/ipmpd.sock', '--help');
  deepEqual([help.status, help.error], [0, '']);
});

test('no daemon: a sentence, exit status 1', async () => {
  const { status, error } = await run('/nonexistent/ipmpd.sock', '-d net0');
  equal(status, 1);
  equal(
    error,
    'if_mpadm: fatal: cannot contact ipmpd at /nonexistent/ipmpd.sock: there is no such socket' +
      ' -- is IPMP in use?\n',
  );
});
