/** Where set-up finds the header files of Node.js: those of this version, else of another one. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { root } from '../../tidy/source.ts';

interface Headers {
  readonly include: string;
  readonly isExact: boolean;
}

const { nodeHeaders } = (await import(join(root, 'scripts/headers.mjs'))) as {
  nodeHeaders: (folders?: readonly string[], wanted?: string) => Headers | undefined;
};

const folder = mkdtempSync(join(tmpdir(), 'ipmpd-headers-'));
after(() => rmSync(folder, { recursive: true }));

/** A folder with the headers of a Node.js whose modules have this version, as its file has it. */
function headersOf(version: string): string {
  const parent = join(folder, version);
  mkdirSync(join(parent, 'include/node'), { recursive: true });
  const text = [
    '#if defined(NODE_EMBEDDER_MODULE_VERSION)',
    '#define NODE_MODULE_VERSION NODE_EMBEDDER_MODULE_VERSION',
    '#else',
    `#define NODE_MODULE_VERSION ${version}`,
    '#endif',
  ].join('\n');
  writeFileSync(join(parent, 'include/node/node_version.h'), `${text}\n`);
  return parent;
}

test('headers of this version are taken before others that come first', () => {
  const [old, right] = [headersOf('115'), headersOf('137')];
  const found = { include: join(right, 'include/node'), isExact: true };
  deepEqual(nodeHeaders([old, '/nonexistent', right], '137'), found);
});

test('headers of another version are better than none, and are known as such', () => {
  const old = headersOf('115');
  const found = { include: join(old, 'include/node'), isExact: false };
  deepEqual(nodeHeaders(['/nonexistent', old], '137'), found);
  equal(nodeHeaders(['/nonexistent', '/dev/null'], '137'), undefined);
});

test('the headers of the Node.js that runs are found', () => {
  const found = nodeHeaders();
  ok(found?.isExact, JSON.stringify(found));
});
