/**
 * How deep JSON text is nested, found without recursion: to be asked before anything is made of a
 * text from outside. What the text means is left to its reader; of text that is no JSON the answer
 * is some number, and the reader refuses it.
 *
 * Not for YAML: its blocks are nested by indentation, and a bracket in a comment or in a plain text
 * is none. There the depth is bounded at each word (config/yaml-steps.ts).
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENING = [0x5b, 0x7b]; // [ {
const CLOSING = [0x5d, 0x7d]; // ] }

/** Whether no part of `text` is inside more than `depthMax` arrays and objects. */
export function isNestedWithin(text: string, depthMax: number): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfText(text, at + 1);
    else if (OPENING.includes(code)) {
      if (++depth > depthMax) return false;
    } else if (CLOSING.includes(code)) depth--;
  }
  return true;
}

/**
 * Where the quoted text ends whose first character is at `at`: its closing quote, or beyond the
 * end if it has none.
 */
export function endOfText(text: string, at: number): number {
  let end = at;
  while (end < text.length && text.charCodeAt(end) !== QUOTE) {
    end += text.charCodeAt(end) === BACKSLASH ? 2 : 1;
  }
  return end;
}
