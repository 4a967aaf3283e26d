/** What a terminal in raw mode sends, as keys. */

/** `escape`, `interrupt`, `redraw`, or the character itself. */
export type Key = string;

const ESCAPE = '\x1b';

const NAMED: Readonly<Record<string, Key>> = {
  '\x03': 'interrupt',
  '\x0c': 'redraw',
  [ESCAPE]: 'escape',
};

/** The text after an escape of arrow keys, function keys, pastes: one key, which is ignored. */
const SEQUENCE = /^(?:\[[0-?]*[ -/]*[@-~]|O[ -~])/;

/** The keys of one chunk of input; what has no meaning is left out. */
export function keysOf(chunk: string): Key[] {
  const keys: Key[] = [];
  for (let rest = chunk; rest !== ''; ) {
    const [character = ''] = rest;
    rest = rest.slice(character.length);
    const sequence = character === ESCAPE ? SEQUENCE.exec(rest)?.[0] : undefined;
    if (sequence !== undefined) {
      rest = rest.slice(sequence.length);
      continue;
    }
    const key = NAMED[character] ?? (character >= ' ' ? character : undefined);
    if (key !== undefined) keys.push(key);
  }
  return keys;
}
