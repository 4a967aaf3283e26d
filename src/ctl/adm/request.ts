/** From a command and its values to the requests that it asks of the daemon. */
import { assert } from '../../base/assert.ts';
import type { JsonValue } from '../../base/text/json.ts';
import { routeOf } from '../api/routes.ts';
import { type ApiRoute, type Method, pathParameters } from '../route.ts';
import type { Command } from './command.ts';
import { splitOnce, type Values } from './parameters.ts';

/** One request to the API. */
export interface ApiRequest {
  readonly method: Method;
  /** With its query. */
  readonly path: string;
  readonly body?: JsonValue;
}

/** A body's properties as far as a request is made from them. */
type Properties = Readonly<Record<string, { readonly type?: unknown }>>;

/**
 * The requests, in their order: one, or one for each value of a parameter that stands in the path
 * and may be given several times (`group add NAME IF…`). Path and body take the values of the same
 * name.
 */
export function requestsOf(command: Command, values: Values): ApiRequest[] {
  const route = routeOf(command.route);
  assert(route !== undefined, `${command.name} has a route`);
  const inPath = pathParameters(route.path);
  const many = inPath.find((name) => (values.get(name)?.length ?? 0) > 1);
  const rounds = many === undefined ? [values] : each(values, many);
  const query = values.has('save') ? '?save=true' : '';
  const body = bodyOf(route, command, values);
  return rounds.map((round) => ({
    method: route.method,
    path: filledPath(route.path, round) + query,
    ...(body === undefined ? {} : { body }),
  }));
}

/** The values once for each of those of `key`. */
function each(values: Values, key: string): Values[] {
  return (values.get(key) ?? []).map((value) => new Map([...values, [key, [value]]]));
}

function filledPath(path: string, values: Values): string {
  return path.replace(/:(\w+)/g, (_, name) => encodeURIComponent(values.get(name)?.[0] ?? ''));
}

function bodyOf(route: ApiRoute, command: Command, values: Values): JsonValue | undefined {
  if (route.body === undefined) return undefined;
  const settings = command.parameters.find((parameter) => parameter.settings !== undefined);
  if (settings?.settings !== undefined) {
    return settingsBody(values.get(settings.key) ?? []);
  }
  const properties = route.body.properties as Properties;
  const pairs = Object.entries(properties).flatMap(([key, { type }]): [string, JsonValue][] => {
    const given = values.get(key);
    if (given === undefined) return [];
    if (type === 'boolean') return [[key, true]];
    return [[key, type === 'array' ? [...given] : (given[0] ?? '')]];
  });
  return Object.fromEntries(pairs);
}

/** As given: the daemon reads values as they would stand in the file. */
function settingsBody(given: readonly string[]): JsonValue {
  const pairs = given.map((text) => {
    const [key, value = ''] = splitOnce(text, '=');
    return [key, value] as const;
  });
  return Object.fromEntries(pairs);
}
