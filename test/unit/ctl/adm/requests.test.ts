/** What a request may bring: bodies, parameters and queries, taken exactly or refused exactly. */
import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import {
  ask,
  type ControlHarness,
  codeOf,
  controlHarness,
  type Reply,
  send,
} from '../api/harness.ts';

const M1 = '02:00:00:00:00:09';
const G_OF_NET2 = 'groups.g={"interfaces":["net2"]}';
const JSON_TYPE = { 'content-type': 'application/json' };

function askWith(
  daemon: ControlHarness,
  method: string,
  path: string,
  body: string | undefined,
): Promise<Reply> {
  return ask(daemon, path, { method, ...(body === undefined ? {} : { body, headers: JSON_TYPE }) });
}

const NEIGHBOR = `{"dst":"192.0.2.9","lladdr":"${M1}","proxy":true}`;

/** Request and body; status and Location; the edits that come of it. */
const DONE = [
  ['POST groups {"name":"g"}', '201 /v1/groups/g', 'groups.g={"interfaces":[]}'],
  ['POST groups {"name":"g","interfaces":["net2"]}', '201 /v1/groups/g', G_OF_NET2],
  ['DELETE groups/ipmp2', '204', 'groups.ipmp2="removed"'],
  ['DELETE groups/ipmp2 {}', '204', 'groups.ipmp2="removed"'],
  ['POST groups/ipmp2/rename {"to":"u"}', '204', 'groups.ipmp2.name="u"'],
  [
    'PATCH groups/ipmp0 {"mtu":1400,"failback":false,"addresses":["192.0.2.10/24"],' +
      '"flap-damping":{"ups":2,"within":"60s"}}',
    '204',
    'groups.ipmp0.mtu=1400 groups.ipmp0.failback=false groups.ipmp0.addresses=["192.0.2.10/24"] ' +
      'groups.ipmp0.flap-damping={"ups":2,"within":"60s"}',
  ],
  ['PUT groups/ipmp0/interfaces/net2', '204', 'groups.ipmp0.interfaces=["net0","net1","net2"]'],
  [
    'POST interfaces {"name":"n","bridge":"br0","standby":true}',
    '201 /v1/interfaces/n',
    'interfaces.n={"bridge":"br0","standby":true}',
  ],
  ['POST interfaces/net1/offline', '204', 'offline net1'],
  [
    'POST groups/ipmp2/addresses {"address":"192.0.2.12/24"}',
    '201 /v1/groups/ipmp2/addresses/192.0.2.12%2F24',
    'groups.ipmp2.addresses=["192.0.2.12/24"]',
  ],
  [
    'DELETE groups/ipmp0/addresses/192.0.2.11%2F24',
    '204',
    'groups.ipmp0.addresses=["192.0.2.10/24"]',
  ],
  [
    'POST interfaces/net1/test-addresses {"address":"192.0.2.22/24"}',
    '201 /v1/interfaces/net1/test-addresses/192.0.2.22%2F24',
    'interfaces.net1.test-addresses=["192.0.2.22/24"]',
  ],
  [
    `POST groups/ipmp0/neighbors ${NEIGHBOR}`,
    '201 /v1/groups/ipmp0/neighbors/192.0.2.9',
    `groups.ipmp0.static-neighbors=[${NEIGHBOR}]`,
  ],
  ['PUT groups/ipmp0/multicast/239.1.2.3', '204', 'groups.ipmp0.multicast=["239.1.2.3"]'],
] as const;

test('requests that are right: status, Location, and what is asked of the daemon', async () => {
  await using daemon = await controlHarness();
  for (const [request, expected, edits] of DONE) {
    const [method = '', path = '', body] = request.split(' ');
    const isOperation = path.endsWith('/offline');
    for (const query of isOperation ? [''] : ['', '?save=false', '?save=true']) {
      await daemon.backend.harness.renew();
      const { status, location, text } = await askWith(daemon, method, `/v1/${path}${query}`, body);
      const save = query === '?save=true' ? ' save' : '';
      const got = [[status, location ?? []].flat().join(' '), text, daemon.backend.done];
      deepEqual(got, [expected, '', [edits + save]], `${request}${query}`);
    }
  }
});

