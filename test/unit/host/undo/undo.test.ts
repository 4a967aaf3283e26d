/** What could not be put back is kept and tried again; a change whose answer was lost counts. */

import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { withoutDescriptors } from '../../../tools/folder.ts';
import { defaultRoute } from '../port/link-record.ts';
import { ETH0, HOLDER, journalPath, Kernel, linkOf, NET0, openJournal, world } from './harness.ts';

/** eth0 as it was before it was silenced. */
const ARPING = linkOf({ ...ETH0, noarp: false });

test('what the kernel refuses to put back is kept, logged once, and tried again', async (t) => {
  const { journal, kernel, changes } = await world(t);
  await changes.link('silence:3:eth0', ARPING, { noarp: true });
  kernel.refuse('set eth0', 'EBUSY');
  await changes.undo('silence:3:eth0');
  equal(journal.entries().length, 1);
  deepEqual(changes.leftovers().failed, ['eth0: noarp: set eth0 {"noarp":false}: refused']);
  kernel.refusals.clear();
  const before = kernel.done.length;
  await changes.retry(0);
  await changes.retry(999);
  equal(kernel.done.length, before, 'after a pause');
  await changes.retry(1000);
  deepEqual(kernel.done.at(-1), 'set eth0 {"noarp":false}');
  deepEqual([journal.entries(), changes.leftovers().failed], [[], []]);
  match(kernel.log.join('\n'), /^not put back.*eth0: noarp.*\nput back after all: eth0: noarp$/);
});

test('between attempts the pauses double, up to a minute', async (t) => {
  const { kernel, changes } = await world(t);
  await changes.link('a', ARPING, { noarp: true });
  kernel.refuse('set eth0', 'ENOMEM');
  kernel.refuse('look up', 'ENOMEM');
  await changes.undo('a');
  const attempts: number[] = [];
  for (let second = 0; second < 300; second++) {
    const before = kernel.looks;
    await changes.retry(second * 1000);
    if (kernel.looks > before) attempts.push(second);
  }
  deepEqual(attempts, [1, 3, 7, 15, 31, 63, 123, 183, 243]);
  equal(kernel.log.length, 1, 'logged once');
});

test('what could not be put back is tried by the next start', async (t) => {
  const path = journalPath(t);
  const first = await openJournal(path);
  const kernel = new Kernel();
  const changes = kernel.changes(first);
  await changes.link('a', ARPING, { noarp: true });
  for (const code of ['ETIMEDOUT', 'ENOBUFS', 'EBUSY', 'ENOMEM'] as const) {
    kernel.refuse('set eth0', code);
    await changes.undoAll();
    equal(first.entries().length, 1, code);
  }
  await first.close();
  kernel.refusals.clear();
  const second = await openJournal(path);
  equal(await kernel.changes(second).undoLeftovers(), 1);
  deepEqual(kernel.done.at(-1), 'set eth0 {"noarp":false}');
  deepEqual(second.entries(), []);
  await second.close();
});

test('a holder that wants its changes again keeps them, and what was before', async (t) => {
  const { kernel, changes } = await world(t);
  await changes.link('a', ARPING, { noarp: true });
  kernel.refuse('set eth0', 'EBUSY');
  await changes.undo('a');
  kernel.refusals.clear();
  await changes.link('a', ETH0, { noarp: true });
  const before = kernel.done.length;
  for (let ms = 0; ms < 100_000; ms += 1000) await changes.retry(ms);
  equal(kernel.done.length, before);
  await changes.undo('a');
  deepEqual(kernel.done.at(-1), 'set eth0 {"noarp":false}');
});

