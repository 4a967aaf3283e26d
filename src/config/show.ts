/**
 * The wanted configuration, value by value, each with its origin. The schema
 * has the keys, their order and their defaults.
 */

import { type ConfigValue, isMapping, type Place, pointerFormat, pointerJoin } from './document.ts';
import type { EffectiveConfig } from './layers.ts';
import type { SchemaNode } from './types.ts';

/** One value. */
export interface ConfigEntry {
  /** `groups.ipmp0.mtu` */
  readonly key: string;
  readonly value: ConfigValue;
  /** `FILE:LINE`, `command`, `argument`, `default`. */
  readonly origin: string;
}

/** Every value of `effective`, in the order of the schema; made as they are taken. */
export function* configEntries(
  effective: EffectiveConfig,
  root: SchemaNode,
): Generator<ConfigEntry> {
  const { value, places } = effective.document;
  const visit = function* (
    node: SchemaNode,
    here: ConfigValue | undefined,
    pointer: string,
  ): Generator<ConfigEntry> {
    const { properties, additionalProperties } = resolve(root, node);
    for (const [key, below] of Object.entries(properties ?? {})) {
      const given = isMapping(here) ? here[key] : undefined;
      const under = pointerJoin(pointer, key);
      if (isSection(root, below)) {
        yield* visit(below, given, under);
        continue;
      }
      const shown = given ?? resolve(root, below).default;
      if (shown === undefined) continue;
      yield { key: pointerFormat(under, value), value: shown, origin: originOf(places.get(under)) };
    }
    if (typeof additionalProperties !== 'object' || !isMapping(here)) return;
    for (const [key, entry] of Object.entries(here)) {
      yield* visit(additionalProperties, entry, pointerJoin(pointer, key));
    }
  };
  yield* visit(root, value, '');
}

/** A mapping whose keys are shown one by one. `flap-damping` is one value: it may be a text. */
function isSection(root: SchemaNode, node: SchemaNode): boolean {
  const { type, properties, additionalProperties } = resolve(root, node);
  const isOpen = properties !== undefined || typeof additionalProperties === 'object';
  return isOpen && type?.includes('string') !== true;
}

function resolve(root: SchemaNode, node: SchemaNode): SchemaNode {
  const name = node.$ref?.replace('#/definitions/', '');
  return name === undefined ? node : (root.definitions?.[name] ?? node);
}

function originOf(place: Place | undefined): string {
  if (place === undefined) return 'default';
  return place.line > 0 ? `${place.file}:${place.line}` : place.file;
}
