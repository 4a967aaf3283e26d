/**
 * The routes of the API as one table: path, rights, schema of the reply, and what is asked of the
 * daemon. The server, the OpenAPI document and the tests are made from it.
 */
import { type ErrorCode, OperatorError } from '../base/errors.ts';
import type { KstatRecord } from '../stats/kstat.ts';
import type { ControlBackend, Credentials } from './backend.ts';
import { kstatPatternParse } from './kstat-pattern.ts';

/** Who may use a route (contract 5): everybody, members of the operators' group, root alone. */
export type Role = 'read' | 'operate' | 'root';

/** A JSON Schema. */
export type Schema = Readonly<Record<string, unknown>>;

/** What a route's handler is given. */
export interface ApiCall {
  readonly backend: ControlBackend;
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly by: Credentials;
}

export interface ApiRoute {
  readonly method: 'GET' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly role: Role;
  readonly summary: string;
  readonly parameters?: Schema;
  readonly query?: Schema;
  /** Of the reply with status 200; none: 204 without a body. */
  readonly reply?: Schema;
  handle(call: ApiCall): Promise<unknown>;
}

const TEXT: Schema = { type: 'string' };
const TEXT_OR_NULL: Schema = { type: ['string', 'null'] };
const NAMES: Schema = { type: 'array', items: TEXT };
const INTEGER: Schema = { type: 'integer' };
const TRUTH: Schema = { type: 'boolean' };

function oneOf(...values: string[]): Schema {
  return { type: 'string', enum: values };
}

/** An object in which all `properties` are always there; others may stand beside them. */
function record(properties: Readonly<Record<string, Schema>>): Schema {
  return { type: 'object', required: Object.keys(properties), properties };
}

function listOf(items: Schema): Schema {
  return { type: 'array', items };
}

const GROUP = record({
  group: TEXT,
  state: oneOf('ok', 'degraded', 'failed'),
  fdt_ms: { type: 'number' },
  interfaces: NAMES,
  active: NAMES,
  inactive: NAMES,
  failed: NAMES,
  offline: NAMES,
  mtu: INTEGER,
});

const INTERFACE = record({
  ifname: TEXT,
  group: TEXT_OR_NULL,
  state: oneOf('ok', 'failed', 'offline', 'unknown', 'absent'),
  active: TRUTH,
  standby: TRUTH,
  link: oneOf('up', 'down', 'unknown'),
  probe: oneOf('ok', 'failed', 'unknown', 'disabled'),
  lladdr: TEXT_OR_NULL,
  mtu: INTEGER,
  uplink: TEXT_OR_NULL,
  flags: NAMES,
  cause: TEXT,
});

const ADDRESS = record({
  address: TEXT,
  ifname: TEXT,
  group: TEXT_OR_NULL,
  type: oneOf('data', 'test'),
  state: oneOf('up', 'down', 'tentative', 'duplicate'),
  inbound: TEXT_OR_NULL,
  outbound: NAMES,
});

const NEIGHBOR = record({ dst: TEXT, lladdr: TEXT_OR_NULL, state: TEXT, group: TEXT_OR_NULL });

const KSTAT = record({
  module: TEXT,
  instance: INTEGER,
  name: TEXT,
  class: TEXT,
  crtime: { type: 'number' },
  snaptime: { type: 'number' },
  stale: TRUTH,
  data: { type: 'object' },
});

const STATUS = record({
  state: oneOf('ok', 'degraded', 'failed'),
  version: TEXT,
  uptime_s: { type: 'number' },
  groups: listOf(GROUP),
});

/** The reply to every refusal. */
export const ERROR_REPLY = record({
  error: record({ code: TEXT, message: TEXT, hint: TEXT_OR_NULL }),
});

/** A device name as a path parameter: what a kernel device of ours may be called. */
const NAME: Schema = { type: 'string', pattern: '^[A-Za-z][A-Za-z0-9._-]{0,14}$' };
const NAME_PARAMETER = record({ name: NAME });
const MEMBER_PARAMETERS = record({ name: NAME, ifname: NAME });

