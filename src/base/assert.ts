/**
 * Assertions that stay on in production: a broken invariant is our own mistake, and the
 * service manager restarts a process that dies of it. Packets and operators never get here.
 */

/** Our own mistake: an invariant of the program does not hold. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Throws InvariantError with `message` unless `condition` holds. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}
