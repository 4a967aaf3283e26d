/** The judgement of one cell of the matrix of users and verbs. */

import { equal, ok } from 'node:assert/strict';
import type { User } from './users.ts';
import type { Verb } from './verbs.ts';

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
