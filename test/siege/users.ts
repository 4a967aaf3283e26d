/**
 * Eight kinds of users, what each may do, and connections in their names.
 *
 * The kernel notes who a client is when it connects: its effective user and group and its
 * supplementary groups at that moment. So one process that is root may be every user in turn.
 */

import { connect, type Socket } from 'node:net';
import type { Role } from './verbs.ts';

export interface User {
  readonly title: string;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** Beyond reading, which all may. */
  readonly may: readonly Role[];
  /** There is no operators' group on the machine. */
  readonly withoutOperators?: boolean;
}

/** The eight users where the operators' group is `operators`. */
export function usersWith(operators: number): readonly User[] {
  return [
    { title: 'root', uid: 0, gid: 0, groups: [0], may: ['operate', 'root'] },
    {
      title: 'an operator by primary group',
      uid: 60001,
      gid: operators,
      groups: [],
      may: ['operate'],
    },
    {
      title: 'an operator by supplementary group',
      uid: 60002,
      gid: 60002,
      groups: [60900, operators],
      may: ['operate'],
    },
    {
      title: 'the same where there is no operators’ group',
      uid: 60002,
      gid: 60002,
      groups: [60900, operators],
      may: [],
      withoutOperators: true,
    },
    { title: 'a plain user', uid: 60003, gid: 60003, groups: [60003], may: [] },
    { title: 'nobody', uid: 65534, gid: 65534, groups: [], may: [] },
    { title: 'a user in root’s group', uid: 60004, gid: 0, groups: [0], may: [] },
    { title: 'a user in other groups', uid: 60005, gid: 60005, groups: [60901, 60902], may: [] },
  ];
}

/** A connection as `user`. Only root may. */
export function connectAs(
  { uid, gid, groups }: Pick<User, 'uid' | 'gid' | 'groups'>,
  socketPath: string,
): Socket {
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
