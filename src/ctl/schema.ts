/**
 * JSON Schemas of what the API gives and takes, in one place: replies are described by them,
 * requests checked by them, and the OpenAPI document shows them.
 *
 * What comes in is closed and bounded: no key that is not named, no text and no list without a
 * limit. `x-allowed` has in words what a schema allows; a refusal repeats it. What goes out is
 * open: all declared fields are there, others may stand beside them.
 */

import {
  type Field,
  type Fields,
  isJsonObject,
  isRow,
  type JsonObject,
  listOf,
  type RowOf,
  type RowType,
  rowSchema,
  type Schema,
  text,
  truth,
} from '../model/fields.ts';
import { DEVICE_NAME_LENGTH_MAX, MAX_GROUP_MEMBERS } from '../model/limits.ts';
import { NAME_ALLOWED, NAME_PATTERN } from '../model/names.ts';
import { PREFIX_ALLOWED } from '../model/prefix.ts';
import { CONFIG_CHECK, CONFIG_VALUE, RELOAD, ROWS } from '../model/rows.ts';

export function arrayOf(items: Schema): Schema {
  return { type: 'array', items };
}

/** Whether the daemon is healthy, and whether it is ready; `reason`: why not. */
const HEALTH = { name: 'Health', fields: { healthy: truth() } };
const READINESS = { name: 'Readiness', fields: { ready: truth(), reason: text() } };

/** The rows and replies that have a name (contract 4). */
export const COMPONENTS: readonly Schema[] = [
  ...Object.values(ROWS).map(rowSchema),
  ...[CONFIG_VALUE, CONFIG_CHECK, RELOAD, HEALTH, READINESS].map(rowSchema),
  {
    $id: 'Error',
    type: 'object',
    required: ['error'],
    properties: {
      error: {
        type: 'object',
        required: ['code', 'message', 'hint'],
        properties: {
          code: { type: 'string' },
          message: { type: 'string' },
          hint: { type: ['string', 'null'] },
        },
      },
    },
    description: 'The request is refused, or has failed; nothing has changed',
  },
];

/** Ours: a path is at most PATH_MAX. */
const FILE_NAME_LENGTH_MAX = 4096;
/** Text of one setting: a list of 1024 addresses fits in, and the body's limit holds anyway. */
const SETTING_LENGTH_MAX = 60_000;
const SETTING_ITEMS_MAX = 1024;

/** The name of a group or an interface. */
export const NAME = textField({
  maxLength: DEVICE_NAME_LENGTH_MAX,
  pattern: NAME_PATTERN,
  'x-allowed': NAME_ALLOWED,
});

function textField(limits: Schema): Field<string> {
  return { ...text(), schema: { type: 'string', ...limits } };
}

function addressLike(pattern: string, allowed: string): Field<string> {
  return textField({ maxLength: 50, pattern, 'x-allowed': allowed });
}

/** An address alone. Its meaning is checked where it is kept. */
export const ADDRESS = addressLike('^[0-9A-Fa-f.:]+$', 'an IPv4 or IPv6 address');
export const PREFIX = addressLike('^[0-9A-Fa-f.:]+/[0-9]{1,3}$', PREFIX_ALLOWED);
export const ADDRESS_OR_PREFIX = addressLike(
  '^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$',
  'an address, with or without its prefix length',
);
export const LLADDR = addressLike(
  '^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$',
  'six pairs of hexadecimal digits, such as 02:00:00:00:00:01',
);
export const SWITCH: Field<boolean> = {
  ...truth(),
  schema: { type: 'boolean', 'x-allowed': 'true or false' },
};
export const MEMBER_NAMES: Field<readonly string[]> = {
  ...listOf(NAME),
  schema: {
    type: 'array',
    maxItems: MAX_GROUP_MEMBERS,
    items: NAME.schema,
    'x-allowed': `a list of at most ${MAX_GROUP_MEMBERS} names of interfaces`,
  },
};
export const FILE_NAME = textField({
  minLength: 1,
  maxLength: FILE_NAME_LENGTH_MAX,
  pattern: '^[^\\u0000-\\u001f\\u007f]+$',
  'x-allowed': 'the name of a file',
});

/** The text of a configuration file, at most `lengthMax` characters. */
export function fileText(lengthMax: number): Field<string> {
  const allowed = `a text of at most ${lengthMax / 1024} KiB`;
  return textField({ maxLength: lengthMax, 'x-allowed': allowed });
}

/** A value of the configuration: as JSON, or as the text that would stand in the file. */
const SETTING: Schema = {
  type: ['string', 'boolean', 'integer', 'array', 'object'],
  maxLength: SETTING_LENGTH_MAX,
  maxItems: SETTING_ITEMS_MAX,
  maxProperties: 8,
  'x-allowed': 'a value as in the configuration file',
};

/** An object of which all keys are known; `required` of them are there. */
export function closed(
  properties: Readonly<Record<string, Schema>>,
  required: readonly string[] = Object.keys(properties),
): Schema {
  return { type: 'object', additionalProperties: false, required, properties };
}

/** What the body of a request may be: its schema, and the check that gives its type. */
export interface Body<B> {
  readonly schema: Schema;
  readonly is: (value: unknown) => value is B;
}

/** A body of which all keys are known; `rest` is added to its schema. */
export function bodyOf<F extends Fields>(fields: F, rest: Schema = {}): Body<RowOf<RowType<F>>> {
  const type = { name: 'body', fields };
  const { required, properties } = rowSchema(type);
  return {
    schema: { ...closed(properties, required), ...rest },
    is: (value) => isRow(type, value),
  };
}

/** Some of the settings `keys`, at least one. */
export function settingsOf(keys: readonly string[]): Body<JsonObject> {
  const properties = Object.fromEntries(keys.map((key) => [key, SETTING]));
  const allowed = `one of ${keys.join(', ')}`;
  return {
    schema: { ...closed(properties, []), minProperties: 1, 'x-allowed': allowed },
    is: isJsonObject,
  };
}
