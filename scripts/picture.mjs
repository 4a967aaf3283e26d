/**
 * `npm run picture`: set-up, then one failover in the lab, recorded to docs/failover.json and drawn to
 * docs/failover.svg, the picture of the README. Needs root, as the lab does.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setUpOrExit } from './setup.mjs';
import { root } from './stamps.mjs';

await setUpOrExit('start');
const { recordFailover } = await import('../dist/test/picture/record.js');
const { drawFailover } = await import('../dist/test/picture/draw.js');
const record = await recordFailover();
writeFileSync(join(root, 'docs/failover.json'), `${JSON.stringify(record)}\n`);
writeFileSync(join(root, 'docs/failover.svg'), drawFailover(record));
process.stdout.write(`${record.cut.lost} of 1000 echo requests a second lost at the cut\n`);
