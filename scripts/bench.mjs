/** `npm run bench`: set-up, then every benchmark with its yardsticks in one run. */

import { spawn } from 'node:child_process';
import { setUpOrExit } from './setup.mjs';
import { root } from './stamps.mjs';

await setUpOrExit('bench');
const child = spawn(process.execPath, ['dist/test/bench/main.js', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
