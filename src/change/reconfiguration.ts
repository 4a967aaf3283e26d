/**
 * The configuration over the daemon's life: at the start, by commands, on reload. All three are
 * the same thing: a configuration that is wanted, the difference to what is in force, and the
 * changes of that difference carried out one by one.
 *
 * What is in force is kept apart from what is wanted: a change that could not be made is missing
 * from it, and so it is in the next difference again.
 *
 *   start    what can be applied is applied: one setting that is refused must not take the network
 *            of the host with it; what is refused is logged and shown
 *   command  whole or nothing: a change that fails is followed by the way back
 *   reload   what can be applied is applied, what is refused is reported; what other programs took
 *            off the devices of groups is put back
 *
 * Invariants
 * 1. One configuration change at a time, in the order of asking: from reading what it starts from
 *    to the end of writing what it saves.
 * 2. A wrong file, and a refused command, change nothing.
 * 3. What is the same in both configurations is not touched.
 */

import { OperatorError } from '../base/errors.ts';
import { nextTurn } from '../base/turns.ts';
import { configErrorFormat } from '../config/document.ts';
import type { ConfigEdit } from '../config/layers.ts';
import type { ConfigStore, Proposal } from '../config/store.ts';
import type { Config } from '../config/types.ts';
import type { ReloadRow } from '../model/rows.ts';
import type { Log } from '../process/log.ts';
import { Serial } from '../process/serial.ts';
import type { SystemEvent } from '../system.ts';
import type { Applier } from './applier.ts';
import {
  type Change,
  changeApply,
  changeNames,
  changeSentence,
  isEqual,
  StillWanted,
} from './changes.ts';
import { difference } from './difference.ts';

/** The event of a change of the configuration. */
export interface ConfigurationNews {
  readonly event: Extract<SystemEvent['event'], `configuration-${string}`>;
  readonly cause: Extract<SystemEvent['cause'], 'configured' | 'configuration-invalid'>;
  /** What was done, or what is wrong. */
  readonly detail: string;
}

/** What a command comes to. */
export interface Edit {
  readonly edits: readonly ConfigEdit[];
  /** What is done on the devices once the edits are in force; the next change does not wait. */
  readonly afterwards?: () => Promise<void>;
}

/** What it needs. */
export interface ReconfigurationOptions {
  readonly store: ConfigStore;
  readonly applier: Pick<Applier, 'apply'>;
  readonly log: Log;
  readonly tell: (news: ConfigurationNews) => void;
  readonly isStopping: () => boolean;
  /** Why a device is not attached; undefined if it is, or is not wanted. */
  readonly refusalOf: (name: string) => OperatorError | undefined;
  /** Puts back what other programs took off the devices of groups; one sentence each. */
  readonly restore: () => Promise<readonly string[]>;
}

/** What came of all the changes to a configuration; `opened`: devices that were asked for. */
interface Applied {
  readonly changes: readonly string[];
  readonly problems: readonly string[];
  readonly opened: readonly string[];
}

/** See the head of the file. */
export class Reconfiguration {
  readonly #options: ReconfigurationOptions;
  readonly #serial = new Serial();
  /** What is in force. */
  #config: Config;
  /** What was asked for and could not be done, by the sentence of the change. */
  readonly #problems = new Map<string, string>();

  constructor(options: ReconfigurationOptions) {
    this.#options = options;
    // What the daemon is built with; interfaces and groups are made by `start`.
    this.#config = { ...options.store.config, interfaces: [], groups: [] };
  }

  /** What is in force. */
  get config(): Config {
    return this.#config;
  }

