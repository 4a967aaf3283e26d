/** Eight users and all verbs of the API: every cell of the matrix, against the served fake. */
import { deepEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { judgeCell } from '../../../siege/matrix.ts';
import { exchange, requestBytes } from '../../../siege/raw-http.ts';
import { usersWith } from '../../../siege/users.ts';
import { unlikeTheList, VERBS, type Verb } from '../../../siege/verbs.ts';
import { FakeDaemon, fakeDaemon } from './fake.ts';

const OPERATORS = 977;

async function answerOf(daemon: FakeDaemon, { method, sample }: Verb) {
  const bytes = requestBytes(method, sample.path, { body: sample.body });
  const { reply } = await exchange(daemon.socketPath, bytes, { patienceMs: 10_000 });
  ok(reply !== undefined, `${method} ${sample.path} is answered`);
  return { status: reply.status, text: Buffer.from(reply.body, 'latin1').toString('utf8') };
}

test('what is served is what the list says', async () => {
  await using daemon = await fakeDaemon();
  const { reply } = await exchange(daemon.socketPath, requestBytes('GET', '/v1/openapi.json'));
  deepEqual(unlikeTheList(JSON.parse(reply?.body ?? '')), { absent: [], unlisted: [] });
});

test('[contract 5.4] the matrix of users and verbs', async (t) => {
  let cells = 0;
  for (const user of usersWith(OPERATORS)) {
    await using daemon = new FakeDaemon();
    await daemon.start(user.withoutOperators ? undefined : OPERATORS);
    const { uid, gid, groups } = user;
    daemon.credentials = { pid: 1, uid, gid, groups };
    for (const verb of VERBS) {
      judgeCell(user, verb, await answerOf(daemon, verb));
      cells++;
    }
  }
  t.diagnostic(`${cells} cells`);
  ok(cells >= 240);
});
