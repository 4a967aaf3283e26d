/** Whether V8's trace, as this V8 writes it, shows what the bench of shapes looks for. */

import { deepEqual, equal, match, ok, rejects, throws } from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { renderShapes, shapesAreGood, traceShapes } from '../../bench/parts/shapes.ts';
import { TraceReader } from '../../bench/parts/trace.ts';

const FOLDER = mkdtempSync(join(tmpdir(), 'ipmpd-shapes-test-'));
const QUERY = { files: /\/src\/hot\./, begin: 'marksBegin', warm: 'marksWarm' };

after(() => rmSync(FOLDER, { recursive: true, force: true }));

/** A program whose accesses are of one, two and many shapes, and that surprises the compiler. */
const PROGRAM = `
function marksBegin() {}
function marksWarm() {}
function shape(n) {
  const object = {};
  for (let i = 0; i < n; i++) object['x' + i] = i;
  object.a = 1;
  return object;
}
function one(o) { return o.a; }
function two(o) { return o.a; }
function many(o) { return o.a; }
function add(a, b) { return a + b; }
marksBegin();
for (let i = 0; i < 100000; i++) {
  one(shape(0));
  two(shape(i & 1));
  many(shape(i % 9));
  add(i, 1);
}
marksWarm();
for (let i = 0; i < 100000; i++) add('a', i);
process.stdout.write('done\\n');
`;

test('one, two and many shapes are distinguished, and a deoptimisation is seen', async () => {
  mkdirSync(join(FOLDER, 'src'));
  const program = join(FOLDER, 'src/hot.mjs');
  writeFileSync(program, PROGRAM);
  const { shapes, output } = await traceShapes(program, QUERY);
  equal(output, 'done');
  const loads = shapes.severalShapes.filter(({ what }) => what === 'LoadIC a');
  deepEqual(
    loads.map(({ where, isMegamorphic }) => [where.split(' ')[0], isMegamorphic]),
    [
      ['two', false],
      ['many', true],
    ],
  );
  ok(shapes.deoptsAfter.some(({ where }) => where.includes('src/hot.mjs')));
  ok(shapes.optimised > 0 && shapes.sites > shapes.severalShapes.length);
  equal(shapesAreGood(shapes), false);
  match(renderShapes(shapes, output), /MEGAMORPHIC {2}many \(src\/hot\.mjs:\d+:\d+\) {2}LoadIC a/);
});

/** A reader that has read both marks. */
function warmReader(): TraceReader {
  const reader = new TraceReader(QUERY);
  reader.line('code-creation,JS,10,1,0x10,4,marksBegin file:///a.mjs:1:1,0x1,~');
  reader.line('code-creation,JS,10,2,0x20,4,marksWarm file:///a.mjs:2:1,0x2,~');
  return reader;
}

test('every mark of optimised code counts, and no other mark', () => {
  const isOptimised = (tier: string): boolean => {
    const reader = warmReader();
    reader.line(`code-creation,JS,12,3,0x30,4,add file:///x/src/hot.mjs:3:1,0x3,${tier}`);
    return reader.shapes().optimised === 1;
  };
  const marks = ['*', "*'", 'o*', "o*'", '~', '^', "+'", 'o+'];
  deepEqual(marks.filter(isOptimised), ['*', "*'", 'o*', "o*'"]);
});

test('a deoptimisation that happens twice fails the check', () => {
  const reader = warmReader();
  const deopt = 'code-deopt,3,96,0x30,-1,9,deopt-eager,<file:///x/src/hot.mjs:3:5>,not a Smi';
  reader.line(deopt);
  equal(shapesAreGood(reader.shapes()), true);
  reader.line('code-deopt,4,96,0x30,-1,9,deopt-eager,<file:///x/src/cold.mjs:3:5>,not a Smi');
  equal(shapesAreGood(reader.shapes()), true);
  reader.line(deopt);
  deepEqual(reader.shapes().deoptsAfter, [
    { where: '<src/hot.mjs:3:5>', why: 'not a Smi', times: 2 },
  ]);
  equal(shapesAreGood(reader.shapes()), false);
});

test('a trace without the marks is refused, and so is a program that fails', async () => {
  throws(() => new TraceReader(QUERY).shapes(), /marks/);
  const program = join(FOLDER, 'fails.mjs');
  writeFileSync(program, 'throw new Error("on purpose")');
  await rejects(traceShapes(program, QUERY), /on purpose/);
});
