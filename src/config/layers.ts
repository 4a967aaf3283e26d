/**
 * The configuration in its layers, and what they amount to.
 *
 *   arguments of ipmpd             on top: --socket, --log-level
 *   commands of ipmpadm            until the daemon stops
 *   drop-ins, the last on top      50-ipmpadm.yaml is what `--save` writes
 *   the main file
 *   defaults                       of the schema
 *
 * Layers are values: an edit makes new ones, and nothing is in force before its commit. So
 * a change can be checked as a whole before anything of it is done, and dropped without a trace.
 */

import {
  type ConfigDocument,
  type ConfigError,
  type ConfigValue,
  documentOf,
  documentsMerge,
  isMapping,
  type Place,
  REMOVED,
} from './document.ts';
import type { Config } from './types.ts';

/** A file that was read. */
export interface FileLayer {
  readonly file: string;
  readonly text: string;
  readonly document: ConfigDocument;
}

/** All layers, lowest first. */
export interface ConfigLayers {
  readonly files: readonly FileLayer[];
  readonly commands: ConfigValue;
  readonly arguments: ConfigValue;
}

/** The result of layers. */
export interface EffectiveConfig {
  readonly config: Config;
  /** The layers laid over each other, without defaults. */
  readonly document: ConfigDocument;
}

export type EffectiveResult = EffectiveConfig | { readonly errors: readonly ConfigError[] };

/** One change: the keys from the top, and their new value (`REMOVED`: nothing). */
export interface ConfigEdit {
  readonly path: readonly string[];
  readonly value: ConfigValue;
}

/** As the origin of a value. */
export const FROM_COMMAND: Place = { file: 'command', line: 0 };
const FROM_ARGUMENT: Place = { file: 'argument', line: 0 };

/** All layers as one document. */
export function layersMerge(layers: ConfigLayers): ConfigDocument {
  return documentsMerge([
    ...layers.files.map(({ document }) => document),
    documentOf(layers.commands, FROM_COMMAND),
    documentOf(layers.arguments, FROM_ARGUMENT),
  ]);
}

/** `value` after `edits`; what is not edited is shared with it. */
export function valueEdit(value: ConfigValue, edits: readonly ConfigEdit[]): ConfigValue {
  return edits.reduce((before, { path, value: after }) => set(before, path, after), value);
}

function set(value: ConfigValue, path: readonly string[], after: ConfigValue): ConfigValue {
  const [key, ...rest] = path;
  if (key === undefined) return after;
  const mapping: { [key: string]: ConfigValue } = Object.create(null);
  if (isMapping(value)) Object.assign(mapping, value);
  mapping[key] = set(mapping[key] ?? null, rest, after);
  return mapping;
}

/** `value` without the values at `paths`; mappings that become empty by it go too. */
export function valueWithout(
  value: ConfigValue,
  paths: readonly (readonly string[])[],
): ConfigValue {
  return paths.reduce(without, value);
}

function without(value: ConfigValue, path: readonly string[]): ConfigValue {
  const [key, ...rest] = path;
  if (key === undefined || !isMapping(value) || value[key] === undefined) return value;
  const mapping: { [key: string]: ConfigValue } = Object.assign(Object.create(null), value);
  const below = rest.length === 0 ? null : without(mapping[key] ?? null, rest);
  if (below === null) delete mapping[key];
  else mapping[key] = below;
  return Object.keys(mapping).length === 0 ? null : mapping;
}

/**
 * The edit that gives an interface or a group exactly `value`, whatever the layers below have of
 * that name.
 */
export function creationEdit(
  layers: ConfigLayers,
  section: 'interfaces' | 'groups',
  name: string,
  value: { readonly [key: string]: ConfigValue },
): ConfigEdit {
  const { value: below } = documentsMerge(layers.files.map(({ document }) => document));
  const entries = isMapping(below) ? below[section] : null;
  const known = isMapping(entries) ? entries[name] : null;
  const whole: { [key: string]: ConfigValue } = Object.create(null);
  for (const key of isMapping(known) ? Object.keys(known) : []) whole[key] = REMOVED;
  return { path: [section, name], value: Object.assign(whole, value) };
}
