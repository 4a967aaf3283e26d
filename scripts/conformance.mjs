/** `npm run conformance`: set-up, then thc-ipv6 against us and Linux (test/conformance/main.ts). */

import { spawn } from 'node:child_process';
import { setUpOrExit } from './setup.mjs';
import { root } from './stamps.mjs';
import { extractTools } from './tools.mjs';

await setUpOrExit('test');
extractTools('conformance', (text) => process.stderr.write(`set-up: ${text}\n`));
const child = spawn(process.execPath, ['dist/test/conformance/main.js'], {
  cwd: root,
  stdio: 'inherit',
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
