/**
 * The configuration: YAML files in, one fully explicit value out.
 *
 * The main file and the drop-ins, in name order, are laid over each other; the result is checked
 * against the schema that editors use too (config/ipmpd.schema.json), then against itself; only
 * then is the `Config` made. It has no optional fields: every default is filled in.
 *
 * No file, however broken, makes this throw: it becomes errors, each with file, line, key, what
 * is wrong, what is allowed.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
} from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from './base/errors.ts';
import { checkConfig } from './config/checks.ts';
import {
  type ConfigDocument,
  type ConfigError,
  documentRead,
  documentsMerge,
  FILE_BYTES_MAX,
} from './config/document.ts';
import { configResolve } from './config/resolve.ts';
import type { Config } from './config/types.ts';
import { ConfigValidator } from './config/validate.ts';

export type ConfigResult = { readonly config: Config } | { readonly errors: ConfigError[] };

/** Where the administrator's configuration lies. */
export const CONFIG_FILE = '/etc/ipmpd/ipmpd.yaml';
export const DROP_IN_DIRECTORY = '/etc/ipmpd/ipmpd.d';

/** Drop-ins that are read: a directory by mistake (/usr) must not be. */
const DROP_INS_MAX = 256;

/** From dist/src as from src: two levels above this file. */
const SCHEMA_URL = new URL('../../config/ipmpd.schema.json', import.meta.url);

/** A configuration file as text. */
export interface ConfigSource {
  readonly file: string;
  readonly text: string;
}

/**
 * Reads `file` and the `*.yaml` of `dropInDirectory` (may be absent), or says all that is wrong
 * with them.
 */
export function loadConfig(file: string, dropInDirectory?: string): ConfigResult {
  const sources: ConfigSource[] = [];
  const errors: ConfigError[] = [];
  const files = [file, ...dropInFiles(dropInDirectory, errors)];
  for (const name of files) {
    try {
      sources.push({ file: name, text: readText(name) });
    } catch (error) {
      errors.push(unreadable(name, error));
    }
  }
  return errors.length > 0 ? { errors } : configFromSources(sources);
}

let validator: ConfigValidator | undefined;

/** The configuration of `sources`, later ones on top, or all that is wrong with them. */
export function configFromSources(sources: readonly ConfigSource[]): ConfigResult {
  const documents: ConfigDocument[] = [];
  const errors: ConfigError[] = [];
  for (const { file, text } of sources) {
    const document = documentRead(file, text);
    if ('errors' in document) errors.push(...document.errors);
    else documents.push(document);
  }
  if (errors.length > 0) return { errors };
  validator ??= new ConfigValidator(JSON.parse(readFileSync(SCHEMA_URL, 'utf8')) as object);
  const merged = documentsMerge(documents);
  const schemaErrors = validator.check(merged);
  if (schemaErrors.length > 0) return { errors: sorted(schemaErrors, sources) };
  const config = configResolve(merged.value);
  const findings = checkConfig(config, merged);
  return findings.length > 0 ? { errors: sorted(findings, sources) } : { config };
}

function dropInFiles(directory: string | undefined, errors: ConfigError[]): string[] {
  if (directory === undefined) return [];
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      errors.push(unreadable(directory, error));
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
 * The file's text, at most a little more than may be accepted: enough to notice that it is too
 * large.
 */
function readText(file: string): string {
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!fstatSync(descriptor).isFile()) throw new OperatorError('EINVAL');
    const bytes = Buffer.alloc(FILE_BYTES_MAX + 1);
    let length = 0;
    for (;;) {
      const count = readSync(descriptor, bytes, length, bytes.length - length, null);
      if (count === 0) return bytes.toString('utf8', 0, length);
      length += count;
    }
  } finally {
    closeSync(descriptor);
  }
}

function unreadable(file: string, error: unknown): ConfigError {
  const code = (error as NodeJS.ErrnoException).code ?? 'EIO';
  return {
    file,
    line: 0,
    keyPath: '',
    what: `cannot be read: ${code}`,
    allowed: 'a readable file',
  };
}

/** In the order in which a reader meets them: by file, then by line. */
function sorted(errors: ConfigError[], sources: readonly ConfigSource[]): ConfigError[] {
  const order = new Map(sources.map((source, index) => [source.file, index]));
  return errors.sort(
    (left, right) =>
      (order.get(left.file) ?? 0) - (order.get(right.file) ?? 0) || left.line - right.line,
  );
}
