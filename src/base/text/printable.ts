/** Text of others on a terminal: nothing in it may steer what shows it. */

/** `text` with every character that is not shown, but for line ends, as `\u{1b}`. */
export function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) =>
    character === '\n' ? character : `\\u{${character.codePointAt(0)?.toString(16) ?? '?'}}`,
  );
}
