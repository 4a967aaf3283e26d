/** The commands that change something, or check what might be put into force. */
import {
  type Call,
  EXIT_DONE,
  EXIT_REFUSED,
  given,
  isJson,
  printJson,
  rowOf,
  sentencesOf,
} from './command-line.ts';
import { requestsOf } from './request.ts';

/** One by one, in the order given; the first refusal ends it, what was done before stays. */
export async function change({ client, command, values }: Call): Promise<number> {
  for (const { method, path, body } of requestsOf(command, values)) {
    await client.request(method, path, body);
  }
  return EXIT_DONE;
}

/** What the daemon has changed; what it could not is a failure, what waited before a warning. */
export async function reload(call: Call): Promise<number> {
  const { line, client } = call;
  const row = rowOf(await client.request('POST', '/v1/reload'));
  const changes = sentencesOf(row.changes);
  const problems = sentencesOf(row.problems);
  const warnings = sentencesOf(row.warnings);
  if (isJson(call)) printJson(call, row);
  else {
    line.print((changes.length > 0 ? changes : ['nothing to change']).map(ended).join(''));
    line.complain(problems.map((problem) => `ipmpadm: ${ended(problem)}`).join(''));
    line.complain(warnings.map((warning) => `ipmpadm: warning: ${ended(warning)}`).join(''));
  }
  return problems.length === 0 ? EXIT_DONE : EXIT_REFUSED;
}

/** Needs no daemon. */
export async function checkConfig(call: Call): Promise<number> {
  const { line } = call;
  const file = given(call, 'file') ?? '';
  const errors = await line.checkConfig(file);
  if (isJson(call)) printJson(call, { file, errors });
  else if (errors.length === 0) line.print(`${file}: good\n`);
  else line.complain(errors.map(ended).join(''));
  return errors.length === 0 ? EXIT_DONE : EXIT_REFUSED;
}

function ended(line: string): string {
  return `${line}\n`;
}
