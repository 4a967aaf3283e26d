/**
 * From YAML text to a plain value with the place of each of its parts.
 *
 * Only what a configuration needs: mappings with text keys, lists, text, numbers, true, false,
 * null. Everything else of YAML (tags, several documents) is an error with its line.
 * Sizes are bounded before anything is built, so a hostile file costs a bounded amount of time
 * and memory, and no file makes this throw.
 *
 * Places are kept by JSON pointer (RFC 6901), the form in which the schema validator names its
 * findings.
 */

import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Document as YamlDocument,
} from 'yaml';
import { isRecord } from '../base/keys.ts';
import { printable } from '../base/text/printable.ts';
import { atOnce, type Steps } from '../base/turns.ts';
import { DEPTH_MAX, FILE_BYTES_MAX, FILE_VALUES_MAX, TEXT_LENGTH_MAX } from '../model/limits.ts';
import { type TooMuch, yamlSteps } from './yaml-steps.ts';

/** Errors of the YAML parser that are reported: after the first few they follow from each other. */
const YAML_ERRORS_MAX = 8;

const TEXT_ALLOWED = `at most ${TEXT_LENGTH_MAX} characters`;

export type ConfigValue =
  | null
  | boolean
  | number
  | string
  | ConfigValue[]
  | { [key: string]: ConfigValue };

