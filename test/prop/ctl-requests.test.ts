/**
 * Arbitrary requests to the API: whatever comes, the reply is what was asked for or one coded
 * refusal, the daemon is asked for nothing that its schemas do not allow, and the server lives on.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { isErrorCode } from '../../src/base/errors.ts';
import { httpStatusOf } from '../../src/ctl/api/refusal.ts';
import { ROUTES } from '../../src/ctl/api/routes.ts';
import { ask, type ControlHarness, controlHarness, type Reply } from '../unit/ctl/api/harness.ts';

const CHANGES = ROUTES.filter(({ method }) => method !== 'GET');

/** Bodies that are right, or nearly. */
const RIGHT = [
  { name: 'g', interfaces: ['net2', 'net3'] },
  { name: 'n', uplink: 'eth0', standby: true },
  { to: 'u' },
  { mtu: 1400, failback: false, addresses: ['192.0.2.10/24'] },
  { standby: true },
  { address: '192.0.2.12/24' },
  { dst: '192.0.2.9', lladdr: '02:00:00:00:00:09', proxy: true },
  { file: 'f', text: 'log: {}' },
];

const rightText = fc.constantFrom(...RIGHT).map((body) => JSON.stringify(body));

/** A text with one piece of it replaced by another. */
const mutatedText = fc
  .tuple(rightText, fc.nat(200), fc.nat(8), fc.oneof(fc.string({ unit: 'binary' }), rightText))
  .map(([text, at, length, piece]) => {
    const from = at % (text.length + 1);
    return text.slice(0, from) + piece + text.slice(from + length);
  });

const anyBody = fc.oneof(
  { arbitrary: rightText, weight: 5 },
  mutatedText,
  fc.json(),
  fc.nat(3000).map((depth) => '['.repeat(depth)),
  fc.nat(3000).map((depth) => `{"name":${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}}`),
  fc.constantFrom('{"__proto__":{"x":1}}', '{"constructor":{"prototype":1}}', '1e999', '"\\ud800"'),
);

/** Values in a path, by the name of the parameter; or anything. */
const SEGMENTS: Readonly<Record<string, readonly string[]>> = {
  name: ['ipmp0', 'ipmp2'],
  ifname: ['net1', 'net2'],
  address: ['192.0.2.12', '192.0.2.12%2F24'],
  dst: ['192.0.2.9'],
};

const anySegment = fc.oneof(
  fc.constantFrom('nosuch', '%00', '..', '%2e', '192.0.2.9'),
  fc.string({ maxLength: 20 }).map((text) => encodeURIComponent(text)),
);

const anyRequest = fc.record({
  route: fc.constantFrom(...CHANGES),
  strange: fc.option(anySegment, { nil: undefined, freq: 2 }),
  choice: fc.nat(1),
  query: fc.constantFrom('', '', '?save=true', '?save=maybe', '?x=1', '?save'),
  body: fc.option(anyBody, { nil: undefined, freq: 2 }),
});

/** The reply is a success, or a refusal of the table. */
function checkReply(reply: Reply): void {
  if (reply.status >= 200 && reply.status < 300) return;
  const { error } = JSON.parse(reply.text) as { error: Record<string, unknown> };
  deepEqual(Object.keys(error), ['code', 'message', 'hint']);
  ok(isErrorCode(error.code), `${error.code} is a code`);
  equal(reply.status, httpStatusOf(error.code));
  ok(reply.status !== 500, reply.text);
  ok(String(error.message).length < 400 && !/\p{Cc}/u.test(String(error.message)), reply.text);
}

test('[contract 8.2] arbitrary changes: done, or refused with one code; it lives on', async () => {
  await using daemon = await controlHarness();
  let done = 0;
  await fc.assert(
    fc.asyncProperty(anyRequest, async ({ route, strange, choice, query, body }) => {
      const path = route.path.replace(/:(\w+)/g, (_, name) => {
        const known = SEGMENTS[name] ?? [];
        return strange ?? known[choice] ?? known[0] ?? '';
      });
      const reply = await ask(daemon, path + query, {
        method: route.method,
        ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }),
      });
      checkReply(reply);
      const isDone = daemon.backend.done.length > 0;
      if (isDone) {
        done++;
        await daemon.backend.harness.renew();
      }
      ok(!isDone || reply.status < 300, 'what was refused was not done');
    }),
    { numRuns: 1500 },
  );
  ok(done > 20, `${done} changes were right`);
  equal((await ask(daemon, '/v1/groups')).status, 200);
});

/** Sends bytes as they are and waits for the end of the connection. */
async function sendRaw(daemon: ControlHarness, bytes: Uint8Array): Promise<string> {
  const socket = connect(daemon.socketPath);
  let text = '';
  return await new Promise((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => resolve(text));
    socket.end(bytes);
  });
}

const HEAD = 'DELETE /v1/groups/nosuch HTTP/1.1\r\nhost: ipmpd\r\nconnection: close\r\n';

test('arbitrary bytes: a reply of HTTP or an end, and the server lives on', async () => {
  await using daemon = await controlHarness();
  const right = new TextEncoder().encode(`${HEAD}\r\n`);
  const mutated = fc
    .tuple(fc.nat(right.length), fc.nat(20), fc.uint8Array({ maxLength: 40 }))
    .map(([at, length, piece]) =>
      Uint8Array.of(...right.slice(0, at), ...piece, ...right.slice(at + length)),
    );
  await fc.assert(
    fc.asyncProperty(fc.oneof(mutated, fc.uint8Array({ maxLength: 400 })), async (bytes) => {
      const text = await sendRaw(daemon, bytes);
      ok(text === '' || /^HTTP\/1\.1 \d{3} /.test(text), text.slice(0, 80));
    }),
    { numRuns: 500 },
  );
  equal((await ask(daemon, '/v1/groups')).status, 200);
  deepEqual(daemon.backend.done, []);
});
