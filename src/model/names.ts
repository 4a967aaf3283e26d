/** Names of interfaces and groups: one rule, as either stands where the other does. */

import { OperatorError } from '../base/errors.ts';
import { DEVICE_NAME_LENGTH_MAX } from './limits.ts';

const MORE = DEVICE_NAME_LENGTH_MAX - 1;

/** Of a JSON Schema and of `nameRefusal`. The configuration's schema repeats it for editors. */
export const NAME_PATTERN = `^[A-Za-z][A-Za-z0-9._-]{0,${MORE}}$`;
export const NAME_ALLOWED = `a letter, then up to ${MORE} letters, digits, ., _ or -`;

/** What is wrong with a new name. @throws OperatorError ENAMETOOLONG, EINVAL */
export function checkName(what: 'group' | 'interface', name: string): void {
  if (name.length > DEVICE_NAME_LENGTH_MAX) {
    const given = `${what} name ${name.slice(0, 64)} has ${name.length} characters`;
    throw new OperatorError('ENAMETOOLONG', `${given} (at most ${DEVICE_NAME_LENGTH_MAX})`);
  }
  if (new RegExp(NAME_PATTERN).test(name)) return;
  throw new OperatorError('EINVAL', `${what} name "${name}" is not allowed (${NAME_ALLOWED})`);
}
