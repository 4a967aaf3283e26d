/**
 * Eight users and all verbs of the API, against the real daemon: each user is a process of its own,
 * made by setpriv, and sends its requests with curl; the kernel identifies it to the daemon.
 */

import { deepEqual, equal } from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { systemGroupId } from '../../../src/ctl/api/socket.ts';
import { getJson } from '../../../src/lab/api.ts';
import {
  type Answer,
  judgeCell,
  type User,
  usersWith,
  WITHOUT_OPERATORS,
} from '../../siege/users.ts';
import { unlikeTheList, VERBS, type Verb } from '../../siege/verbs.ts';
import { hostTest, type TestHost } from '../tools/harness.ts';

/** A group of every Debian system; and one of none. */
const OPERATORS = 'operator';
const NO_GROUP = 'nosuchgroup';

const MARK = '=== status ';

/** curl's configuration for one request after another, each for a second at most (events). */
function curlConfiguration(socket: string, verbs: readonly Verb[]): string {
  const blocks = verbs.map(({ method, sample }) => [
    'silent',
    'globoff',
    'path-as-is',
    `unix-socket = ${socket}`,
    `url = http://ipmpd${sample.path}`,
    `request = ${method}`,
    ...(sample.path === '/v1/events' ? ['max-time = 0.3'] : []),
    ...(sample.body === undefined
      ? []
      : [
          'header = "content-type: application/json"',
          `data-binary = ${JSON.stringify(sample.body)}`,
        ]),
    `write-out = "\\n${MARK}%{http_code}\\n"`,
  ]);
  return blocks.map((lines) => `${lines.join('\n')}\n`).join('next\n');
}

async function askAs(host: TestHost, user: User, verbs: readonly Verb[]): Promise<Answer[]> {
  const groups = user.groups.length === 0 ? ['--clear-groups'] : ['--groups', user.groups.join()];
  const as = ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, ...groups];
  // curl's status is that of its last request; what each brought is judged by its own status.
  const curl = ['sh', '-c', '"$@" || true', '-', 'curl', '--config', '-'];
  const input = curlConfiguration(host.daemon.socket, verbs);
  const text = await host.run('host', [...as, ...curl], input);
  const parts = text.split(MARK);
  equal(parts.length, verbs.length + 1, `${user.title}: an answer for each verb`);
  return verbs.map((_, at) => ({
    status: Number.parseInt(parts[at + 1] ?? '', 10),
    text: (parts[at] ?? '').replace(/^\d+\n/, ''),
  }));
}

hostTest('[contract 5.4] the matrix of users and verbs', {}, async (host, t) => {
  const operators = await systemGroupId(OPERATORS);
  if (operators === undefined) return t.skip(`this machine has no group ${OPERATORS}`);
  chmodSync(host.workspace.folder, 0o711);
  const document = await getJson(host.daemon.socket, '/v1/openapi.json');
  deepEqual(unlikeTheList(document), { absent: [], unlisted: [] });
  const users = usersWith(operators);
  for (const group of [OPERATORS, NO_GROUP]) {
    host.write({ top: { control: { group } } });
    await host.reload();
    for (const user of users) {
      if ((user.title === WITHOUT_OPERATORS) !== (group === NO_GROUP)) continue;
      const answers = await askAs(host, user, VERBS);
      for (const [at, verb] of VERBS.entries()) judgeCell(user, verb, answers[at]!);
    }
  }
  t.diagnostic(`${users.length * VERBS.length} cells`);
  const warnings = host.daemon.log.match(/there is no group nosuchgroup: only root may operate/g);
  equal(warnings?.length, 1);
  equal((await host.daemon.group()).interfaces.length, 2, 'nothing has changed');
});
