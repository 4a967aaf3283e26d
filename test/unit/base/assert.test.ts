import { strictEqual, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { assert, InvariantError } from '../../../src/base/assert.ts';

test('a broken invariant throws InvariantError with its message', () => {
  throws(
    () => assert(false, 'slots never leak'),
    (error: unknown) => {
      strictEqual(error instanceof InvariantError, true);
      strictEqual((error as Error).message, 'slots never leak');
      return true;
    },
  );
});
