/**
 * Values given on a command line: read as in the file, and with the forms that people write
 * by habit: `on` and `off` for truth values, commas for lists.
 */

import { Decimal, type JsonValue } from '../base/text/json.ts';
import { type ConfigValue, documentRead } from './document.ts';
import type { SchemaNode } from './types.ts';

const TRUTHS = new Map([
  ['on', true],
  ['yes', true],
  ['off', false],
  ['no', false],
]);

/**
 * The value of `key` of a group or an interface. What cannot be read stays as it was given: the
 * check of the configuration then reports what is wrong with it.
 */
export function settingValue(
  schema: SchemaNode,
  definition: 'group' | 'interface',
  key: string,
  given: JsonValue,
): ConfigValue {
  if (typeof given !== 'string') return plain(given);
  const type = schema.definitions?.[definition]?.properties?.[key]?.type;
  if (type === 'boolean') return TRUTHS.get(given) ?? readText(given);
  if (type === 'array' && !given.trimStart().startsWith('[')) {
    const words = given.split(',').map((word) => word.trim());
    return words.filter((word) => word !== '');
  }
  return readText(given);
}

function readText(text: string): ConfigValue {
  const document = documentRead('', text);
  return 'errors' in document ? text : document.value;
}

/**
 * Numbers beyond those of a configuration become the nearest double, and are refused later. How
 * deep it is nested was bounded where the body of the request was read.
 */
function plain(given: JsonValue): ConfigValue {
  if (typeof given === 'bigint' || given instanceof Decimal) return Number(given.toString());
  if (Array.isArray(given)) return given.map(plain);
  if (typeof given !== 'object' || given === null) return given;
  const mapping: { [key: string]: ConfigValue } = Object.create(null);
  for (const [key, value] of Object.entries(given)) mapping[key] = plain(value);
  return mapping;
}
