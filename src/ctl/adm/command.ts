/**
 * The terms in which the commands of `ipmpadm` are written down.
 *
 * The grammar is iproute2's: options, then an object, then a verb, then its parameters: words
 * known by their place, keywords with their value (`dev GROUP`) in any order, options of the
 * command (`--uplink DEV`), and `key=value`.
 */

import { routeOf } from '../api/routes.ts';
import type { Role } from '../route.ts';
import type { Setting } from '../settings.ts';
import type { ViewName } from './views.ts';

/** One parameter of a command. */
export interface Parameter {
  /** Under which the API knows the value. */
  readonly key: string;
  /** The word before the value: `dev`, `--uplink`; empty if the parameter is known by its place. */
  readonly keyword: string;
  /** What usage writes for the value; empty if the keyword is enough (`proxy`, `--check`). */
  readonly value: string;
  readonly least: number;
  readonly most: number;
  readonly summary: string;
  /** The keyword of another parameter that cannot be given with this one. */
  readonly excludes?: string;
  /** What `key=value` may name. */
  readonly settings?: readonly Setting[];
}

/** What a command does with the reply, or instead of a request. */
export type Action =
  | 'show'
  | 'change'
  | 'status'
  | 'kstat'
  | 'monitor'
  | 'config'
  | 'reload'
  | 'check'
  | 'lab';

export interface Command {
  /** Object and verb. */
  readonly name: string;
  readonly object: string;
  /** Empty if the object stands alone (`status`). */
  readonly verb: string;
  readonly summary: string;
  readonly action: Action;
  /** `GET /v1/groups`; empty: no daemon is needed. */
  readonly route: string;
  readonly view?: ViewName;
  readonly parameters: readonly Parameter[];
  /** The words after `ipmpadm` of calls that make sense, at least one. */
  readonly examples: readonly string[];
  /** All words are handed on unseen. */
  readonly isOpaque?: true;
}

/** Members of a group at most, settings of a call, and words handed on unseen. */
export const ANY_NUMBER = 64;

/** A word known by its place. */
export function word(value: string, key: string, summary: string): Parameter {
  return { key, keyword: '', value, least: 1, most: 1, summary };
}

/** `dev GROUP` */
export function pair(keyword: string, value: string, key: string, summary: string): Parameter {
  return { key, keyword, value, least: 1, most: 1, summary };
}

/** `proxy`, `--check`: there or not. */
export function mark(keyword: string, key: string, summary: string): Parameter {
  return { key, keyword, value: '', least: 0, most: 1, summary };
}

export function optional(parameter: Parameter): Parameter {
  return { ...parameter, least: 0 };
}

export function repeated(parameter: Parameter): Parameter {
  return { ...parameter, most: ANY_NUMBER };
}

/** `key=value…` */
export function assignments(settings: readonly Setting[]): Parameter {
  const summary = 'new values, written as in the configuration file';
  return { ...repeated(word('KEY=VALUE', 'settings', summary)), settings };
}

/** `--save`, on all that changes the configuration. */
export const SAVE = mark(
  '--save',
  'save',
  'keep the change in the configuration of the next start',
);

/** The role that a command needs; undefined: it sends no request to the daemon. */
export function roleOf(command: Command): Role | undefined {
  return routeOf(command.route)?.role;
}

/** Whether a word names an option and not a value. */
export function isOption(text: string): boolean {
  return text.startsWith('-') && text.length > 1;
}
