/**
 * The live view as a picture: golden screens (`IPMPD_GOLDEN=write` writes them anew, to be looked
 * at), and what holds for any state on any terminal.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { renderLive } from '../../src/lab/live/render.ts';
import type { LiveState } from '../../src/lab/live/state.ts';
import { lineText, lineWidth } from '../../src/lab/live/text.ts';
import { root } from '../tidy/source.ts';
import { address, calm, crowded, cut, group, heard, nic, rates } from './live-states.ts';

function textOf(state: LiveState, width: number, height: number): string[] {
  return renderLive(state, width, height).map((line) => lineText(line, false));
}

const GOLDEN: readonly { name: string; state: LiveState; width: number; height: number }[] = [
  { name: 'calm-80x24', state: calm(), width: 80, height: 24 },
  { name: 'cut-80x24', state: cut(), width: 80, height: 24 },
  { name: 'cut-120x40', state: cut(), width: 120, height: 40 },
  { name: 'cut-50x14', state: cut(), width: 50, height: 14 },
  { name: 'crowded-80x24', state: crowded(), width: 80, height: 24 },
  { name: 'crowded-200x60', state: crowded(), width: 200, height: 60 },
  { name: 'help-80x24', state: cut({ screen: 'help' }), width: 80, height: 24 },
];

describe('golden screens', () => {
  for (const { name, state, width, height } of GOLDEN) {
    test(name, () => {
      const file = join(root, 'test/lab/golden', `${name}.txt`);
      const text = `${textOf(state, width, height).join('\n')}\n`;
      if (process.env.IPMPD_GOLDEN === 'write') writeFileSync(file, text);
      equal(text, readFileSync(file, 'utf8'));
    });
  }
});

describe('the head and the foot', () => {
  const head = (state: LiveState): string => textOf(state, 80, 24)[0] ?? '';
  const foot = (state: LiveState): string => textOf(state, 80, 24)[23] ?? '';

  test('how all is, worst first', () => {
    ok(head(calm()).endsWith('  ok'));
    ok(head(cut()).endsWith('  degraded'));
    ok(head(crowded()).endsWith('3 of 3 groups degraded'));
    const { daemon } = calm();
    ok(head(calm({ daemon: { ...daemon!, groups: [] } })).endsWith('no groups'));
  });

  test('a daemon that is silent, and one that has ended', () => {
    const silent = calm({ silentSinceMs: 1_000_000 - 3200 });
    ok(head(silent).endsWith('ipmpd has not answered for 3.2s'));
    ok(head(calm({ exit: 'SIGKILL', silentSinceMs: 0 })).endsWith('ipmpd has ended (SIGKILL)'));
  });

  test('a pause is seen', () => {
    ok(head(calm({ isPaused: true })).endsWith(' paused  ok'));
    ok(foot(calm({ isPaused: true })).includes('space go on'));
  });

  test('the choice of a cable shows what the key would do', () => {
    const text = foot(cut({ screen: 'choice' }));
    equal(text, ' which cable?  1 repair eth0  2 cut eth1  Esc none');
  });

  test('before the first answer', () => {
    const text = textOf(calm({ daemon: null }), 80, 24);
    equal(text[2], '  waiting for the first answer of ipmpd');
  });
});

test('traffic that cannot be measured shows why', () => {
  const traffic = { echo: { problem: 'prober in host: no' }, tcp: { problem: 'it broke' } };
  const text = textOf(calm({ traffic }), 80, 24).join('\n');
  ok(text.includes('  echo  prober in host: no\n  TCP   it broke'), text);
});

test('an event without a successor names none', () => {
  const events = [
    heard(10, ['nominated', null, null, 'net1', null, 'no-interface']),
    heard(20, ['address-moved', 'net0', '192.0.2.10', null, 'net0', 'interface-works']),
    heard(30, ['interface-removed', 'net0', null, 'ok', null, 'configured']),
  ];
  const text = textOf(calm({ events }), 80, 24).join('\n');
  ok(text.includes('nominated          net1 -> none (no-interface)'), text);
  ok(text.includes('address-moved      192.0.2.10 none -> net0 (interface-works)'), text);
  ok(text.includes('interface-removed  ok (configured)'), text);
});

test('colours show states, and there are no other codes beside the text', () => {
  const line = renderLive(cut(), 80, 24)[5] ?? [];
  equal(
    lineText(line, true).replaceAll('\x1b', '^'),
    '^[1m1 ^[0m^[1mnet0^[0m  ^[1;31meth0 cut^[0m  ^[1;31mfailed^[0m  ^[1;31mdown^[0m  ' +
      'no                11.0 kB    185  1.65 MB    188',
  );
  for (const each of renderLive(crowded(), 120, 40)) {
    const [first = '', ...rest] = lineText(each, true).split('\x1b[');
    const bare = rest.map((piece) => piece.replace(/^[0-9;]*m/, ''));
    equal([first, ...bare].join(''), lineText(each, false));
  }
});

/** Names as the kernel allows them, and worse: any character may come. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.string({ unit: 'grapheme', maxLength: 80 }),
  fc.constantFrom('net0', '\x1b[2J', 'a\nb', '名前', '\u202e'),
);

const nicState = fc.constantFrom('ok', 'failed', 'offline', 'unknown', 'absent');
const anyNic = fc
  .tuple(anyText, nicState, anyText)
  .map(([name, state, of]) => nic(name, state as 'ok', of));

const anyState: fc.Arbitrary<LiveState> = fc
  .record({
    nics: fc.array(anyNic, { maxLength: 30 }),
    names: fc.array(anyText, { maxLength: 6 }),
    texts: fc.array(anyText, { maxLength: 60 }),
    events: fc.array(fc.tuple(fc.double({ min: 0, noNaN: true }), fc.array(anyText)), {
      maxLength: 40,
    }),
    figure: fc.double({ min: 0, max: 1e19, noNaN: true }),
    screen: fc.constantFrom('tables', 'help', 'choice'),
    isPaused: fc.boolean(),
    notice: fc.option(anyText),
  })
  .map(({ nics, names, texts, events, figure, screen, isPaused, notice }) =>
    calm({
      daemon: {
        version: texts[0] ?? '',
        uptimeS: figure,
        groups: names.map((name) => group(name, nics)),
        interfaces: nics,
        addresses: texts.map((text) => address(text, texts[1] ?? null, texts)),
      },
      rates: new Map(names.map((name) => [`ipmp:${name}`, rates(figure, figure)])),
      events: events.map(([agoMs, words]) => heard(agoMs, words)),
      traffic: { echo: { problem: texts[2] ?? '' }, tcp: { problem: texts[3] ?? '' } },
      cables: nics.map((row, index) => ({
        ...{ key: String(index), uplink: texts[index] ?? '', ifname: row.ifname, isCut: isPaused },
      })),
      screen: screen as LiveState['screen'],
      isPaused,
      notice: notice === null ? null : { text: notice, isBad: isPaused },
      hints: texts,
    }),
  );

const sizes = fc.tuple(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 70 }));

test('any state fills any terminal and never leaves it', () => {
  fc.assert(
    fc.property(anyState, sizes, (state, [width, height]) => {
      const lines = renderLive(state, width, height);
      equal(lines.length, height);
      for (const line of lines) {
        ok(lineWidth(line) <= width, `${lineWidth(line)} columns of ${width}`);
        const text = lineText(line, false);
        equal(text.length, lineWidth(line));
        ok(/^[\x20-\x7e─│┌┐└┘├┤┬┴┼]*$/.test(text), JSON.stringify(text));
      }
    }),
    { numRuns: 300 },
  );
});

test('rows that are not well are shown first where not all fit', () => {
  for (let height = 24; height < 70; height += 1) {
    const text = textOf(crowded(), 80, height).join('\n');
    for (const name of ['net13', 'net14', 'net15']) ok(text.includes(`  ${name}  ipmp`), text);
    ok(text.includes('2001:db8:0:1::38/64  ipmp0  up     none'), text);
  }
});

test('every list counts what it does not show', () => {
  const state = crowded();
  for (let height = 14; height < 110; height += 1) {
    const text = textOf(state, 80, height);
    const rowsOf = (pattern: RegExp): number => text.filter((line) => pattern.test(line)).length;
    const all = 3 + 16 + 50 + state.events.length + 2;
    const heads = rowsOf(/^─/);
    if (heads < 5) continue;
    const more = text.flatMap((line) => /^ {2}\.\.\. (\d+) more$/.exec(line)?.[1] ?? []);
    const hidden = more.reduce((sum, count) => sum + Number(count), 0);
    const details = rowsOf(/^ +(<|(not )?(all|no) interfaces)/);
    const blank = rowsOf(/^$/);
    const shown = height - 2 - heads - more.length - details - blank;
    deepEqual(shown + hidden, all, `${height} lines`);
  }
});
