/** The pages about commands, the API and events, held against what they describe. */
import { deepEqual, equal } from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { ERROR_SENTENCES, type ErrorCode } from '../../../../src/base/errors.ts';
import { keysOf } from '../../../../src/base/keys.ts';
import { httpStatusOf } from '../../../../src/ctl/api/refusal.ts';
import { CAUSES } from '../../../../src/model/causes.ts';
import { EVENTS } from '../../../../src/model/events.ts';
import { fileText, pageText } from '../../../tools/page.ts';
import { type ControlHarness, controlHarness } from '../api/harness.ts';
import { commandsPage, curlExamples, eventsPage, rowsPage, rowsUnder } from './docs.ts';

const HOW = 'IPMPD_WRITE_DOCS=1 npm test -- unit adm/docs';

test('docs/commands.md is made from the table of commands', () => {
  const made = commandsPage();
  equal(pageText('docs/commands.md', made), made, HOW);
});

test('[contract 4.20] docs/events.md names exactly the events and causes that there are', () => {
  const made = eventsPage(fileText('docs/events.md'));
  const page = pageText('docs/events.md', made);
  equal(page, made, HOW);
  const names = (heading: string) => rowsUnder(page, heading).map(([name = '']) => name);
  deepEqual(
    names('## Events'),
    keysOf(EVENTS).map((name) => `\`${name}\``),
  );
  deepEqual(
    names('## Causes'),
    Object.keys(CAUSES).map((cause) => `\`${cause}\``),
  );
});

test('an event or a cause that is gone from the tables leaves the page', () => {
  const page = fileText('docs/events.md');
  equal(eventsPage(page.replace('| `group-mtu` |', '| `group-colour` |')), page);
});

test('docs/rows.md is made from the tables of rows', () => {
  const made = rowsPage();
  equal(pageText('docs/rows.md', made), made, HOW);
});

test('the statuses in docs/api.md are those of the table', () => {
  const rows = rowsUnder(fileText('docs/api.md'), '## Refusals');
  const shown = new Map(
    rows.flatMap(([status, codes = '']) =>
      (codes.match(/\bE[A-Z]+\b/g) ?? []).map((code): [string, number] => [code, Number(status)]),
    ),
  );
  for (const code of Object.keys(ERROR_SENTENCES) as ErrorCode[]) {
    equal(shown.get(code) ?? 500, httpStatusOf(code), code);
  }
});

/** The words of an example as the shell runs them, with our socket. */
function script(daemon: ControlHarness, command: string): string {
  return `sock=${daemon.socketPath}; json='content-type: application/json'; ${command}`;
}

async function statusOf(daemon: ControlHarness, command: string): Promise<string> {
  const words = script(daemon, `${command} -w '\\n%{http_code}'`);
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', words]);
  return stdout.split('\n').at(-1) ?? '';
}

/** Streams do not end: the first words of one are enough. */
async function streamBegins(daemon: ControlHarness, command: string): Promise<string> {
  const child = spawn('/bin/sh', ['-c', script(daemon, `exec ${command}`)]);
  let text = '';
  for await (const chunk of child.stdout) {
    text += chunk;
    if (text.includes('\n\n')) break;
  }
  child.kill();
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return text.startsWith(': subscribed\nid: ') ? '200' : text;
}

test('every example with curl has the status that the page names', async () => {
  await using daemon = await controlHarness();
  const examples = curlExamples();
  const written = fileText('docs/api.md').match(/^curl /gm)?.length;
  equal(examples.length, written, 'each example has its status');
  for (const { command, status } of examples) {
    const run = command.includes('/v1/events') ? streamBegins : statusOf;
    equal(await run(daemon, command), status, command);
  }
});
