/** The journal of changes: what survives, what is refused. */

import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { OperatorError } from '../../src/base/errors.ts';
import { type Change, Journal } from '../../src/host/journal.ts';

const CHANGE: Change = {
  kind: 'sysctl',
  device: 'eth0',
  ifindex: 3,
  path: '/proc/sys/net/ipv6/conf/eth0/disable_ipv6',
  before: '0',
};

function pathIn(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'ipmpd-journal-'));
  context.after(() => rmSync(folder, { recursive: true }));
  return join(folder, 'run', 'journal');
}

/** The owner ends as a killed one does: the file stays, the lock goes. */
function end(journal: Journal): void {
  ok(journal.entries().length > 0, 'otherwise the file would go');
  journal.close();
}

function code(wanted: string) {
  return (error: unknown): boolean => error instanceof OperatorError && error.code === wanted;
}

test('what was written down is there after a crash, newest first', (context) => {
  const path = pathIn(context);
  const journal = Journal.open(path);
  const first = journal.record('a', CHANGE);
  const second = journal.record('b', { ...CHANGE, device: 'eth1' });
  const third = journal.record('a', { ...CHANGE, device: 'eth2' });
  journal.amend(second, { ...CHANGE, device: 'eth1', ifindex: 9 });
  journal.forget(first);
  end(journal);
  const next = Journal.open(path);
  deepEqual(
    next.entries().map(({ id, change }) => [id, change.device, change.ifindex]),
    [
      [third, 'eth2', 3],
      [second, 'eth1', 9],
    ],
  );
  deepEqual(
    next.entries('b').map((entry) => entry.id),
    [second],
  );
  ok(next.record('c', CHANGE) > third);
});

test('a change of a holder is found as long as one entry tells of it', (context) => {
  const journal = Journal.open(pathIn(context));
  const first = journal.record('a', CHANGE);
  const second = journal.record('a', CHANGE);
  equal(journal.has('a', { ...CHANGE }), true);
  equal(journal.has('b', CHANGE), false);
  journal.forget(first);
  equal(journal.has('a', CHANGE), true);
  journal.amend(second, { ...CHANGE, ifindex: 9 });
  deepEqual([journal.has('a', CHANGE), journal.has('a', { ...CHANGE, ifindex: 9 })], [false, true]);
  journal.forget(second);
  equal(journal.has('a', { ...CHANGE, ifindex: 9 }), false);
  deepEqual(journal.entries('a'), []);
});

test('nothing left to undo: the file goes', (context) => {
  const path = pathIn(context);
  const journal = Journal.open(path);
  const id = journal.record('a', CHANGE);
  journal.forget(id);
  journal.forget(id);
  journal.close();
  equal(existsSync(path), false);
});

test('the owner lives: EBUSY, and the journal is untouched', (context) => {
  const path = pathIn(context);
  const journal = Journal.open(path);
  journal.record('a', CHANGE);
  const before = readFileSync(path, 'utf8');
  throws(() => Journal.open(path), code('EBUSY'));
  equal(readFileSync(path, 'utf8'), before);
});

test('a line that was cut short is left out', (context) => {
  const path = pathIn(context);
  const journal = Journal.open(path);
  journal.record('a', CHANGE);
  end(journal);
  writeFileSync(path, `${readFileSync(path, 'utf8')}{"id":2,"holder":"a","chan`);
  equal(Journal.open(path).entries().length, 1);
});

test('changes in another network namespace are given up, and counted', (context) => {
  const path = pathIn(context);
  const journal = Journal.open(path);
  journal.record('a', CHANGE);
  journal.forget(journal.record('b', CHANGE));
  end(journal);
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.replace(/"namespace":"[^"]*"/, '"namespace":"net:[1]"'));
  const next = Journal.open(path);
  deepEqual(next.entries(), []);
  equal(next.discarded, 1);
});

test('a file that is not ours is refused and kept', (context) => {
  const path = pathIn(context);
  Journal.open(path).close();
  for (const text of ['hello\n', '[]x\n', '7\n']) {
    writeFileSync(path, text);
    throws(() => Journal.open(path), code('EINVAL'));
    equal(readFileSync(path, 'utf8'), text);
  }
});

test('a long life does not make a long file', (context) => {
  const path = pathIn(context);
  const journal = Journal.open(path);
  const kept = journal.record('kept', CHANGE);
  for (let i = 0; i < 3000; i++) journal.forget(journal.record('a', CHANGE));
  ok(readFileSync(path, 'utf8').split('\n').length < 2000);
  end(journal);
  deepEqual(
    Journal.open(path)
      .entries()
      .map((entry) => entry.id),
    [kept],
  );
});