test('[contract 5.6] config/check and reload reply with their row', async () => {
  await using daemon = await controlHarness();
  const check = (text: string) => send(daemon, 'POST', '/v1/config/check', { file: 'f', text });
  const good = await check('log: {}\n');
  deepEqual([good.status, JSON.parse(good.text)], [200, { errors: [] }]);
  const errors = ['f:1: bad: unknown key (log)'];
  deepEqual(JSON.parse((await check('bad: 1\n')).text), { errors });
  const reload = await ask(daemon, '/v1/reload', { method: 'POST' });
  const nothing = { changes: [], problems: [], warnings: [] };
  deepEqual([reload.status, JSON.parse(reload.text)], [200, nothing]);
  // A file of 256 KiB goes in, whatever its line breaks and quotes take as JSON; not a byte more.
  const large = '"\n'.repeat(128 * 1024);
  equal((await check(large)).status, 200);
  for (const text of [`${large}#`, 'é'.repeat(128 * 1024 + 1), '\u0001'.repeat(262_144)]) {
    const refusal = await check(text);
    match(`${refusal.status} ${codeOf(refusal)}`, /^(413 EMSGSIZE|400 EINVAL)$/);
  }
});

/** Request and body; the beginnings of the refusal, 400 EINVAL without a code, and of its hint. */
const REFUSED: readonly (readonly [request: string, refusal: string, hint?: string])[] = [
  ['GET /v1/nothing', '404 ENOENT: there is no GET /v1/nothing'],
  ['POST /v1/status {}', '404 ENOENT: there is no POST /v1/status'],
  ['GET /v1/groups?x=1', 'there is no key "x"', 'none is known here'],
  ['GET /v1/kstats?patern=x', 'there is no key "patern"', 'did you mean pat'],
  // Names in the path.
  ['DELETE /v1/groups/..%2f..%2fetc', 'name "../../etc" is not valid'],
  ['DELETE /v1/groups/%00', 'name "?" is not valid', 'a letter, then'],
  ['DELETE /v1/groups/aaaaaaaaaaaaaaaa', '400 ENAMETOOLONG: name "aaaaaaaaaaaaaaaa" is'],
  [`DELETE /v1/groups/${'%21'.repeat(80)}`, 'name "!!!!!!'],
  [`DELETE /v1/groups/${'x'.repeat(400)}`, 'the request is not valid: '],
  ['GET /%zz', 'the request is not valid: '],
  ['DELETE /v1/groups/ipmp0/addresses/x', 'address "x" is not valid'],
  // Queries.
  ['DELETE /v1/groups/ipmp2?save=yes', 'save "yes" is not', 'true or false'],
  ['DELETE /v1/groups/ipmp2?save=true&save=false', 'save is not valid'],
  ['DELETE /v1/groups/ipmp2?sav=true', 'there is no key "sav"', 'did you'],
  ['POST /v1/interfaces/net1/offline?save=true', 'there is no key "save"'],
  ['POST /v1/reload?save=true', 'there is no key "save"'],
  // Bodies.
  ['POST /v1/groups', 'the body of the request is missing'],
  ['POST /v1/groups ', 'the request is not valid: '],
  ['POST /v1/groups {"name"', 'the request is not valid: '],
  ['POST /v1/groups []', 'the body of the request is not valid'],
  ['POST /v1/groups {}', 'name is missing'],
  ['POST /v1/groups {"name":1}', 'name "1" is not valid', 'a letter, then'],
  ['POST /v1/groups {"name":null}', 'name "null" is not valid'],
  ['POST /v1/groups {"name":"g","x":1}', 'there is no key "x"', 'one of name, int'],
  ['POST /v1/groups {"name":"g","interfaces":"n"}', 'interfaces "n" is not valid'],
  ['POST /v1/groups {"name":"g","interfaces":["!"]}', 'interfaces.0 "!" is not'],
  [
    `POST /v1/groups ${JSON.stringify({ name: 'g', interfaces: Array(65).fill('n') })}`,
    'interfaces has more than 64 entries',
    'a list of at most 64 names',
  ],
  ['POST /v1/groups {"name":"g","__proto__":{"x":1}}', 'the request is not valid'],
  ['POST /v1/groups {"name":"g","constructor":{"prototype":{}}}', 'the request is not valid'],
  ['PATCH /v1/groups/ipmp0 {}', 'the body of the request names nothing to change'],
  ['PATCH /v1/groups/ipmp0 {"mtuu":1}', 'there is no key "mtuu"', 'did you mean mtu'],
  ['PATCH /v1/groups/ipmp0 {"mtu":null}', 'mtu "null" is not valid', 'a value as'],
  ['PATCH /v1/groups/ipmp0 {"mtu":1.5}', 'mtu "1.5" is not valid'],
  ['PATCH /v1/interfaces/net0 {"uplink":"eth0"}', 'there is no key "uplink"'],
  [
    'POST /v1/interfaces {"name":"n","uplink":"a","bridge":"b"}',
    'the body of the request asks for two things at once',
    'uplink or bridge, not both',
  ],
  ['POST /v1/interfaces {"name":"n","standby":"on"}', 'standby "on" is not', 'true'],
  ['POST /v1/groups/ipmp0/addresses {"address":"192.0.2.1"}', 'address "192.0.2.1"'],
  [
    'POST /v1/groups/ipmp0/neighbors {"dst":"192.0.2.9","lladdr":"2:0:0:0:0:9"}',
    'lladdr "2:0:0:0:0:9" is not valid',
    'six pairs',
  ],
  ['POST /v1/config/check {"file":"a\\nb","text":""}', 'file "a?b" is not valid'],
  ['DELETE /v1/groups/ipmp2 {"force":true}', 'DELETE /v1/groups/ipmp2 takes no body'],
  [`DELETE /v1/groups/ipmp2 ${'[['.repeat(1000)}`, 'the body is nested deeper'],
  [
    `PATCH /v1/groups/ipmp0 {"addresses":${'['.repeat(30_000)}${']'.repeat(30_000)}}`,
    'the body is nested deeper than 16 levels',
  ],
  [
    `PATCH /v1/groups/ipmp0 {"addresses":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}`,
    'the body is nested deeper than 16 levels',
  ],
  // Deep text as a setting, which is read as in the file; a blank would end the request here.
  ...['addresses [', 'mtu [', 'mtu {', 'mtu -\\u0020'].flatMap((row) => {
    const [key = '', open = ''] = row.split(' ');
    return [3000, 50_000].map((length): [string, string] => {
      const deep = open.repeat(length / open.length);
      return [`PATCH /v1/groups/ipmp0 {"${key}":"${deep}"}`, `groups.ipmp0.${key}: `];
    });
  }),
  [`DELETE /v1/groups/ipmp2 "${'x'.repeat(70_000)}"`, '413 EMSGSIZE: the body is larger than 64'],
  [`POST /v1/config/check "${'x'.repeat(600_000)}"`, '413 EMSGSIZE: the body is larger than 528'],
];

