/**
 * One fact, one place: what src/model declares is declared nowhere else, neither by its name nor by
 * its words.
 */

import { ok } from 'node:assert/strict';
import { test } from 'node:test';
import { CAUSES } from '../../src/model/causes.ts';
import { EVENTS } from '../../src/model/events.ts';
import { NAME_ALLOWED } from '../../src/model/names.ts';
import { CONFIG_FILE, CONTROL_SOCKET } from '../../src/model/paths.ts';
import { PREFIX_ALLOWED } from '../../src/model/prefix.ts';
import * as states from '../../src/model/states.ts';
import { none, sources } from './source.ts';

const DECLARED = /^(?:export )?(?:const|function\*?|type|interface|class) (\w+)/gm;
const EXPORTED = /^export (?:const|function\*?|type|interface|class) (\w+)/gm;

/** Words that other rooms use in a sense of their own: helpers of fields and lists. */
const COMMON = new Set('text word listOf Field object integer decimal truth optional'.split(' '));

const model = sources(['src/model'], ['.ts']);
const others = sources(['src'], ['.ts']).filter(({ path }) => !path.startsWith('src/model/'));

test('a name that src/model exports is declared in no other room', () => {
  const names = model.flatMap(({ text }) => [...text.matchAll(EXPORTED)].map(([, name]) => name));
  const own = new Set(names.filter((name) => name !== undefined && !COMMON.has(name)));
  ok(own.size > 50, String(own.size));
  const twice = others.flatMap(({ path, text }) =>
    [...text.matchAll(DECLARED)].flatMap(([, name]) => (own.has(name) ? [`${path}: ${name}`] : [])),
  );
  none(twice);
});

test('lists of states, sentences and paths of src/model are written nowhere else', () => {
  const lists = Object.values(states).map((list) => list.map((one) => `'${one}'`));
  const facts = [
    ...[...Object.values(CAUSES), CONFIG_FILE, CONTROL_SOCKET, NAME_ALLOWED, PREFIX_ALLOWED],
    ...Object.values(EVENTS).flatMap(([means]) => means),
    ...lists
      .filter((words) => words.length > 2)
      .flatMap((words) => [words.join(', '), words.join(' | ')]),
  ];
  const found = others.flatMap(({ path, text }) => {
    const plain = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\s+/g, ' ');
    return facts.filter((fact) => plain.includes(fact)).map((fact) => `${path}: ${fact}`);
  });
  none(found);
});
