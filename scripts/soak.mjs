/** `npm run soak`: set-up, then lives in simulated worlds (test/sim/life/soak-main.ts). */

import { spawn } from 'node:child_process';
import { setUpOrExit } from './setup.mjs';
import { root } from './stamps.mjs';

await setUpOrExit('soak');
const child = spawn(
  process.execPath,
  ['dist/test/sim/life/soak-main.js', ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: 'inherit',
  },
);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
