/**
 * A terminal for tests: the part of ECMA-48 and xterm's modes that the live view uses. On the
 * alternate screen nothing else may come; elsewhere other programs write too (npm), and what they
 * want beside text is passed over. A character in the last column waits with the
 * wrap, as real terminals do, and clearing the line then takes that character with it.
 */

const ESCAPE = '\x1b';
/** What follows an escape. */
const SEQUENCE = /^\[(\??)([0-9;]*)([A-Za-z])/;

/** One terminal of a fixed size. */
export class TestTerminal {
  readonly width: number;
  readonly height: number;
  isAlternate = false;
  isCursorShown = true;
  #cells: string[][];
  #row = 0;
  #column = 0;
  #rest = '';

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.#cells = this.#empty();
  }

  /** Lines of text, without spaces at their ends. */
  get lines(): string[] {
    return this.#cells.map((row) => row.join('').replace(/ +$/, ''));
  }

  write(chunk: string): void {
    let text = this.#rest + chunk;
    this.#rest = '';
    while (text !== '') {
      if (text.startsWith(ESCAPE)) {
        const match = SEQUENCE.exec(text.slice(1));
        if (match === null) {
          if (text.length < 16) this.#rest = text;
          else this.#refuse(JSON.stringify(text.slice(0, 20)));
          return;
        }
        const [sequence = '', mark = '', parameters = '', final = ''] = match;
        this.#control(mark, parameters, final);
        text = text.slice(1 + sequence.length);
      } else {
        const [character = ''] = text;
        this.#put(character);
        text = text.slice(character.length);
      }
    }
  }

  #control(mark: string, parameters: string, final: string): void {
    const [first = 0, second = 0] = parameters.split(';').map(Number);
    if (mark === '?' && (final === 'h' || final === 'l')) this.#mode(first, final === 'h');
    else if (final === 'H') this.#moveTo(Math.max(1, first) - 1, Math.max(1, second) - 1);
    else if (final === 'K' && parameters === '') this.#clearToEnd();
    else if (final === 'J' && first === 2) this.#cells = this.#empty();
    else if (final !== 'm') this.#refuse(`${mark}${parameters}${final}`);
  }

  #refuse(sequence: string): void {
    if (this.isAlternate) throw new Error(`unknown sequence ${sequence}`);
  }

  #mode(number: number, isSet: boolean): void {
    if (number === 1049) {
      this.isAlternate = isSet;
      if (isSet) this.#cells = this.#empty();
    } else if (number === 25) this.isCursorShown = isSet;
    else this.#refuse(`?${number}`);
  }

  #moveTo(row: number, column: number): void {
    this.#row = Math.min(row, this.height - 1);
    this.#column = Math.min(column, this.width - 1);
  }

  #clearToEnd(): void {
    const from = Math.min(this.#column, this.width - 1);
    this.#cells[this.#row]?.fill(' ', from);
  }

  #put(character: string): void {
    if (character === '\r') this.#column = 0;
    else if (character === '\n') this.#lineFeed();
    else {
      if (this.#column >= this.width) {
        this.#column = 0;
        this.#lineFeed();
      }
      const row = this.#cells[this.#row];
      if (row !== undefined) row[this.#column] = character;
      this.#column += 1;
    }
  }

  #lineFeed(): void {
    if (this.#row < this.height - 1) this.#row += 1;
    else this.#cells = [...this.#cells.slice(1), new Array<string>(this.width).fill(' ')];
  }

  #empty(): string[][] {
    return Array.from({ length: this.height }, () => new Array<string>(this.width).fill(' '));
  }
}
