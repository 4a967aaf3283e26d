/** `npm run check`: types, format and lint, tidy. Every part is run, and each prints its result. */

import { spawnSync } from 'node:child_process';
import { setUpOrExit } from './setup.mjs';
import { root } from './stamps.mjs';
import { testFiles } from './test-files.mjs';

await setUpOrExit('build');

const parts = [
  ['types', ['node_modules/typescript/bin/tsc', '-b']],
  ['format and lint', ['node_modules/@biomejs/biome/bin/biome', 'check', '.']],
  ['tidy', ['--test', ...testFiles('tidy').map((file) => file.built)]],
];
let failed = 0;
for (const [name, args] of parts) {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) failed += 1;
  process.stdout.write(`check: ${name}: ${status === 0 ? 'ok' : 'FAILED'}\n`);
}
process.exitCode = failed === 0 ? 0 : 1;
