/** `npm start`: set-up, then the demonstration (`ipmpadm lab run` on its embedded default). */

import { setUpOrExit } from './setup.mjs';

await setUpOrExit('start');
const { labMain } = await import('../dist/src/lab/main.js');
process.exitCode = await labMain(['run', ...process.argv.slice(2)]);