export const ROUTES: readonly ApiRoute[] = [
  {
    method: 'GET',
    path: '/v1/status',
    role: 'read',
    summary: 'The state of the daemon and of all groups',
    reply: STATUS,
    handle: ({ backend }) => backend.status(),
  },
  {
    method: 'GET',
    path: '/v1/groups',
    role: 'read',
    summary: 'All groups',
    reply: listOf(GROUP),
    handle: ({ backend }) => backend.groups(),
  },
  {
    method: 'DELETE',
    path: '/v1/groups/:name',
    role: 'root',
    summary: 'Delete a group without members',
    parameters: NAME_PARAMETER,
    handle: ({ backend, parameters, by }) =>
      backend.deleteGroup(parameters.name ?? '', { by, save: false }),
  },
  {
    method: 'PUT',
    path: '/v1/groups/:name/interfaces/:ifname',
    role: 'root',
    summary: 'Make an interface a member of a group',
    parameters: MEMBER_PARAMETERS,
    handle: ({ backend, parameters, by }) =>
      backend.addMember(parameters.name ?? '', parameters.ifname ?? '', { by, save: false }),
  },
  {
    method: 'DELETE',
    path: '/v1/groups/:name/interfaces/:ifname',
    role: 'root',
    summary: 'Take an interface out of its group',
    parameters: MEMBER_PARAMETERS,
    handle: ({ backend, parameters, by }) =>
      backend.removeMember(parameters.name ?? '', parameters.ifname ?? '', { by, save: false }),
  },
  {
    method: 'GET',
    path: '/v1/interfaces',
    role: 'read',
    summary: 'All interfaces',
    reply: listOf(INTERFACE),
    handle: ({ backend }) => backend.interfaces(),
  },
  {
    method: 'GET',
    path: '/v1/addresses',
    role: 'read',
    summary: 'All data and test addresses',
    reply: listOf(ADDRESS),
    handle: ({ backend }) => backend.addresses(),
  },
  {
    method: 'GET',
    path: '/v1/neighbors',
    role: 'read',
    summary: 'The neighbour cache',
    reply: listOf(NEIGHBOR),
    handle: ({ backend }) => backend.neighbors(),
  },
  {
    method: 'GET',
    path: '/v1/kstats',
    role: 'read',
    summary: 'Statistics, all or those of module:instance:name, each a glob',
    query: { type: 'object', properties: { pattern: TEXT } },
    reply: listOf(KSTAT),
    handle: ({ backend, query }) => kstats(backend, query.pattern ?? ''),
  },
];

async function kstats(backend: ControlBackend, text: string): Promise<readonly KstatRecord[]> {
  const pattern = kstatPatternParse(text);
  if (pattern === undefined) {
    throw new OperatorError('EINVAL', `"${text.slice(0, 100)}" is not module:instance:name`);
  }
  return await backend.kstats(({ module, instance, name }) =>
    pattern.matchesKstat(module, instance, name),
  );
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

const HTTP_STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  EACCES: 403,
  EPERM: 403,
  EINVAL: 400,
  ENAMETOOLONG: 400,
  ERANGE: 400,
  EMSGSIZE: 413,
  ENOENT: 404,
  ENODEV: 404,
  ENXIO: 404,
  EADDRINUSE: 409,
  EADDRNOTAVAIL: 409,
  EAFNOSUPPORT: 409,
  EALREADY: 409,
  EBUSY: 409,
  EEXIST: 409,
  EOPNOTSUPP: 501,
  ENOTSUP: 501,
  EAGAIN: 503,
  ETIMEDOUT: 504,
};

/** The HTTP status that goes with an errno name; 500 for those that tell of our own trouble. */
export function httpStatusOf(code: ErrorCode): number {
  return HTTP_STATUS[code] ?? 500;
}
