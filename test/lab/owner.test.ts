import { deepEqual, equal, notEqual } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { newLabName, ownerOf, startTimeOf } from '../../src/lab/owner.ts';

test('a name gives its living owner', () => {
  deepEqual(ownerOf(newLabName()), { pid: process.pid, isAlive: true });
  deepEqual(ownerOf(`${newLabName()}-host`), { pid: process.pid, isAlive: true });
});

test('no two labs of a process have one name', () => {
  notEqual(newLabName(), newLabName());
});

test('a process id that was used again is another owner', () => {
  deepEqual(ownerOf(`ipmp-${process.pid}-1-1`), { pid: process.pid, isAlive: false });
});

test('a name that is not a lab has no owner', () => {
  for (const name of ['ipmp', 'ipmp-1', 'ipmp-1-2-host', 'x-1-2-3', 'ipmp-1-2-3-a-b', '']) {
    equal(ownerOf(name), undefined, name);
  }
});

test('a process that has ended has no start time', async () => {
  const child = spawn('true');
  await once(child, 'exit');
  equal(startTimeOf(child.pid ?? 0), undefined);
});
