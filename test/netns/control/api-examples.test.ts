/** Every example of docs/api.md, run by curl unchanged, against the real daemon. */

import { equal, ok } from 'node:assert/strict';
import { curlExamples } from '../../unit/ctl/adm/docs.ts';
import { hostTest } from '../tools/harness.ts';

hostTest(
  '[contract 5.1, 5.2, 5.3] the examples of docs/api.md have the documented status',
  {},
  async (host) => {
    for (const name of ['net2', 'net3']) {
      await host.adm('interface', 'create', name);
    }
    const examples = curlExamples();
    ok(examples.length > 20, `${examples.length} examples`);
    for (const { command, status } of examples) {
      // A stream does not end by itself; its status is there when curl gives up.
      const ends = command.includes('/v1/events') ? '-m 1' : '-m 20';
      const bounded = command.replace(/^curl /, `curl -o /dev/null -w '%{http_code}' ${ends} `);
      const variables = `sock=${host.daemon.socket}\njson='content-type: application/json'\n`;
      const printed = await host.workspace.run(['bash', '-c', `${variables}${bounded} || true`]);
      equal(printed, status, command);
    }
    await host.daemon.waitUntilOk();
  },
);