export interface Place {
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** What is wrong with a configuration, and what would be right. */
export interface ConfigError {
  readonly file: string;
  /** From 1; 0 if the file as a whole is meant. */
  readonly line: number;
  /** `groups.ipmp0.routes[0].via`; empty if the file as a whole is meant. */
  readonly keyPath: string;
  readonly what: string;
  readonly allowed: string;
}

/** A value with the place of each of its parts, by JSON pointer. */
export interface ConfigDocument {
  readonly value: ConfigValue;
  readonly places: ReadonlyMap<string, Place>;
}

/** `FILE:LINE: key.path: what is wrong (what is allowed)`. */
export function configErrorFormat(error: ConfigError): string {
  const place = error.line > 0 ? `${error.file}:${error.line}` : error.file;
  const path = error.keyPath === '' ? '' : `${error.keyPath}: `;
  const allowed = error.allowed === '' ? '' : ` (${error.allowed})`;
  return `${place}: ${path}${error.what}${allowed}`;
}

/** The JSON pointer of `key` below `pointer`. */
export function pointerJoin(pointer: string, key: string | number): string {
  return `${pointer}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** `/groups/ipmp0/routes/0/via`, a part of `root`, as `groups.ipmp0.routes[0].via`. */
export function pointerFormat(pointer: string, root: ConfigValue): string {
  let path = '';
  let value: ConfigValue | undefined = root;
  for (const escaped of pointer.split('/').slice(1)) {
    const key = escaped.replaceAll('~1', '/').replaceAll('~0', '~');
    if (Array.isArray(value)) {
      path += `[${key}]`;
      value = value[Number(key)];
    } else {
      path += (path === '' ? '' : '.') + excerpt(key);
      value = isMapping(value) ? value[key] : undefined;
    }
  }
  return path;
}

/** The same before there is a value: numbers are taken for places in lists. */
function keyPathOf(pointer: string): string {
  const keys = pointer.split('/').slice(1).map(excerpt);
  return keys
    .map((key, at) => (/^\d+$/.test(key) ? `[${key}]` : at === 0 ? key : `.${key}`))
    .join('');
}

/** Text from a file as it may appear in a message: one line, at most 60 characters. */
export function excerpt(text: string): string {
  // The text beyond is not looked at: the same long text may be named again and again.
  const escaped = printable(text.slice(0, 61)).replaceAll('\n', '\\u{a}');
  return escaped.length > 60 ? `${escaped.slice(0, 57)}...` : escaped;
}

/** What reading a file's text gives. */
export type DocumentResult = ConfigDocument | { errors: ConfigError[] };

/** Reads one file's text. */
export function documentRead(file: string, text: string): DocumentResult {
  return atOnce(documentSteps(file, text));
}

/** The same in steps of some milliseconds: a large file takes a hundred. */
export function* documentSteps(file: string, text: string): Steps<DocumentResult> {
  if (Buffer.byteLength(text) > FILE_BYTES_MAX) return { errors: [tooLarge(file)] };
  const lines = new LineCounter();
  let document: YamlDocument.Parsed | TooMuch;
  try {
    document = yield* yamlSteps(text, lines);
  } catch (error) {
    // A parser that fails by its own fault on a text must not end the daemon.
    const why = excerpt(firstLine(String(error)));
    return { errors: [wholeFile(file, `is not YAML that can be read: ${why}`, '')] };
  }
  if ('what' in document) return { errors: [{ file, keyPath: '', ...document }] };
  yield;
  const problems = [...document.errors, ...document.warnings];
  if (problems.length > 0) {
    const errors = problems.slice(0, YAML_ERRORS_MAX).map((problem) => {
      const line = lines.linePos(problem.pos[0]).line;
      const what = `is not valid YAML: ${excerpt(firstLine(problem.message))}`;
      return { file, line, keyPath: '', what, allowed: '' };
    });
    return { errors };
  }
  const walk = new Walk(file, lines, aliasTargets(document.contents));
  const value = walk.convert(document.contents, '', 0, 1);
  return walk.errors.length > 0 ? { errors: walk.errors } : { value, places: walk.places };
}

/** The error of a file that is larger than FILE_BYTES_MAX. */
export function tooLarge(file: string): ConfigError {
  return wholeFile(file, 'the file is too large', `at most ${FILE_BYTES_MAX / 1024} KiB`);
}

function wholeFile(file: string, what: string, allowed: string): ConfigError {
  return { file, line: 0, keyPath: '', what, allowed };
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}

/**
 * The value of each alias: the last part with that anchor before it. One pass for all of them,
 * since the parser's own way goes over the whole file for each.
 */
function aliasTargets(root: unknown): Map<Alias, unknown> {
  const anchors = new Map<string, unknown>();
  const targets = new Map<Alias, unknown>();
  const visit = (node: unknown, depth: number): void => {
    if (depth > DEPTH_MAX) return;
    if (isAlias(node)) {
      targets.set(node, anchors.get(node.source));
      return;
    }
    if (isRecord(node) && typeof node.anchor === 'string') anchors.set(node.anchor, node);
    if (isSeq(node)) for (const item of node.items) visit(item, depth + 1);
    if (!isMap(node)) return;
    for (const { key, value } of node.items) {
      visit(key, depth + 1);
      visit(value, depth + 1);
    }
  };
  visit(root, 0);
  return targets;
}

/** One pass over a parsed file. */
class Walk {
  readonly errors: ConfigError[] = [];
  readonly places = new Map<string, Place>();
  readonly #file: string;
  readonly #lines: LineCounter;
  readonly #targets: ReadonlyMap<Alias, unknown>;
  #values = 0;

  constructor(file: string, lines: LineCounter, targets: ReadonlyMap<Alias, unknown>) {
    this.#file = file;
    this.#lines = lines;
    this.#targets = targets;
  }

  convert(node: unknown, pointer: string, depth: number, parentLine: number): ConfigValue {
    const line = this.#lineOf(node, parentLine);
    if (!this.places.has(pointer)) this.places.set(pointer, { file: this.#file, line });
    if (++this.#values > FILE_VALUES_MAX || depth > DEPTH_MAX) {
      const limit = depth > DEPTH_MAX ? `${DEPTH_MAX} levels` : `${FILE_VALUES_MAX} values`;
      if (this.errors.length === 0) this.#refuse(pointer, line, 'is too much', `at most ${limit}`);
      return null;
    }
    if (node === null || node === undefined) return null;
    if (isAlias(node)) {
      const target = this.#targets.get(node);
      if (target === undefined) {
        this.#refuse(pointer, line, 'is an alias', 'one whose anchor comes before it');
        return null;
      }
      return this.convert(target, pointer, depth + 1, line);
    }
    if (isScalar(node)) return this.#scalar(node.value, pointer, line);
    if (isSeq(node)) {
      return node.items.map((item, index) =>
        this.convert(item, pointerJoin(pointer, index), depth + 1, line),
      );
    }
    if (!isMap(node)) return null;
    const object: { [key: string]: ConfigValue } = Object.create(null);
    for (const { key, value } of node.items) {
      const keyLine = this.#lineOf(key, line);
      const name = isScalar(key) && key.value !== null ? String(key.value) : undefined;
      if (name === undefined) {
        this.#refuse(pointer, keyLine, 'has a key that is not text', 'a name');
        continue;
      }
      if (name.length > TEXT_LENGTH_MAX) {
        this.#refuse(pointer, keyLine, 'has a key that is too long', TEXT_ALLOWED);
        continue;
      }
      const below = pointerJoin(pointer, name);
      if (name in object) {
        this.#refuse(below, keyLine, 'is given twice', 'each key once');
        continue;
      }
      this.places.set(below, { file: this.#file, line: keyLine });
      object[name] = this.convert(value, below, depth + 1, keyLine);
    }
    return object;
  }

  #scalar(value: unknown, pointer: string, line: number): ConfigValue {
    switch (typeof value) {
      case 'string':
        if (value.length <= TEXT_LENGTH_MAX) return value;
        this.#refuse(pointer, line, 'is too long', TEXT_ALLOWED);
        return null;
      case 'boolean':
      case 'number':
        return value;
      default:
        if (value === null) return null;
        this.#refuse(
          pointer,
          line,
          'is of a kind that a configuration has not',
          'text or a number',
        );
        return null;
    }
  }

  #refuse(pointer: string, line: number, what: string, allowed: string): void {
    this.errors.push({ file: this.#file, line, keyPath: keyPathOf(pointer), what, allowed });
  }

  #lineOf(node: unknown, otherwise: number): number {
    const [start]: unknown[] = isRecord(node) && Array.isArray(node.range) ? node.range : [];
    return typeof start === 'number' ? this.#lines.linePos(start).line : otherwise;
  }
}

/**
 * The mark of an interface, a group, or a key of one in a file that takes back what the files
 * before it contain of it.
 */
export const REMOVED = 'removed';

/** Where that word has this meaning: the entries of two sections, and their keys. */
const REMOVABLE = /^\/(?:interfaces|groups)(?:\/[^/]+)?$/;

/**
 * Lays documents over each other, later ones on top: mappings merge by key, everything else is
 * replaced whole; what is `removed` is not there any more. Each part keeps the place of the
 * document it comes from.
 */
export function documentsMerge(documents: readonly ConfigDocument[]): ConfigDocument {
  let value: ConfigValue = null;
  const places = new Map<string, Place>();
  for (const document of documents) {
    value = merge(value, document, document.value, '', places);
  }
  return { value, places };
}

function merge(
  below: ConfigValue,
  document: ConfigDocument,
  above: ConfigValue,
  pointer: string,
  places: Map<string, Place>,
): ConfigValue {
  const place = document.places.get(pointer);
  if (isMapping(above) && (isMapping(below) || below === null)) {
    if (place !== undefined && !places.has(pointer)) places.set(pointer, place);
    const merged: { [key: string]: ConfigValue } = Object.assign(Object.create(null), below);
    for (const [key, value] of Object.entries(above)) {
      const under = pointerJoin(pointer, key);
      if (value === REMOVED && REMOVABLE.test(pointer)) {
        delete merged[key];
        forgetPlaces(under, places);
        continue;
      }
      merged[key] = merge(merged[key] ?? null, document, value, under, places);
    }
    return merged;
  }
  // A key without a value ("groups:") adds nothing to a mapping, and a layer
  // without anything adds nothing at all.
  if (above === null && (isMapping(below) || pointer === '')) return below;
  if (place !== undefined) places.set(pointer, place);
  if (typeof above === 'object') copyPlaces(document, above, pointer, places);
  return above;
}

function forgetPlaces(pointer: string, places: Map<string, Place>): void {
  for (const known of [...places.keys()]) {
    if (known === pointer || known.startsWith(`${pointer}/`)) places.delete(known);
  }
}

function copyPlaces(
  document: ConfigDocument,
  value: ConfigValue,
  pointer: string,
  places: Map<string, Place>,
): void {
  const place = document.places.get(pointer);
  if (place !== undefined) places.set(pointer, place);
  const keys = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  for (const [key, item] of keys) {
    copyPlaces(document, item, pointerJoin(pointer, key), places);
  }
}

/** A value that is in no file, as a document: all of its parts have the same place. */
export function documentOf(value: ConfigValue, place: Place): ConfigDocument {
  const places = new Map<string, Place>();
  const mark = (part: ConfigValue, pointer: string): void => {
    places.set(pointer, place);
    if (typeof part !== 'object' || part === null) return;
    for (const [key, item] of Object.entries(part)) mark(item, pointerJoin(pointer, key));
  };
  mark(value, '');
  return { value, places };
}

/** True for a mapping, as against a list, text, number, truth value or nothing. */
export function isMapping(value: ConfigValue | undefined): value is { [key: string]: ConfigValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
