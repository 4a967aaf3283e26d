/** Text of others on a terminal: what becomes of it, and that the tools print no other. */

import { equal, ok } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { printable } from '../../../../src/base/text/printable.ts';
import { RowsServer, refusal } from '../../ctl/solaris/harness.ts';

/** A name that would turn a terminal red. */
const RED = 'n\u001b[31m';

test('control characters are shown, and lines stay lines', () => {
  equal(printable(`there is no interface ${RED}\n`), 'there is no interface n\\u{1b}[31m\n');
  equal(printable('\u0007\r\t\u009b\u2028\u202e'), '\\u{7}\\u{d}\\u{9}\\u{9b}\\u{2028}\\u{202e}');
  equal(printable('Zürich, 東京 – “ok”'), 'Zürich, 東京 – “ok”');
});

/** Standard error of a tool that fails, or warns. */
async function complaint(tool: string, words: readonly string[]): Promise<string> {
  const program = fileURLToPath(import.meta.resolve(`../../../../src/${tool}.js`));
  const child = spawn(process.execPath, [program, ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  await once(child, 'close');
  return text;
}

const COMMANDS: readonly (readonly [tool: string, words: readonly string[]])[] = [
  ['ipmpadm', ['interface', 'show', RED]],
  ['if_mpadm', ['-d', RED]],
  ['ipmpstat', ['-g']],
];

test('no tool prints to standard error what steers a terminal', async () => {
  await using server = await RowsServer.start({
    'GET /v1/interfaces': [],
    'GET /v1/snapshot': refusal('EIO', `the daemon says ${RED}`),
  });
  for (const [tool, words] of COMMANDS) {
    for (const socket of [server.socketPath, `/nonexistent/${RED}`]) {
      const text = await complaint(tool, ['--socket', socket, ...words]);
      const what = `${tool} at ${socket}: ${JSON.stringify(text)}`;
      ok(text.includes('n\\u{1b}[31m'), what);
      ok(!text.includes('\u001b'), what);
    }
  }
});
