/** What the addon and files throw, as an answer to whoever asked for the change. */

import { isErrorCode, OperatorError } from '../base/errors.ts';

/** Errors of the addon and of files keep their errno's name. */
export function operatorErrorOf(error: unknown, name: string): unknown {
  if (error instanceof OperatorError || !(error instanceof Error)) return error;
  if (!('code' in error) || !('syscall' in error)) return error;
  const code = isErrorCode(error.code) ? error.code : 'EIO';
  return new OperatorError(code, `${name}: ${error.message}`);
}
