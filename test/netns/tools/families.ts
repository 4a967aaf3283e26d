/** Suites of both families on one host. */

import { describe } from 'node:test';
import { LANS, type Lan } from '../../../src/lab/topology.ts';

/** A suite for each family. They run at the same time: neither may change what the other sees. */
export function describeFamilies(body: (lan: Lan) => void): void {
  describe('families', { concurrency: true }, () => {
    for (const lan of LANS) describe(`IPv${lan.family}`, { concurrency: false }, () => body(lan));
  });
}
