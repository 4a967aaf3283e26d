/**
 * The daemon's configuration over its life: read at the start, edited by commands, saved on
 * request, read again on reload.
 *
 * Everything is proposed first: a proposal is checked as a whole, may be refused or dropped, and
 * changes nothing. The caller carries it out and then commits it; that alone touches what is
 * remembered and the file that `--save` writes. One change at a time, its waits for files included:
 * a proposal is committed or dropped before the next one is made. A commit is remembered in the
 * turn of the call, so readers never see half of it.
 */

import { errnoOf, OperatorError } from '../base/errors.ts';
import { nextTurn, stepByStep } from '../base/turns.ts';
import { type ConfigError, type ConfigValue, configErrorFormat } from './document.ts';
import { textEdit } from './drop-in.ts';
import {
  type ConfigEdit,
  type ConfigLayers,
  creationEdit,
  type EffectiveConfig,
  type FileLayer,
  valueEdit,
  valueWithout,
} from './layers.ts';
import {
  effectiveConfig,
  effectiveSteps,
  fileLayer,
  loadFiles,
  readDropIn,
  savedFileOf,
  writeDropIn,
} from './load.ts';
import type { Config } from './types.ts';

/** A configuration that could be in force. */
export interface Proposal {
  readonly effective: EffectiveConfig;
  readonly layers: ConfigLayers;
  /** It equals what is wanted already. */
  readonly isSame: boolean;
  /** The drop-in to be written with it, and the layers that count if that fails. */
  readonly saved: { readonly layer: FileLayer; readonly otherwise: ConfigLayers } | undefined;
}

/** Findings of a check that a message names; after these follow from each other. */
const FINDINGS_TOLD = 3;

/** See the head of the file. */
export class ConfigStore {
  readonly #file: string;
  #layers: ConfigLayers;
  #effective: EffectiveConfig;

  private constructor(file: string, layers: ConfigLayers, effective: EffectiveConfig) {
    this.#file = file;
    this.#layers = layers;
    this.#effective = effective;
  }

  /** Reads `file` and its drop-ins; `givenArguments` lie on top, in the form of the file. */
  static async open(
    file: string,
    givenArguments: ConfigValue,
  ): Promise<ConfigStore | { readonly errors: readonly ConfigError[] }> {
    const files = await loadFiles(file);
    if ('errors' in files) return files;
    const layers = { files, commands: null, arguments: givenArguments };
    const effective = effectiveConfig(layers);
    return 'errors' in effective ? effective : new ConfigStore(file, layers, effective);
  }

  get config(): Config {
    return this.#effective.config;
  }

  get effective(): EffectiveConfig {
    return this.#effective;
  }

  /** The edit that gives an interface or a group exactly `value`. */
  creation(
    section: 'interfaces' | 'groups',
    name: string,
    value: { readonly [key: string]: ConfigValue },
  ): ConfigEdit {
    return creationEdit(this.#layers, section, name, value);
  }

  /** The configuration after `edits`. EINVAL: it would be wrong; EBUSY, EIO: it cannot be saved. */
  async propose(edits: readonly ConfigEdit[], save: boolean): Promise<Proposal> {
    const layers = { ...this.#layers, commands: valueEdit(this.#layers.commands, edits) };
    const effective = effectiveOrRefuse(layers);
    const isSame = isSameConfig(effective.config, this.config);
    if (!save) return { effective, layers, isSame, saved: undefined };
    const layer = await this.#savedLayer(edits);
    const saved = { layer, otherwise: layers };
    const files = withLayer(layers.files, layer);
    effectiveOrRefuse({ files, commands: null, arguments: null }, 'what is saved would be wrong: ');
    const paths = edits.map(({ path }) => path);
    const pruned = { ...layers, files, commands: valueWithout(layers.commands, paths) };
    const result = effectiveConfig(pruned);
    // Another drop-in may lie on top of the saved one: then the command counts until the end.
    const isEnough = !('errors' in result) && isSameConfig(result.config, effective.config);
    if (isEnough) return { effective: result, layers: pruned, isSame, saved };
    const whole = { ...layers, files };
    return { effective: effectiveOrRefuse(whole), layers: whole, isSame, saved };
  }

  /**
   * The configuration as the files are now, with what commands have changed. In steps: files may be
   * large, and the daemon has other things to do.
   */
  async reread(): Promise<Proposal | { readonly errors: readonly ConfigError[] }> {
    const files = await loadFiles(this.#file, this.#layers.files);
    if ('errors' in files) return files;
    const layers = { ...this.#layers, files };
    const effective = await stepByStep(effectiveSteps(layers));
    if ('errors' in effective) return effective;
    await nextTurn();
    const isSame = isSameConfig(effective.config, this.config);
    return { effective, layers, isSame, saved: undefined };
  }

  /**
   * Makes a proposal the configuration, in this turn; resolves when it is saved. EIO: it is in
   * force, but could not be saved.
   */
  async commit({ effective, layers, saved }: Proposal): Promise<void> {
    this.#effective = effective;
    this.#layers = saved?.otherwise ?? layers;
    if (saved !== undefined) await writeDropIn(saved.layer.file, saved.layer.text);
    this.#layers = layers;
  }

  async #savedLayer(edits: readonly ConfigEdit[]): Promise<FileLayer> {
    const file = savedFileOf(this.#file);
    const known = this.#layers.files.find((layer) => layer.file === file);
    const text = await readSaved(file);
    if (text !== known?.text) {
      const hint = 'make the daemon read it first: ipmpadm reload';
      throw new OperatorError('EBUSY', `${file} has been changed since it was read`, hint);
    }
    const others = this.#layers.files.filter((layer) => layer.file !== file);
    const layer = fileLayer({ file, text: textEdit({ file, text: text ?? '' }, edits, others) });
    if ('errors' in layer) throw refusalOf(layer.errors, '');
    return layer;
  }
}

async function readSaved(file: string): Promise<string | undefined> {
  try {
    return await readDropIn(file);
  } catch (error) {
    const code = errnoOf(error);
    throw new OperatorError('EIO', `${file} cannot be read: ${code ?? String(error)}`);
  }
}

/** `layer` among the files, in place of what it was, else where its name puts it. */
function withLayer(files: readonly FileLayer[], layer: FileLayer): FileLayer[] {
  const [main, ...dropIns] = files;
  const others = dropIns.filter(({ file }) => file !== layer.file);
  const sorted = [...others, layer].sort((one, other) => (one.file < other.file ? -1 : 1));
  return main === undefined ? sorted : [main, ...sorted];
}

function effectiveOrRefuse(layers: ConfigLayers, preface = ''): EffectiveConfig {
  const effective = effectiveConfig(layers);
  if ('errors' in effective) throw refusalOf(effective.errors, preface);
  return effective;
}

function refusalOf(errors: readonly ConfigError[], preface: string): OperatorError {
  const told = errors.slice(0, FINDINGS_TOLD).map((error) => {
    const isOfCommand = error.line === 0;
    return configErrorFormat(isOfCommand ? { ...error, file: '' } : error).replace(/^: /, '');
  });
  return new OperatorError('EINVAL', `${preface}${told.join('; ')}`);
}

/** The same, in whatever order it was written. */
function isSameConfig(one: Config, other: Config): boolean {
  return canonical(one) === canonical(other);
}

function canonical(config: Config): string {
  const byName = (left: { name: string }, right: { name: string }): number =>
    left.name < right.name ? -1 : 1;
  const interfaces = config.interfaces.toSorted(byName);
  const groups = config.groups.toSorted(byName);
  return JSON.stringify({ ...config, interfaces, groups });
}
