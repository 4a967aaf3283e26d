/**
 * What can be refused, in one table: an errno-style code with its sentence. An OperatorError
 * is the answer to a request (configuration, API, command line) and names what was given;
 * packet trouble is a counted drop reason, and our own mistakes are assertions.
 */

import { InvariantError } from './assert.ts';

/** Code -> what it means when nothing more precise is known. */
export const ERROR_SENTENCES = {
  EACCES: 'permission denied',
  EADDRINUSE: 'the address is already in use',
  EADDRNOTAVAIL: 'the address is not there',
  EAFNOSUPPORT: 'the address family is not supported',
  EAGAIN: 'not possible at the moment, try again',
  EALREADY: 'it is already so',
  EBADFD: 'the device is gone',
  EBUSY: 'it is in use',
  ECANCELED: 'the operation was cancelled',
  ECONNREFUSED: 'the daemon is not reachable',
  EDEADLK: 'it would wait for itself',
  EEXIST: 'it exists already',
  EINVAL: 'the argument is not valid',
  EIO: 'the device does not work',
  EMFILE: 'too many files are open',
  EMSGSIZE: 'the message is too long',
  ENAMETOOLONG: 'the name is too long',
  ENETDOWN: 'the network is down',
  ENOBUFS: 'no buffer is free',
  ENODEV: 'there is no such device',
  ENOENT: 'there is nothing of that name',
  ENOMEM: 'not enough memory',
  ENOSPC: 'there is no space left',
  ENOTSUP: 'this is not supported',
  ENXIO: 'there is no such interface',
  EOPNOTSUPP: 'this operation is not supported',
  EPERM: 'the operation is not permitted',
  ERANGE: 'the value is out of range',
  ETIMEDOUT: 'no answer came in time',
} as const;

/** An errno name with which a request may be refused. */
export type ErrorCode = keyof typeof ERROR_SENTENCES;

/** True if `code` is one of the table. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERROR_SENTENCES, code);
}

/** The errno name of what Node.js or the addon has thrown. */
export function errnoOf(error: unknown): string | undefined {
  const isObject = typeof error === 'object' && error !== null;
  return isObject && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** What an error says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A request that is refused or has failed; `message` is one sentence without the code. */
export class OperatorError extends Error {
  override readonly name = 'OperatorError';
  readonly code: ErrorCode;
  /** The operator's remedy; undefined where there is no useful hint. */
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message?: string, hint?: string) {
    super(message ?? ERROR_SENTENCES[code]);
    this.code = code;
    this.hint = hint;
  }
}

/** True if `error` is a refusal with one of these codes. */
export function isRefusal(error: unknown, ...codes: ErrorCode[]): error is OperatorError {
  return error instanceof OperatorError && codes.includes(error.code);
}

/**
 * True for errors that only a mistake in our own program can cause. They are not results of an
 * operation: the scheduler lets them through, and the process ends.
 */
export function isMistake(error: unknown): boolean {
  return (
    error instanceof InvariantError ||
    error instanceof TypeError ||
    error instanceof ReferenceError ||
    error instanceof RangeError ||
    error instanceof SyntaxError
  );
}
