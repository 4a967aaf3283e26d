/** The journal of changes: what survives, what is refused. */

import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Change, Journal } from '../../../../src/host/undo/journal.ts';
import { journalPath, openJournal } from './harness.ts';

const CHANGE: Change = {
  kind: 'sysctl',
  device: 'eth0',
  ifindex: 3,
  path: '/proc/sys/net/ipv6/conf/eth0/disable_ipv6',
  before: '0',
};

/** The owner ends as a killed one does: the file stays, the lock goes. */
async function end(journal: Journal): Promise<void> {
  ok(journal.entries().length > 0, 'otherwise the file would go');
  await journal.close();
}

function code(wanted: string) {
  return { name: 'OperatorError', code: wanted };
}

test('what was written down is there after a crash, newest first', async (context) => {
  const path = journalPath(context);
  const journal = await openJournal(path);
  const first = await journal.record('a', CHANGE);
  const second = await journal.record('b', { ...CHANGE, device: 'eth1' });
  const third = await journal.record('a', { ...CHANGE, device: 'eth2' });
  await journal.amend(second, { ...CHANGE, device: 'eth1', ifindex: 9 });
  await journal.forget(first);
  await end(journal);
  const next = await openJournal(path);
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
  ok((await next.record('c', CHANGE)) > third);
});

test('a journal that cannot be made, or that was removed, is no crash', async (context) => {
  const path = journalPath(context);
  const journal = await openJournal(path);
  await rejects(openJournal(`${path}/journal`), code('EEXIST'));
  rmSync(path);
  await journal.close();
});

test('a change of a holder is found as long as one entry has it', async (context) => {
  const journal = await openJournal(journalPath(context));
  const first = await journal.record('a', CHANGE);
  const second = await journal.record('a', CHANGE);
  equal(journal.has('a', { ...CHANGE }), true);
  equal(journal.has('b', CHANGE), false);
  await journal.forget(first);
  equal(journal.has('a', CHANGE), true);
  await journal.amend(second, { ...CHANGE, ifindex: 9 });
  deepEqual([journal.has('a', CHANGE), journal.has('a', { ...CHANGE, ifindex: 9 })], [false, true]);
  await journal.forget(second);
  equal(journal.has('a', { ...CHANGE, ifindex: 9 }), false);
  deepEqual(journal.entries('a'), []);
});

test('nothing left to undo: the file goes', async (context) => {
  const path = journalPath(context);
  const journal = await openJournal(path);
  const id = await journal.record('a', CHANGE);
  await journal.forget(id);
  await journal.forget(id);
  await journal.close();
  equal(existsSync(path), false);
});

test('the owner lives: EBUSY, and the journal is untouched', async (context) => {
  const path = journalPath(context);
  const journal = await openJournal(path);
  await journal.record('a', CHANGE);
  const before = readFileSync(path, 'utf8');
  await rejects(openJournal(path), code('EBUSY'));
  equal(readFileSync(path, 'utf8'), before);
});

test('a line that was cut short is left out', async (context) => {
  const path = journalPath(context);
  const journal = await openJournal(path);
  await journal.record('a', CHANGE);
  await end(journal);
  writeFileSync(path, `${readFileSync(path, 'utf8')}{"id":2,"holder":"a","chan`);
  equal((await openJournal(path)).entries().length, 1);
});

test('changes in another network namespace are given up, and counted', async (context) => {
  const path = journalPath(context);
  const journal = await openJournal(path);
  await journal.record('a', CHANGE);
  await journal.forget(await journal.record('b', CHANGE));
  await end(journal);
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.replace(/"namespace":"[^"]*"/, '"namespace":"net:[1]"'));
  const next = await openJournal(path);
  deepEqual(next.entries(), []);
  equal(next.discarded, 1);
});

test('a file that is not ours is refused and kept', async (context) => {
  const path = journalPath(context);
  await (await openJournal(path)).close();
  for (const text of ['hello\n', '[]x\n', '7\n']) {
    writeFileSync(path, text);
    await rejects(openJournal(path), code('EINVAL'));
    equal(readFileSync(path, 'utf8'), text);
  }
});

test('a long life does not make a long file', async (context) => {
  const path = journalPath(context);
  const journal = await openJournal(path);
  const kept = await journal.record('kept', CHANGE);
  for (let i = 0; i < 3000; i++) await journal.forget(await journal.record('a', CHANGE));
  ok(readFileSync(path, 'utf8').split('\n').length < 2000);
  await end(journal);
  deepEqual(
    (await openJournal(path)).entries().map((entry) => entry.id),
    [kept],
  );
});