for (const code of ['ETIMEDOUT', 'ENOBUFS'] as const) {
  test(`${code}: a macvtap that was made is ours, and goes with us`, async (t) => {
    const { journal, kernel, changes } = await world(t);
    kernel.refuse('create', code, true);
    const link = await changes.macvtap(HOLDER, 'net0', ETH0, 1);
    await changes.undoAll();
    equal(kernel.links.has(link.ifindex), false);
    deepEqual(journal.entries(), []);
  });

  test(`${code}: a macvtap that was not made is not written down`, async (t) => {
    const { journal, kernel, changes } = await world(t);
    kernel.refuse('create', code);
    await rejects(changes.macvtap(HOLDER, 'net0', ETH0, 1), { code });
    deepEqual(journal.entries(), []);
  });

  test(`${code}: a macvtap that cannot be looked for is looked for later`, async (t) => {
    const { journal, kernel, changes } = await world(t);
    kernel.refuse('create', code, true);
    kernel.refuse('look up', code);
    await rejects(changes.macvtap(HOLDER, 'net0', ETH0, 1), { code });
    await changes.undo(HOLDER);
    equal(kernel.links.size, 2);
    kernel.refusals.clear();
    await changes.retry(0);
    await changes.retry(1000);
    equal(kernel.links.size, 1);
    deepEqual(journal.entries(), []);
  });

  test(`${code}: an address and a route count if they are there`, async (t) => {
    const { journal, kernel, changes } = await world(t);
    kernel.refuse('add', code, true);
    equal(await changes.address('group:a', ETH0, '192.0.2.1/24'), true);
    const route = { to: 'default', via: '192.0.2.1' };
    equal(await changes.route('group:a', ETH0, route), 'added');
    equal(journal.entries().length, 2);
    kernel.refuse('add', code, false);
    await rejects(changes.address('group:a', ETH0, '192.0.2.2/24'), { code });
    equal(journal.entries().length, 2);
    kernel.refuse('list addresses', code);
    await rejects(changes.address('group:a', ETH0, '192.0.2.3/24'), { code });
    equal(journal.entries().length, 3, 'it may be there');
  });
}

test('a route in whose place another one is: held, and not ours', async (t) => {
  const { journal, kernel, changes } = await world(t);
  const route = { to: 'default', via: '192.0.2.1' };
  kernel.routes.push(defaultRoute(9));
  equal(await changes.route('group:a', ETH0, route), 'held');
  kernel.routes.push(defaultRoute(3));
  equal(await changes.route('group:a', ETH0, route), 'there');
  deepEqual(journal.entries(), []);
});

test('a macvtap that is moved away and back is ours, whatever its number is then', async (t) => {
  for (const isRenumbered of [false, true]) {
    const { journal, kernel, changes } = await world(t);
    const made = await changes.macvtap(HOLDER, 'net0', ETH0, 1);
    kernel.links.delete(made.ifindex);
    await changes.undo(HOLDER);
    deepEqual(changes.leftovers(), { failed: [], unseen: ['macvtap net0'] });
    const back = kernel.add(isRenumbered ? NET0 : { ...NET0, ifindex: made.ifindex });
    await changes.foundMacvtap(HOLDER, back);
    for (let ms = 0; ms < 100_000; ms += 1000) await changes.retry(ms);
    equal(kernel.links.has(back.ifindex), true, 'it is in use');
    await changes.undoAll();
    equal(kernel.links.has(back.ifindex), false);
    deepEqual(journal.entries(), []);
  }
});

test('a macvtap that is nowhere and made anew was deleted; one without its NIC too', async (t) => {
  const { journal, kernel, changes } = await world(t);
  const first = await changes.macvtap(HOLDER, 'net0', ETH0, 1);
  kernel.links.delete(first.ifindex);
  await changes.undo(HOLDER);
  const second = await changes.macvtap(HOLDER, 'net0', ETH0, 1);
  equal(journal.entries().length, 1);
  kernel.links.delete(second.ifindex);
  kernel.links.delete(ETH0.ifindex);
  await changes.undo(HOLDER);
  deepEqual(journal.entries(), []);
});

test('what no file can be opened for is kept as well, and the rest is put back', async (t) => {
  const { journal, kernel, changes } = await world(t);
  await changes.link('a', ARPING, { noarp: true });
  await journal.record('a', { kind: 'tap', device: 'eth0', ifindex: 3, flags: 2 });
  await withoutDescriptors(() => changes.undoAll());
  deepEqual(kernel.done.at(-1), 'set eth0 {"noarp":false}');
  match(changes.leftovers().failed.join(), /^eth0: flags of the TAP: .*EMFILE/);
});
