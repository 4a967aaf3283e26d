/**
 * The schema check: a merged document against config/ipmpd.schema.json, findings as errors with
 * file and line.
 *
 * The schema has what is allowed in words (`x-allowed`), and the words go into the message. What
 * JSON Schema cannot express has keywords of our own: `x-address`, `x-prefix`, `x-network`,
 * `x-listen`, `x-duration: [least, most]`.
 */
import { Ajv, type ErrorObject } from 'ajv';
import { durationParse } from '../base/text/duration.ts';
import { suggest } from '../base/text/suggest.ts';
import { addressParse, listenParse, networkParse, prefixRead } from '../model/prefix.ts';
import {
  type ConfigDocument,
  type ConfigError,
  excerpt,
  type Place,
  pointerFormat,
  pointerJoin,
} from './document.ts';

/** A schema as ajv reports it: the parts that a message is made of. */
interface SchemaPart {
  readonly [key: string]: unknown;
  readonly 'x-allowed'?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
}

/** Checks documents against one schema. Made once: compiling takes some milliseconds. */
export class ConfigValidator {
  readonly #validate: ReturnType<Ajv['compile']>;

  /** `schema` is the parsed text of config/ipmpd.schema.json. */
  constructor(schema: object) {
    const ajv = new Ajv({
      allErrors: true,
      verbose: true,
      strict: true,
      allowUnionTypes: true,
      // The schema is ours: a test holds it against the meta-schema, not each start of a daemon.
      meta: false,
      validateSchema: false,
      code: { optimize: false },
    });
    ajv.addVocabulary(['x-allowed']);
    addTextKeyword(ajv, 'x-address', (text) => addressParse(text) !== undefined);
    addTextKeyword(ajv, 'x-prefix', (text) => prefixRead(text) !== undefined);
    addTextKeyword(ajv, 'x-network', (text) => networkParse(text) !== undefined);
    addTextKeyword(ajv, 'x-listen', (text) => listenParse(text) !== undefined);
    ajv.addKeyword({ keyword: 'x-duration', type: 'string', validate: isDurationBetween });
    this.#validate = ajv.compile(schema);
  }

  /** All errors, at most one for each place; none if the document keeps to the schema. */
  check(document: ConfigDocument): ConfigError[] {
    return this.#check(document, () => true);
  }

  /** The same of a document that others are laid over: what is missing in it may be theirs. */
  checkPart(document: ConfigDocument): ConfigError[] {
    return this.#check(document, ({ keyword }) => keyword !== 'required');
  }

  #check(document: ConfigDocument, isMeant: (finding: ErrorObject) => boolean): ConfigError[] {
    if (this.#validate(document.value)) return [];
    const errors = new Map<string, ConfigError>();
    for (const finding of this.#validate.errors?.filter(isMeant) ?? []) {
      const error = errorOf(finding, document);
      const key = `${error.line}:${error.keyPath}`;
      if (!errors.has(key)) errors.set(key, error);
    }
    return [...errors.values()];
  }
}

function addTextKeyword(ajv: Ajv, keyword: string, holds: (text: string) => boolean): void {
  const validate = (_: unknown, text: string): boolean => holds(text);
  ajv.addKeyword({ keyword, type: 'string', schemaType: 'boolean', validate });
}

function isDurationBetween(limits: readonly [string, string], text: string): boolean {
  const durationMs = durationParse(text);
  if (durationMs === undefined) return false;
  const [least, most] = limits;
  return durationMs >= (durationParse(least) ?? 0) && durationMs <= (durationParse(most) ?? 0);
}

function errorOf(finding: ErrorObject, document: ConfigDocument): ConfigError {
  const schema: SchemaPart = finding.parentSchema ?? {};
  const params: Readonly<Record<string, string>> = finding.params;
  const allowed = schema['x-allowed'] ?? '';
  const at = finding.instancePath;
  switch (finding.keyword) {
    case 'additionalProperties': {
      const key = params.additionalProperty ?? '';
      const known = Object.keys(schema.properties ?? {});
      const meant = suggest(key, known);
      const what = meant === undefined ? 'unknown key' : `unknown key, did you mean ${meant}?`;
      return errorAt(document, pointerJoin(at, key), what, `one of ${known.join(', ')}`);
    }
    case 'required': {
      const key = params.missingProperty ?? '';
      return errorAt(document, pointerJoin(at, key), 'is missing', allowed);
    }
    case 'propertyNames':
      return errorAt(document, pointerJoin(at, params.propertyName ?? ''), 'is not a name', '');
    case 'maxItems':
    case 'maxProperties':
      return errorAt(document, at, `has ${sizeOf(finding.data)} entries`, allowed);
    case 'uniqueItems':
      return errorAt(document, at, 'names one of its entries twice', allowed);
    default:
      if (finding.propertyName !== undefined) {
        const pointer = pointerJoin(at, finding.propertyName);
        return errorAt(document, pointer, 'is not a valid name', allowed);
      }
      return errorAt(document, at, `${valueShow(finding.data)} is not valid`, allowed);
  }
}

function sizeOf(data: unknown): number {
  return typeof data === 'object' && data !== null ? Object.keys(data).length : 0;
}

/** A value as a message names it, never longer than a line. */
export function valueShow(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  return typeof value === 'string' ? `"${excerpt(value)}"` : String(value);
}

/** An error at a pointer; a part that is not in any file has the place of what surrounds it. */
export function errorAt(
  document: ConfigDocument,
  pointer: string,
  what: string,
  allowed: string,
): ConfigError {
  let place: Place | undefined;
  for (let above = pointer; ; above = above.slice(0, above.lastIndexOf('/'))) {
    place = document.places.get(above);
    if (place !== undefined || above === '') break;
  }
  return {
    file: place?.file ?? '',
    line: place?.line ?? 0,
    keyPath: pointerFormat(pointer, document.value),
    what,
    allowed,
  };
}
