/** Routes of a group's device whose place another route has: told, and wanted all the same. */

import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { OperatorError } from '../../src/base/errors.ts';
import type { GroupConfig } from '../../src/config/types.ts';
import { StillWanted } from '../../src/daemon/change.ts';
import { type ContentsHost, GroupContents } from '../../src/daemon/group-contents.ts';

const CONFIG = { name: 'ipmp0', addresses: [], routes: [], mtu: 'auto' } as unknown as GroupConfig;
const ROUTE = { to: 'default', via: '192.0.2.1', family: 4 } as const;
const SETTINGS = { to: 'default', via: '192.0.2.1' };

/** A group whose host gives this answer to a route. */
function contentsWith(addRoute: ContentsHost['addRoute']): GroupContents {
  return new GroupContents(CONFIG, { addRoute } as ContentsHost, () => true);
}

test('a route whose place is taken is told as a problem, and belongs to the group', async () => {
  const problem = new OperatorError('EEXIST', 'default via 192.0.2.9 dev eth0 has its place');
  const contents = contentsWith(async () => problem);
  for (let attempt = 0; attempt < 2; attempt++) {
    await rejects(contents.addRoute(ROUTE), (error) => {
      equal((error as Error).message, problem.message);
      return error instanceof StillWanted;
    });
    deepEqual(contents.deviceSpec().routes, [SETTINGS]);
  }
});

test('a route that is refused otherwise has changed nothing', async () => {
  const contents = contentsWith(() => Promise.reject(new OperatorError('EINVAL', 'no')));
  await rejects(contents.addRoute(ROUTE), { code: 'EINVAL' });
  deepEqual(contents.deviceSpec().routes, []);
});
