/**
 * Faults as patches: a table of blocks, with an empty line between two. A block is the fault as a
 * sentence, the facts of its room, a line each, and the edits: lines of text to find (`- `) and
 * what takes their place (`+ `). Edits may begin and end within a line. `#` begins a remark.
 */

import { equal } from 'node:assert/strict';

export interface Patch {
  readonly fault: string;
  readonly facts: readonly string[];
  readonly edits: readonly { readonly find: string; readonly replace: string }[];
}

/** The blocks of `table`. */
export function patchesOf(table: string): Patch[] {
  const blocks = table.trim().split('\n\n');
  return blocks
    .filter((block) => !block.startsWith('#'))
    .map((block) => {
      const [head = ''] = block.split(/\n- /, 1);
      const [fault = '', ...facts] = head.split('\n');
      const edits = `${block}\n`.matchAll(/^((?:- .*\n)+)((?:\+.*\n)*)/gm);
      return {
        fault,
        facts,
        edits: Array.from(edits, ([, find = '', replace = '']) => ({
          find: unmarked(find),
          replace: unmarked(replace),
        })),
      };
    });
}

function unmarked(lines: string): string {
  return lines.replaceAll(/^[-+] ?/gm, '').replace(/\n$/, '');
}

/** `text` with the edits of a patch, each of which must fit exactly one place. */
export function patched(text: string, { fault, edits }: Pick<Patch, 'fault' | 'edits'>): string {
  return edits.reduce((before, { find, replace }) => {
    equal(before.split(find).length - 1, 1, `${fault}: places that have: ${find}`);
    return before.replace(find, () => replace);
  }, text);
}
