/**
 * The configuration: YAML files in, one fully explicit value out.
 *
 * The main file and the drop-ins, in name order, are laid over each other; the result is checked
 * against the schema that editors use too (config/ipmpd.schema.json), then against itself; only
 * then is the `Config` made. It has no optional fields: every default is filled in.
 *
 * No file, however broken, makes this throw: it becomes errors, each with file, line, key, what
 * is wrong, what is allowed. Files are read and written asynchronously and parsed in steps, so that
 * a slow disk keeps the thread that serves from nothing else.
 */

import { isUtf8 } from 'node:buffer';
import {
  constants,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf, OperatorError } from '../base/errors.ts';
import { atOnce, type Steps, stepByStep } from '../base/turns.ts';
import { DROP_INS_MAX, FILE_BYTES_MAX, FILES_BYTES_MAX } from '../model/limits.ts';
import { checkSteps } from './checks.ts';
import { type ConfigError, documentSteps, documentsMerge, tooLarge } from './document.ts';
import { type ConfigLayers, type EffectiveConfig, type FileLayer, layersMerge } from './layers.ts';
import { configResolve } from './resolve.ts';
import type { SchemaNode } from './types.ts';
import { ConfigValidator } from './validate.ts';

export type ConfigResult = EffectiveConfig | { readonly errors: ConfigError[] };

/** Mistakes that are told: more come from a file that is something else altogether. */
const ERRORS_MAX = 500;

/** From dist/src as from src: two levels above this file. */
const SCHEMA_URL = new URL('../../../config/ipmpd.schema.json', import.meta.url);

/** A configuration file as text. */
export interface ConfigSource {
  readonly file: string;
  readonly text: string;
}

/** The folder of the drop-ins of a main file: `x.d` beside `x.yaml`. */
export function dropInDirectoryOf(file: string): string {
  return `${file.replace(/\.ya?ml$/, '')}.d`;
}

/** Where `ipmpadm --save` writes. */
export function savedFileOf(file: string): string {
  return join(dropInDirectoryOf(file), '50-ipmpadm.yaml');
}

/** Reads `file` and its drop-ins, or reports all that is wrong with them. */
export async function loadConfig(file: string): Promise<ConfigResult> {
  const layers = await loadFiles(file);
  if ('errors' in layers) return layers;
  return effectiveConfig({ files: layers, commands: null, arguments: null });
}

/** What reading the files gives. */
type FilesResult = FileLayer[] | { readonly errors: ConfigError[] };

/**
 * The files of a configuration, lowest first, each with its content; or what is wrong. Of those
 * that are `known` and unchanged nothing is parsed again: that takes most of the time.
 */
export async function loadFiles(
  file: string,
  known: readonly FileLayer[] = [],
): Promise<FilesResult> {
  const errors: ConfigError[] = [];
  const layers: FileLayer[] = [];
  const files = [file, ...(await dropInFiles(dropInDirectoryOf(file), errors))];
  let total = 0;
  for (const name of files) {
    try {
      const bytes = await readBytes(name);
      total += bytes.length;
      if (total > FILES_BYTES_MAX) return { errors: [tooLargeTogether(name)] };
      if (isUtf8(bytes)) {
        const text = bytes.toString('utf8');
        const before = known.find((layer) => layer.file === name && layer.text === text);
        const layer = before ?? (await stepByStep(layerSteps({ file: name, text })));
        if ('errors' in layer) errors.push(...layer.errors);
        else layers.push(layer);
      } else errors.push(notUtf8(name, bytes));
    } catch (error) {
      errors.push(unreadable(name, error));
    }
  }
  return errors.length > 0 ? { errors: sorted(errors, files) } : layers;
}

/** The content of the text of one file, or what is wrong with it. */
export function fileLayer(source: ConfigSource): FileLayer | { readonly errors: ConfigError[] } {
  return atOnce(layerSteps(source));
}

function* layerSteps(source: ConfigSource): Steps<FileLayer | { readonly errors: ConfigError[] }> {
  const document = yield* documentSteps(source.file, source.text);
  return 'errors' in document ? document : { ...source, document };
}

/** The configuration of `sources`, later ones on top, or all that is wrong with them. */
export function configFromSources(sources: readonly ConfigSource[]): ConfigResult {
  const layers = sources.map(fileLayer);
  const errors = layers.flatMap((layer) => ('errors' in layer ? layer.errors : []));
  if (errors.length > 0)
    return {
      errors: sorted(
        errors,
        sources.map(({ file }) => file),
      ),
    };
  const files = layers.filter((layer) => 'document' in layer);
  return effectiveConfig({ files, commands: null, arguments: null });
}

let validator: ConfigValidator | undefined;

/** The result of layers, or all that is wrong with them. */
export function effectiveConfig(layers: ConfigLayers): ConfigResult {
  return atOnce(effectiveSteps(layers));
}

