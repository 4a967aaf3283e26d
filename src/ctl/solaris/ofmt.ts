/**
 * The output engine of `ipmpstat`: chosen fields of rows, as columns for people or, with `-P`,
 * joined by colons for programs (docs/law.md rows 120 to 123). Pure: rows in, lines out.
 */
import { FatalError } from './tool.ts';

/** One column. The width includes the space that separates it from the next. */
export interface OutputField {
  readonly name: string;
  readonly width: number;
}

/** Empty where there is no value, null where it cannot be determined. */
export type Cell = string | null;

/** Field name -> value. */
export type OutputRow = Readonly<Record<string, Cell>>;

/** The fields to show, in order; `unknown` are names that are ignored. */
export interface Selection<Field extends OutputField> {
  readonly fields: readonly Field[];
  readonly unknown: readonly string[];
}

/** Without `-o` the leading fields are shown that fit a terminal of the usual width. */
const DEFAULT_WIDTH = 80;
/** Lines of a window whose height is unknown. */
const DEFAULT_HEIGHT = 24;
const NO_VALUE = '--';
const UNDETERMINED = '?';

/**
 * Which of the fields `all` are to be shown. `wanted` is the value of `-o`, undefined without it.
 * Throws FatalError for a choice that leaves nothing to show or that `-P` does not allow.
 */
export function selectFields<Field extends OutputField>(
  all: readonly Field[],
  wanted: string | undefined,
  isParsable: boolean,
): Selection<Field> {
  if (isParsable && !wanted)
    throw new FatalError('output fields must be specified in parsable mode');
  if (wanted === undefined) return { fields: leadingFields(all), unknown: [] };
  if (wanted === 'all') {
    if (isParsable) throw new FatalError('output field "all" is invalid in parsable mode');
    return { fields: all, unknown: [] };
  }
  const names = wanted.split(',').filter((name) => name !== '');
  if (names.length > all.length) {
    throw new FatalError(`too many output fields: ${names.length}, there are only ${all.length}`);
  }
  const fieldOf = (name: string): Field | undefined =>
    all.find((field) => field.name === name.toUpperCase());
  const fields = names.map(fieldOf).filter((field) => field !== undefined);
  const unknown = names.filter((name) => fieldOf(name) === undefined);
  if (fields.length === 0) throw new FatalError('no valid output fields');
  if (isParsable && unknown.length > 0) {
    throw new FatalError(`unknown output field(s) ${unknown.join(', ')}`);
  }
  return { fields, unknown };
}

function leadingFields<Field extends OutputField>(all: readonly Field[]): Field[] {
  let width = 0;
  return all.filter((field) => {
    width += field.width;
    return width <= DEFAULT_WIDTH;
  });
}

/** Rows for people: columns under a header that stands at the top of every window. */
export class OutputTable {
  readonly #fields: readonly OutputField[];
  readonly #heightOf: () => number | undefined;
  /** Lines since the last header, itself included; 0 before the first. */
  #lines = 0;

  /** `heightOf` is asked before each row, since windows change; undefined where there is none. */
  constructor(fields: readonly OutputField[], heightOf: () => number | undefined) {
    this.#fields = fields;
    this.#heightOf = heightOf;
  }

  /** The text of the next row, its line ended; with the header before it when that is due. */
  text(row: OutputRow): string {
    const line = this.#columns((field) => printable(row[field.name] ?? UNDETERMINED) || NO_VALUE);
    const isFull = this.#lines >= (this.#heightOf() || DEFAULT_HEIGHT);
    const header = this.#lines === 0 || isFull ? this.#columns((field) => field.name) : '';
    this.#lines = header === '' ? this.#lines + 1 : 2;
    return header + line;
  }

  /**
   * One line. A value that fills its column pushes the next ones to the right, by one space
   * after it; their padding is used up until the columns are aligned again.
   */
  #columns(textOf: (field: OutputField) => string): string {
    let line = '';
    let nextColumn = 0;
    for (const [index, field] of this.#fields.entries()) {
      line += textOf(field);
      nextColumn += field.width;
      if (index < this.#fields.length - 1)
        line = line.padEnd(Math.max(line.length + 1, nextColumn));
    }
    return `${line}\n`;
  }
}

/**
 * A row for programs, its line ended. With several fields a colon or backslash within a value
 * has a backslash before it; a single field is shown as it is.
 */
export function parsableText(fields: readonly OutputField[], row: OutputRow): string {
  const values = fields.map((field) => printable(row[field.name] ?? UNDETERMINED));
  if (values.length === 1) return `${values[0]}\n`;
  return `${values.map((value) => value.replace(/[:\\]/g, '\\$&')).join(':')}\n`;
}

/** Control characters do not reach the terminal. */
function printable(value: string): string {
  return value.replace(/\p{Cc}/gu, '?');
}
