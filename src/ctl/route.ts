/** The terms in which the API is written down: roles, routes, and what a route is given. */

import { assert } from '../base/assert.ts';
import type { JsonObject, Schema } from '../model/fields.ts';
import type { ControlBackend, Credentials } from './backend.ts';
import type { Body } from './schema.ts';

/** The users of a route (contract 5): all, members of the operators' group, root alone. */
export type Role = 'read' | 'operate' | 'root';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Parameters of the path; a route has those that its path names. */
export type PathParameters = Readonly<Record<'name' | 'ifname' | 'address' | 'dst', string>>;

/** What a route's handler is given; all of it keeps to the route's schemas. */
export interface ApiCall<Body = JsonObject> {
  readonly backend: ControlBackend;
  readonly parameters: PathParameters;
  readonly query: Readonly<Record<string, string>>;
  readonly body: Body;
  readonly by: Credentials;
}

export interface ApiRoute {
  /** Unique; the operationId of the OpenAPI document. */
  readonly id: string;
  readonly method: Method;
  /** `/v1/groups/:name` */
  readonly path: string;
  readonly role: Role;
  readonly summary: string;
  /** Of `?…`; none: no parameter is known. */
  readonly query?: Schema;
  /** None: the request has no body. */
  readonly body?: Schema;
  /** Bytes of the body at most, if not those of all requests. */
  readonly bodyBytesMax?: number;
  /** Of the reply with status 200. None: 201 if the request makes something, else 204. */
  readonly reply?: Schema;
  /** The path of what the request has made: the reply is 201 with this Location. */
  readonly location?: (call: ApiCall) => string;
  handle(call: ApiCall): Promise<unknown>;
}

/** A call with the body that its route's schema has let pass. */
export function callWith<B>(body: Body<B>, call: ApiCall): ApiCall<B> {
  const { body: given, ...rest } = call;
  assert(body.is(given), 'the body matches its schema');
  return { ...rest, body: given };
}

/** `GET /v1/groups`: how commands and tests call a route. */
export function routeName({ method, path }: Pick<ApiRoute, 'method' | 'path'>): string {
  return `${method} ${path}`;
}

/** The names of the parameters in a path, in their order. */
export function pathParameters(path: string): (keyof PathParameters)[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => name as keyof PathParameters);
}

/**
 * Whether `by` may use a route of `role`. `operatorGid` undefined: there is no such group, root
 * alone operates.
 */
export function isPermitted(role: Role, by: Credentials, operatorGid: number | undefined): boolean {
  if (role === 'read' || by.uid === 0) return true;
  if (role === 'root' || operatorGid === undefined) return false;
  return by.gid === operatorGid || by.groups.includes(operatorGid);
}
