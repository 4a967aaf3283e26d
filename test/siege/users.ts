/**
 * Eight kinds of users, what each may do, connections in their names, and the judgement of what
 * each got for a verb.
 *
 * The kernel notes the identity of a client when it connects: its effective user and group and its
 * supplementary groups at that moment. So one process that is root may be every user in turn.
 */

import { equal, ok } from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import type { Role, Verb } from './verbs.ts';

/** What the kernel notes of a client. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

export interface User extends Identity {
  readonly title: string;
  /** Beyond reading, which all may. */
  readonly may: readonly Role[];
}

/** The one user for whom the machine has no operators' group. */
export const WITHOUT_OPERATORS = 'the same where there is no operators’ group';

/** The eight users where the operators' group is `operators`. */
export function usersWith(operators: number): User[] {
  const supplementary = [60900, operators];
  const rows: readonly [string, number, number, readonly number[], ...Role[]][] = [
    ['root', 0, 0, [0], 'operate', 'root'],
    ['an operator by primary group', 60001, operators, [], 'operate'],
    ['an operator by supplementary group', 60002, 60002, supplementary, 'operate'],
    [WITHOUT_OPERATORS, 60002, 60002, supplementary],
    ['a plain user', 60003, 60003, [60003]],
    ['nobody', 65534, 65534, []],
    ['a user in root’s group', 60004, 0, [0]],
    ['a user in other groups', 60005, 60005, [60901, 60902]],
  ];
  return rows.map(([title, uid, gid, groups, ...may]) => ({ title, uid, gid, groups, may }));
}

/** A connection as `user`. Only root may. */
export function connectAs({ uid, gid, groups }: Identity, socketPath: string): Socket {
  const own = process.getgroups?.() ?? [];
  process.setgroups?.([...groups]);
  process.setegid?.(gid);
  process.seteuid?.(uid);
  try {
    // The system call is made before this returns.
    return connect(socketPath);
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
    process.setgroups?.(own);
  }
}

/** What a user got for a verb. */
export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** A request that was let through is done, or refused for what it names. */
const LET_THROUGH: readonly number[] = [200, 201, 204, 404, 409];

/** @throws AssertionError unless `user` got for `verb` what the lists have. */
export function judgeCell(user: User, verb: Verb, answer: Answer): void {
  const cell = `${user.title}: ${verb.method} ${verb.path}: ${answer.status} ${answer.text}`;
  if (verb.role === 'read' || user.may.includes(verb.role)) {
    ok(LET_THROUGH.includes(answer.status), cell);
    ok(!/there is no [A-Z]+ \//.test(answer.text), cell);
    if (verb.role === 'read') equal(answer.status, 200, cell);
    return;
  }
  equal(answer.status, 403, cell);
  const { error } = JSON.parse(answer.text) as { error: { code: string; message: string } };
  equal(error.code, 'EPERM', cell);
  ok(error.message.includes(`user ${user.uid}`), cell);
}
