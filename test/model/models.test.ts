/**
 * The models of locks, lifetimes and group counters, checked by spin in all their runs; and their
 * mutants, each of which must be caught. Verdicts and numbers of states are compared with the
 * recorded ones, so that neither the models nor what they prove can change unseen.
 */

import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { root } from '../tidy/source.ts';
import { patched } from '../tools/patches.ts';
import { MUTANTS } from './mutants.ts';
import { modelText, RECORDED_WITH, shortestTrace, spinVersion, verify } from './spin.ts';
import { VARIANTS } from './variants.ts';

const MODELS = [...new Set(VARIANTS.map(({ model }) => model))];

const version = spinVersion();
const skip = version === undefined ? 'spin or cc is missing (Debian: spin, gcc)' : false;
/** Another release may count states, and order its search, otherwise. */
const isRecorded = version === RECORDED_WITH;
/** As many as the smallest machine has cores. */
const concurrency = 2;

describe('models', { skip, concurrency }, () => {
  for (const { model, defines, search, outcome, states } of VARIANTS) {
    it(`${model} ${defines.join(' ')}: ${search}`, async (t) => {
      const verdict = await verify({ text: await modelText(model), defines }, search);
      t.diagnostic(`${verdict.outcome}, ${verdict.states} states stored`);
      equal(verdict.outcome, outcome);
      if (isRecorded) equal(verdict.states, states, 'states stored');
    });
  }
});

describe('mutants of the models', { skip, concurrency }, () => {
  for (const mutant of MUTANTS) {
    it(`${mutant.model}: ${mutant.fault}`, async (t) => {
      const text = patched(await modelText(mutant.model), mutant);
      const { outcome } = await verify({ text, defines: mutant.defines }, mutant.search);
      t.diagnostic(`caught by: ${outcome}`);
      notEqual(outcome, 'holds', 'the mutant is not caught');
      if (isRecorded) equal(outcome, mutant.by);
    });
  }
});

describe('the deadlock of the old order', { skip }, () => {
  it('takes two acquisitions: then each side owns what the other waits for', async (t) => {
    const text = await modelText('old-order.pml');
    const lines = await shortestTrace({ text, defines: ['READERS=1'] });
    for (const line of lines) t.diagnostic(line);
    deepEqual(lines.map((line) => line.split(';')[0]).toSorted(), [
      'a reader owns the kstat',
      'now all wait: Unplumb, Reader',
      'unplumb holds the global ill lock as writer',
    ]);
  });
});

describe('models and code', () => {
  for (const model of MODELS) {
    it(`${model} and the files that it stands for name each other`, async () => {
      const [head = ''] = (await modelText(model)).split('*/');
      const files = [...head.matchAll(/src\/[a-z/-]+\.ts/g)].map(([file]) => file);
      ok(files.length > 0, 'the model names no file');
      for (const file of files) {
        const text = await readFile(join(root, file), 'utf8');
        ok(text.includes(`test/model/${model}`), `${file} does not name ${model}`);
      }
    });
  }
});