test('[contract 5.6, 8.2] wrong requests: the key, what was given, what is allowed', async () => {
  await using daemon = await controlHarness();
  for (const [request, refusal, hint = ''] of REFUSED) {
    const [method = '', path = '', body] = request.split(' ');
    const outcome = /^\d/.test(refusal) ? refusal : `400 EINVAL: ${refusal}`;
    const reply = await askWith(daemon, method, path, body);
    const { error } = JSON.parse(reply.text);
    const given = `${reply.status} ${error.code}: ${error.message}`;
    equal(given.slice(0, outcome.length), outcome, request.slice(0, 100));
    equal((error.hint ?? '').slice(0, hint.length), hint, request.slice(0, 100));
    equal(given.length < 300, true, given);
  }
  deepEqual(daemon.backend.done, []);
});

test('only JSON is read', async () => {
  await using daemon = await controlHarness();
  for (const type of ['text/xml', 'text/plain', 'multipart/form-data', 'nonsense']) {
    const reply = await ask(daemon, '/v1/groups', {
      method: 'POST',
      body: '{"name":"g"}',
      headers: { 'content-type': type },
    });
    deepEqual([reply.status, codeOf(reply)], [400, 'EINVAL'], type);
  }
  deepEqual(daemon.backend.done, []);
});