/** The same in steps. */
export function* effectiveSteps(layers: ConfigLayers): Steps<ConfigResult> {
  validator ??= new ConfigValidator(SCHEMA);
  const schema = validator;
  const document = layersMerge(layers);
  const order = layers.files.map(({ file }) => file);
  const schemaErrors: ConfigError[] = [];
  // A mistake in one file counts, also where another one overrides it.
  for (const layer of layers.files) {
    yield;
    const part = documentsMerge([layer.document]);
    yield;
    schemaErrors.push(...schema.checkPart(part));
  }
  yield;
  schemaErrors.push(...schema.check(document));
  if (schemaErrors.length > 0) return { errors: sorted(eachOnce(schemaErrors), order) };
  yield;
  const config = configResolve(document.value);
  yield;
  const findings = yield* checkSteps(config, document);
  return findings.length > 0 ? { errors: sorted(findings, order) } : { config, document };
}

/** The first of those that are about the same place. */
function eachOnce(errors: readonly ConfigError[]): ConfigError[] {
  const byPlace = new Map<string, ConfigError>();
  for (const error of errors) {
    const place = `${error.file}:${error.line}:${error.keyPath}`;
    if (!byPlace.has(place)) byPlace.set(place, error);
  }
  return [...byPlace.values()];
}

/** Read once, when this module is loaded: before anything is served. */
const SCHEMA = JSON.parse(await readFile(SCHEMA_URL, 'utf8')) as object;

/** The schema that editors use too; shared, so it is not changed. */
export function configSchema(): SchemaNode {
  return SCHEMA;
}

/** The text of a drop-in; undefined if there is no such file. What cannot be read is thrown. */
export async function readDropIn(file: string): Promise<string | undefined> {
  try {
    return (await readBytes(file)).toString('utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Puts `text` in place of a drop-in: whole or not at all, also when the machine stops half-way. EIO
 * with the reason. One call at a time for a file: the next begins when this one has resolved.
 */
export async function writeDropIn(file: string, text: string): Promise<void> {
  const directory = dirname(file);
  const next = join(directory, `.${basename(file)}.${process.pid}`);
  try {
    await mkdir(directory, { recursive: true, mode: 0o755 });
    await writeFile(next, text, { mode: 0o644, flush: true });
    await rename(next, file);
    await syncDirectory(directory);
  } catch (error) {
    if (await exists(next)) await rm(next);
    const code = errnoOf(error);
    throw new OperatorError('EIO', `${file} cannot be written: ${code ?? String(error)}`);
  }
}

function exists(file: string): Promise<boolean> {
  return lstat(file).then(
    () => true,
    () => false,
  );
}

async function syncDirectory(directory: string): Promise<void> {
  const opened = await open(directory, constants.O_RDONLY);
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}

async function dropInFiles(directory: string, errors: ConfigError[]): Promise<string[]> {
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') errors.push(unreadable(directory, error));
    return [];
  }
  const files = names.filter((name) => name.endsWith('.yaml') && !name.startsWith('.')).sort();
  if (files.length > DROP_INS_MAX) {
    const what = `has ${files.length} files`;
    errors.push({
      file: directory,
      line: 0,
      keyPath: '',
      what,
      allowed: `at most ${DROP_INS_MAX}`,
    });
    return [];
  }
  return files.map((name) => join(directory, name));
}

/**
 * The file's bytes, at most a little more than may be accepted: enough to notice that it is too
 * large.
 */
async function readBytes(file: string): Promise<Buffer> {
  const opened = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await opened.stat()).isFile()) throw new OperatorError('EINVAL');
    const bytes = Buffer.alloc(FILE_BYTES_MAX + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await opened.read(bytes, length, bytes.length - length, null);
      if (bytesRead === 0) return bytes.subarray(0, length);
      length += bytesRead;
    }
  } finally {
    await opened.close();
  }
}

/** The first line that is none; a file that was cut off because of its size is too large. */
function notUtf8(file: string, bytes: Buffer): ConfigError {
  if (bytes.length > FILE_BYTES_MAX) return tooLarge(file);
  let line = 1;
  for (let start = 0; ; line += 1) {
    const end = bytes.indexOf('\n', start);
    if (end < 0 || !isUtf8(bytes.subarray(start, end))) break;
    start = end + 1;
  }
  return { file, line, keyPath: '', what: 'is not UTF-8', allowed: 'text in UTF-8' };
}

/** The error of the file with which all together are too large. */
function tooLargeTogether(file: string): ConfigError {
  const what = 'this and the files before it are too large';
  const allowed = `at most ${FILES_BYTES_MAX / 1024 / 1024} MiB together`;
  return { file, line: 0, keyPath: '', what, allowed };
}

function unreadable(file: string, error: unknown): ConfigError {
  const code = errnoOf(error) ?? 'EIO';
  return {
    file,
    line: 0,
    keyPath: '',
    what: `cannot be read: ${code}`,
    allowed: 'a readable file',
  };
}

/** In the order in which a reader meets them, by file, then by line; very many are cut short. */
function sorted(errors: ConfigError[], files: readonly string[]): ConfigError[] {
  const placeOf = ({ file }: ConfigError): number => Math.max(0, files.indexOf(file));
  errors.sort((left, right) => placeOf(left) - placeOf(right) || left.line - right.line);
  const [next] = errors.slice(ERRORS_MAX);
  if (next === undefined) return errors;
  const what = `and ${errors.length - ERRORS_MAX} more mistakes`;
  return [...errors.slice(0, ERRORS_MAX), { ...next, line: 0, keyPath: '', what, allowed: '' }];
}
