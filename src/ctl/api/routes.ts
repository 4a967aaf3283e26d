/**
 * The routes of the API as one table: path, rights, schemas, and what is asked of the daemon. The
 * server and the OpenAPI document are made from it; tests compare `ipmpadm`'s commands with it.
 */

import { OperatorError } from '../../base/errors.ts';
import { ref, type Schema } from '../../model/fields.ts';
import { FILE_BYTES_MAX } from '../../model/limits.ts';
import type { KstatRecord } from '../../stats/kstat.ts';
import type { ControlBackend, ControlReads } from '../backend.ts';
import { kstatPatternParse } from '../kstat-pattern.ts';
import { type ApiRoute, callWith, routeName } from '../route.ts';
import { arrayOf, bodyOf, closed, FILE_NAME, fileText } from '../schema.ts';
import { CHANGES } from './routes-change.ts';

/** The file's text as JSON: each line break and quote takes two bytes; and the rest of the body. */
const FILE_BODY_BYTES_MAX = 2 * FILE_BYTES_MAX + 16 * 1024;

/** Reads of the backend without arguments; the path of each is its name. */
type ReadId = Exclude<
  keyof ControlReads,
  'kstats' | 'checkConfig' | 'subscribe' | 'metrics' | 'readiness'
>;

function read(id: ReadId, summary: string, reply: Schema): ApiRoute {
  const handle: ApiRoute['handle'] = ({ backend }) => backend[id]();
  return { id, method: 'GET', path: `/v1/${id}`, role: 'read', summary, reply, handle };
}

const READS: readonly ApiRoute[] = [
  read('status', 'The state of the daemon and of all groups', ref('Status')),
  read(
    'snapshot',
    'All rows but neighbours, kstats and configuration, of one moment',
    ref('Snapshot'),
  ),
  read('groups', 'All groups', arrayOf(ref('Group'))),
  read('interfaces', 'All interfaces', arrayOf(ref('Interface'))),
  read('addresses', 'All data and test addresses', arrayOf(ref('Address'))),
  read('neighbors', 'The neighbour cache', arrayOf(ref('Neighbor'))),
  read('multicast', 'Multicast memberships that were asked for', arrayOf(ref('Multicast'))),
  read('targets', 'Hosts that are probed', arrayOf(ref('Target'))),
  {
    id: 'kstats',
    method: 'GET',
    path: '/v1/kstats',
    role: 'read',
    summary: 'Statistics, all or those of module:instance:name, each a glob',
    reply: arrayOf(ref('Kstat')),
    query: closed(
      {
        pattern: {
          type: 'string',
          maxLength: 256,
          description: 'module:instance:name, each a glob',
          'x-allowed': 'module:instance:name, at most 256 characters',
        },
      },
      [],
    ),
    handle: ({ backend, query }) => kstats(backend, query.pattern ?? ''),
  },
  read('config', 'The configuration, each value with its origin', arrayOf(ref('ConfigValue'))),
];

const CHECK_BODY = bodyOf({ file: FILE_NAME, text: fileText(FILE_BYTES_MAX) });

const CONFIGURATION: readonly ApiRoute[] = [
  {
    id: 'checkConfig',
    method: 'POST',
    path: '/v1/config/check',
    role: 'root',
    summary: 'Check the text of a configuration file; nothing changes',
    body: CHECK_BODY.schema,
    bodyBytesMax: FILE_BODY_BYTES_MAX,
    reply: ref('ConfigCheck'),
    handle: (call) => {
      const { backend, body } = callWith(CHECK_BODY, call);
      const { file, text } = body;
      if (Buffer.byteLength(text) > FILE_BYTES_MAX) {
        const message = `the file is larger than ${FILE_BYTES_MAX / 1024} KiB`;
        throw new OperatorError('EMSGSIZE', message);
      }
      return backend.checkConfig(file, text);
    },
  },
  {
    id: 'reload',
    method: 'POST',
    path: '/v1/reload',
    role: 'root',
    summary: 'Read the configuration files anew and apply what differs',
    reply: ref('Reload'),
    handle: ({ backend, by }) => backend.reload(by),
  },
];

export const ROUTES: readonly ApiRoute[] = [...READS, ...CHANGES, ...CONFIGURATION];

const BY_NAME = new Map(ROUTES.map((route) => [routeName(route), route]));

/** The route of that name (`GET /v1/groups`). */
export function routeOf(name: string): ApiRoute | undefined {
  return BY_NAME.get(name);
}

async function kstats(backend: ControlBackend, text: string): Promise<readonly KstatRecord[]> {
  const pattern = kstatPatternParse(text);
  if (pattern === undefined) {
    throw new OperatorError('EINVAL', `"${text.slice(0, 100)}" is not module:instance:name`);
  }
  return await backend.kstats(({ module, instance, name }) =>
    pattern.matchesKstat(module, instance, name),
  );
}
