/**
 * Fields of rows: each has its JSON Schema and the check of a value, from which its type follows.
 * A row is declared once, as a table of fields (rows.ts); the TypeScript type, the schema of the
 * API, the check of a reply and the documentation are made of that table.
 */

import { OperatorError } from '../base/errors.ts';
import { isRecord } from '../base/keys.ts';
import { Decimal, type JsonValue } from '../base/text/json.ts';

/** A JSON Schema. */
export type Schema = Readonly<Record<string, unknown>>;

/** An object of JSON. */
export type JsonObject = Readonly<Record<string, JsonValue>>;

export interface Field<T> {
  readonly schema: Schema;
  readonly is: (value: unknown) => value is T;
  readonly isOptional?: true;
}

/** Field names in the order in which they are documented. */
export type Fields = Readonly<Record<string, Field<unknown>>>;

/** One kind of row; `name` is that of its component in the OpenAPI document. */
export interface RowType<F extends Fields> {
  readonly name: string;
  readonly fields: F;
}

/** The row that has these fields. */
export type RowOf<Type> =
  Type extends RowType<infer F>
    ? { readonly [Name in keyof F]: F[Name] extends Field<infer T> ? T : never }
    : never;

function field<T>(schema: Schema, description: string, is: Field<T>['is']): Field<T> {
  return { schema: description === '' ? schema : { ...schema, description }, is };
}

export const text = (means = ''): Field<string> =>
  field({ type: 'string' }, means, (value): value is string => typeof value === 'string');

export const truth = (means = ''): Field<boolean> =>
  field({ type: 'boolean' }, means, (value): value is boolean => typeof value === 'boolean');

export const integer = (means = ''): Field<number> =>
  field({ type: 'integer' }, means, (value): value is number => Number.isInteger(value));

/** A number that need not be whole; a decimal that a double would change keeps its text. */
export const decimal = (means = ''): Field<number | Decimal> =>
  field(
    { type: 'number' },
    means,
    (value): value is number | Decimal => typeof value === 'number' || value instanceof Decimal,
  );

/** One of a closed list. */
export function word<const Word extends string>(words: readonly Word[], means = ''): Field<Word> {
  const known: ReadonlySet<unknown> = new Set(words);
  return field({ type: 'string', enum: words }, means, (value): value is Word => known.has(value));
}

/** Any value. */
export const anything = (means = ''): Field<JsonValue> =>
  field({}, means, (value): value is JsonValue => value !== undefined);

/** An object whose keys are not declared. */
export const object = (means = ''): Field<JsonObject> =>
  field({ type: 'object' }, means, isJsonObject);

/** What JSON makes of an object; all that comes out of JSON is JSON. */
export function isJsonObject(value: unknown): value is JsonObject {
  return isRecord(value);
}

/** A field that may be left out. */
export function optional<T>({ schema, is }: Field<T>): Field<T | undefined> {
  return {
    schema,
    is: (value): value is T | undefined => value === undefined || is(value),
    isOptional: true,
  };
}

export function orNull<T>({ schema, is }: Field<T>): Field<T | null> {
  const { type, enum: words } = schema;
  const choice = Array.isArray(words) ? { enum: [...words, null] } : {};
  return {
    schema: { ...schema, type: [type, 'null'], ...choice },
    is: (value): value is T | null => value === null || is(value),
  };
}

export function listOf<T>({ schema, is }: Field<T>, means = ''): Field<readonly T[]> {
  return field(
    { type: 'array', items: schema },
    means,
    (value): value is readonly T[] => Array.isArray(value) && value.every(is),
  );
}

/** A row as a field of another. */
export function rowField<F extends Fields>(type: RowType<F>): Field<RowOf<RowType<F>>> {
  return { schema: ref(type.name), is: (value) => isRow(type, value) };
}

/** The schema of a component by its name. */
export function ref(name: string): Schema {
  return { $ref: `${name}#` };
}

/** A schema of a row by its fields. */
export interface RowSchema extends Schema {
  readonly required: readonly string[];
  readonly properties: Readonly<Record<string, Schema>>;
}

/** All declared fields are always there, but those that are optional; others may be there too. */
export function rowSchema({ name, fields }: RowType<Fields>): RowSchema {
  const entries = Object.entries(fields);
  const properties = Object.fromEntries(entries.map(([key, { schema }]) => [key, schema]));
  const required = entries.flatMap(([key, { isOptional }]) => (isOptional ? [] : [key]));
  return { $id: name, type: 'object', required, properties };
}

export function isRow<F extends Fields>(
  type: RowType<F>,
  value: unknown,
): value is RowOf<RowType<F>> {
  return isRecord(value) && wrongField(type, value) === undefined;
}

function wrongField(
  type: RowType<Fields>,
  value: Readonly<Record<string, unknown>>,
): string | undefined {
  return Object.keys(type.fields).find((name) => type.fields[name]?.is(value[name]) !== true);
}

/** A reply as one row. @throws OperatorError EIO if it is none. */
export function rowRead<F extends Fields>(type: RowType<F>, value: unknown): RowOf<RowType<F>> {
  if (isRow(type, value)) return value;
  const wrong = isRecord(value) ? `: ${wrongField(type, value)}` : '';
  throw new OperatorError('EIO', `the daemon replied with no row of kind ${type.name}${wrong}`);
}

/** A reply as a list of rows. @throws OperatorError EIO if it is none. */
export function rowsRead<F extends Fields>(
  type: RowType<F>,
  value: unknown,
): readonly RowOf<RowType<F>>[] {
  if (!Array.isArray(value)) throw new OperatorError('EIO', 'the daemon replied with no list');
  return value.map((row) => rowRead(type, row));
}