  /** What of the configuration that is wanted could not be made so: one sentence each. */
  get problems(): readonly string[] {
    return [...this.#problems.values()];
  }

  /** Makes the configuration that was read the one in force, as far as it can be. */
  async start(): Promise<void> {
    await this.#serial.run(async () => {
      const { problems } = await this.#applyAll(this.#options.store.config);
      for (const problem of problems) this.#options.log.error({ event: 'not-applied' }, problem);
    });
  }

  /**
   * Makes the edits that `prepare` finds right for what is wanted by then, whole or not at all;
   * with `save` they are written down too. What refuses is thrown. EIO: done, but not saved.
   */
  async change(
    label: string,
    save: boolean,
    prepare: (config: Config, store: ConfigStore) => Edit,
  ): Promise<void> {
    const { afterwards } = await this.#serial.run(async () => {
      this.#refuseWhenStopping();
      const { store } = this.#options;
      const edit = prepare(store.config, store);
      if (edit.edits.length > 0) await this.#make(edit.edits, label, save);
      return edit;
    });
    await afterwards?.();
  }

  async #make(edits: readonly ConfigEdit[], label: string, save: boolean): Promise<void> {
    const { store, tell } = this.#options;
    const proposal = await store.propose(edits, save);
    // The stop may have begun while the saved file was read.
    this.#refuseWhenStopping();
    await this.#applyWhole(proposal, edits);
    if (proposal.isSame && !save) return;
    try {
      await store.commit(proposal);
    } finally {
      tell({ event: 'configuration-changed', cause: 'configured', detail: label });
    }
  }

  #refuseWhenStopping(): void {
    if (this.#options.isStopping()) throw new OperatorError('EAGAIN', 'ipmpd is stopping');
  }

  /** Resolves when no change is under way any more. */
  async idle(): Promise<void> {
    await this.#serial.run(async () => undefined);
  }

  /**
   * Reads the files anew and applies what differs. EINVAL: they are wrong, nothing changed; EAGAIN:
   * the daemon stops.
   */
  reload(): Promise<ReloadRow> {
    return this.#serial.run(async () => {
      const { store, log, tell } = this.#options;
      this.#refuseWhenStopping();
      const proposal = await store.reread();
      this.#refuseWhenStopping();
      if ('errors' in proposal) {
        const errors = proposal.errors.map(configErrorFormat);
        log.error({ event: 'reload-refused', errors }, 'the configuration is wrong: not reloaded');
        tell({
          event: 'configuration-refused',
          cause: 'configuration-invalid',
          detail: errors[0] ?? '',
        });
        const hint = 'nothing was changed; see ipmpd --check';
        throw new OperatorError('EINVAL', errors.join('; '), hint);
      }
      await store.commit(proposal);
      this.#problems.clear();
      const applied = await this.#applyAll(proposal.effective.config);
      const restored = await this.#options.restore();
      const row = this.#rowOf({ ...applied, changes: [...applied.changes, ...restored] });
      for (const problem of row.problems) log.error({ event: 'not-applied' }, problem);
      for (const warning of row.warnings) log.warn({ event: 'reload-warning' }, warning);
      log.info({ event: 'reloaded', ...row }, `reloaded: ${countOf(row)}`);
      tell({ event: 'configuration-reloaded', cause: 'configured', detail: countOf(row) });
      return row;
    });
  }

  async #applyAll(wanted: Config): Promise<Applied> {
    const changes: string[] = [];
    const problems: string[] = [];
    const opened: string[] = [];
    const missing = new Set<string>();
    await nextTurn();
    for (const change of difference(this.#config, wanted)) {
      if (this.#options.isStopping()) break;
      const sentence = changeSentence(change);
      const problem = await this.#try(change, missing);
      if (problem !== undefined) problems.push(problem);
      else (change.kind === 'restart' ? problems : changes).push(sentence);
      if (change.kind === 'open-interface' || change.kind === 'open-group')
        opened.push(change.name);
    }
    return { changes, problems, opened };
  }

  /**
   * A device that is absent or refused is a normal state. It is a problem of the reload that adds
   * it, as a mistyped name is, and a warning of every later one.
   */
  #rowOf({ changes, problems, opened }: Applied): ReloadRow {
    const { interfaces, groups } = this.#config;
    const waiting = [...interfaces, ...groups].flatMap(({ name }) => {
      const refusal = this.#options.refusalOf(name);
      if (refusal === undefined) return [];
      return [{ name, sentence: `${name}: ${refusal.message}; waiting for it` }];
    });
    const sentencesOf = (isAsked: boolean): string[] =>
      waiting.flatMap(({ name, sentence }) => (opened.includes(name) === isAsked ? sentence : []));
    return {
      changes,
      problems: [...problems, ...sentencesOf(true)],
      warnings: sentencesOf(false),
    };
  }

  /** Makes one change; answers its problem. What could not be added is `missing` to later ones. */
  async #try(change: Change, missing: Set<string>): Promise<string | undefined> {
    const absent = changeNames(change).find((name) => missing.has(name));
    if (absent !== undefined) return this.#problem(change, `there is no ${absent}`);
    try {
      await this.#apply(change);
      return undefined;
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      const isAddition = change.kind === 'add-interface' || change.kind === 'add-group';
      if (isAddition) missing.add(change.config.name);
      return this.#problem(change, `${error.message} (${error.code})`);
    }
  }

  #problem(change: Change, why: string): string {
    const sentence = changeSentence(change);
    const problem = `${sentence}: ${why}`;
    this.#problems.set(sentence, problem);
    return problem;
  }

  /**
   * All that the edits change, or nothing. What is still missing from an earlier reload is tried
   * too, but does not refuse a command on other objects. A command that repeats what is wanted
   * already concerns what is missing.
   */
  async #applyWhole({ effective, isSame }: Proposal, edits: readonly ConfigEdit[]): Promise<void> {
    const { store, log } = this.#options;
    const before = this.#config;
    const about = new Set(isSame ? edits.flatMap(({ path }) => path.slice(1, 2)) : []);
    const pending = difference(before, store.config).filter(
      (change) => !changeNames(change).some((name) => about.has(name)),
    );
    const missing = new Set<string>();
    try {
      for (const change of difference(before, effective.config)) {
        if (!pending.some((one) => isEqual(one, change))) await this.#apply(change);
        else {
          const problem = await this.#try(change, missing);
          if (problem !== undefined) log.warn({ event: 'still-not-applied' }, problem);
        }
      }
    } catch (error) {
      if (error instanceof OperatorError) await this.#goBack(before);
      throw error;
    }
  }

  /** The way back should not fail, since it leads to the state before; a failure is logged. */
  async #goBack(before: Config): Promise<void> {
    for (const change of difference(this.#config, before)) {
      try {
        await this.#apply(change);
      } catch (error) {
        if (!(error instanceof OperatorError)) throw error;
        const { code, message } = error;
        const what = changeSentence(change);
        this.#options.log.error({ event: 'not-undone', code }, `could not ${what}: ${message}`);
      }
    }
  }

  async #apply(change: Change): Promise<void> {
    const next = changeApply(this.#config, change);
    try {
      await this.#options.applier.apply(change, next);
    } catch (error) {
      if (error instanceof StillWanted) this.#config = next;
      throw error;
    }
    this.#config = next;
    this.#problems.delete(changeSentence(change));
  }
}

function countOf({ changes, problems }: ReloadRow): string {
  return `${changes.length} changes, ${problems.length} problems`;
}
