/**
 * Calls that can wait for a disk, a driver or the kernel's configuration lock: none on the thread
 * that serves (base/serving.ts). What is in a table is made at the start or the end only.
 */

import { ok } from 'node:assert/strict';
import { test } from 'node:test';
import { none, type SourceFile, sources } from './source.ts';

/** Rooms whose processes serve nothing while they wait: the lab, the simulator, the entries. */
const ELSEWHERE = /^src\/(lab\/|sim\/|(?:ipmpd|ipmpadm|ipmpstat|if_mpadm)\.ts$)/;

/** Files with calls of Node that wait, and when they are made. */
const AT_START_OR_END: Readonly<Record<string, string>> = {
  'src/ctl/api/socket.ts': 'the place of the socket is taken at the start and left at the end',
  'src/daemon/machine.ts': 'the machine id is read at the start',
  'src/process/line-writer.ts': 'the last lines are written when the process ends',
  'src/process/terminals.ts': 'lost terminals are replaced when the process ends',
  'src/process/version.ts': 'package.json is read when the program is loaded',
};

const WORKERS = /^src\/datapath\/worker[^/]*\.ts$/;

/** Of node:fs and node:os, and of the language; and modules that have nothing else. */
const WAITING =
  /\b(?:\w+Sync|networkInterfaces|createSocket|Atomics\.wait)\b|'node:(?:child_process|dgram)'/g;

/** Comments blanked out, so that lines keep their numbers. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(?<![:'"`\w])\/\/.*$/gm, (comment) =>
    comment.replace(/[^\n]/g, ' '),
  );
}

function matches(file: SourceFile, pattern: RegExp): string[] {
  const text = withoutComments(file.text);
  return [...text.matchAll(pattern)].map(({ 0: call, index }) => {
    const line = text.slice(0, index).split('\n').length;
    return `${file.path}:${line}: ${call.replace(/\s+/g, '')}`;
  });
}

const served = (): SourceFile[] =>
  sources(['src'], ['.ts']).filter(({ path }) => !ELSEWHERE.test(path));

test('no call of Node that waits, but at the start and the end', () => {
  const files = served().filter(({ path }) => AT_START_OR_END[path] === undefined);
  ok(files.length > 100);
  none(files.flatMap((file) => matches(file, WAITING)));
});

test('the table of files that may wait has no more than are needed', () => {
  const needed = served().filter((file) => matches(file, WAITING).length > 0);
  const paths = needed.map(({ path }) => path);
  none(Object.keys(AT_START_OR_END).filter((path) => !paths.includes(path)));
});

/** The functions of `interface WaitingCalls`, as the addon's types name them. */
function waitingCalls(): string[] {
  const [types] = sources(['native/index.d.ts'], ['.d.ts']);
  const [, body = ''] = /interface WaitingCalls \{\n([\s\S]*?)\n\}/.exec(types?.text ?? '') ?? [];
  return [...body.matchAll(/^ {2}(\w+)\(/gm)].map(([, name = '']) => name);
}

test('calls of the addon that wait are made by `native.later`, but in workers', () => {
  const names = waitingCalls();
  ok(names.includes('deviceOpen') && names.includes('multicastJoin'), names.join(' '));
  const any = `\\b(?:${names.join('|')})\\b`;
  // Also where it is only handed on, or taken out to be called by its bare name.
  const taken = `\\{[^{}]*${any}[^{}]*\\}\\s*=\\s*(?:native|addon)\\b`;
  const atOnce = new RegExp(`\\b(?:native|addon)\\s*\\.\\s*${any}|${taken}`, 'g');
  const files = served().filter(({ path }) => !WORKERS.test(path));
  none(files.flatMap((file) => matches(file, atOnce)));
});
