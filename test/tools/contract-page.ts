/** The tables of docs/contract.md and docs/events.md, for tests that hold the code to them. */

import { fileText } from './page.ts';

/** One field of a `show`, and its closed list of words; an empty list allows any value. */
export interface ContractField {
  readonly name: string;
  readonly words: readonly string[];
}

/** One metric as the page names it. */
export interface ContractMetric {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
}

/** The rows of the table whose first column is called `head`. */
function tableOf(page: string, head: string): string[][] {
  const lines = fileText(`docs/${page}`).split('\n');
  const from = lines.findIndex((line) => line.startsWith(`| ${head} |`));
  if (from < 0) throw new Error(`docs/${page} has no table of ${head}`);
  const rest = lines.slice(from + 2);
  const rows = rest.slice(
    0,
    rest.findIndex((line) => !line.startsWith('|')),
  );
  return rows.map((row) => row.split(/\s*\|\s*/).slice(1, -1));
}

function quoted(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);
}

/** show -> the fields that it always has. */
export function contractFields(): Map<string, ContractField[]> {
  return new Map(
    tableOf('contract.md', 'show').map(([show = '', fields = '']) => [
      show,
      [...fields.matchAll(/`(\w+)`(?: \(([^)]*)\))?/g)].map(([, name = '', words = '']) => ({
        name,
        words: quoted(words),
      })),
    ]),
  );
}

/** The metrics, in the order of the page. */
export function contractMetrics(): ContractMetric[] {
  return tableOf('contract.md', 'metric').map(([name = '', type = '', labels = '']) => ({
    name: quoted(name)[0] ?? '',
    type,
    labels: labels === '' ? [] : labels.split(', '),
  }));
}

/** The first column of a table of docs/events.md: `event`, `cause`. */
export function documentedNames(head: 'event' | 'cause'): string[] {
  return tableOf('events.md', head).flatMap(([name = '']) => quoted(name));
}
