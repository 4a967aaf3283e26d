/**
 * Every verb of the API with the least role that may use it, written down by hand: what the
 * program says of itself is judged by this list and not the other way round.
 *
 * `sample` is a valid request that changes nothing, whoever sends it and to whatever daemon: it
 * names what is not there, or asks for what is there already.
 */

/** Everybody, members of the operators' group, root alone (contract 5). */
export type Role = 'read' | 'operate' | 'root';

export interface Verb {
  readonly role: Role;
  readonly method: string;
  /** As in the OpenAPI document. */
  readonly path: string;
  readonly sample: { readonly path: string; readonly body?: string };
}

const READS: readonly string[] = [
  '/v1/status',
  '/v1/groups',
  '/v1/interfaces',
  '/v1/addresses',
  '/v1/neighbors',
  '/v1/multicast',
  '/v1/targets',
  '/v1/kstats',
  '/v1/config',
  '/v1/events',
  '/v1/openapi.json',
  '/metrics',
  '/healthz',
  '/readyz',
];

/** Role, method, path, path of the sample, body of the sample. */
const CHANGES: readonly (readonly [Role, string, string, string, object?])[] = [
  ['root', 'POST', '/v1/groups', '/v1/groups', { name: 'ipmp0' }],
  ['root', 'DELETE', '/v1/groups/{name}', '/v1/groups/nosuch0'],
  ['root', 'PATCH', '/v1/groups/{name}', '/v1/groups/nosuch0', { spreading: 'flow' }],
  ['root', 'POST', '/v1/groups/{name}/rename', '/v1/groups/nosuch0/rename', { to: 'nosuch1' }],
  ['root', 'PUT', '/v1/groups/{name}/interfaces/{ifname}', '/v1/groups/nosuch0/interfaces/nosuch1'],
  [
    'root',
    'DELETE',
    '/v1/groups/{name}/interfaces/{ifname}',
    '/v1/groups/nosuch0/interfaces/nosuch1',
  ],
  [
    'root',
    'POST',
    '/v1/groups/{name}/addresses',
    '/v1/groups/nosuch0/addresses',
    { address: '192.0.2.77/24' },
  ],
  [
    'root',
    'DELETE',
    '/v1/groups/{name}/addresses/{address}',
    '/v1/groups/nosuch0/addresses/192.0.2.77%2F24',
  ],
  [
    'root',
    'POST',
    '/v1/groups/{name}/neighbors',
    '/v1/groups/nosuch0/neighbors',
    { dst: '192.0.2.78', lladdr: '02:00:00:00:00:78' },
  ],
  [
    'root',
    'DELETE',
    '/v1/groups/{name}/neighbors/{dst}',
    '/v1/groups/nosuch0/neighbors/192.0.2.78',
  ],
  [
    'root',
    'PUT',
    '/v1/groups/{name}/multicast/{address}',
    '/v1/groups/nosuch0/multicast/233.252.0.7',
  ],
  [
    'root',
    'DELETE',
    '/v1/groups/{name}/multicast/{address}',
    '/v1/groups/nosuch0/multicast/233.252.0.7',
  ],
  ['root', 'POST', '/v1/interfaces', '/v1/interfaces', { name: 'net0' }],
  ['root', 'DELETE', '/v1/interfaces/{ifname}', '/v1/interfaces/nosuch1'],
  ['root', 'PATCH', '/v1/interfaces/{ifname}', '/v1/interfaces/nosuch1', { standby: true }],
  ['operate', 'POST', '/v1/interfaces/{ifname}/offline', '/v1/interfaces/nosuch1/offline'],
  ['operate', 'POST', '/v1/interfaces/{ifname}/online', '/v1/interfaces/nosuch1/online'],
  ['operate', 'POST', '/v1/interfaces/{ifname}/activate', '/v1/interfaces/nosuch1/activate'],
  [
    'root',
    'POST',
    '/v1/interfaces/{ifname}/test-addresses',
    '/v1/interfaces/nosuch1/test-addresses',
    { address: '192.0.2.79/24' },
  ],
  [
    'root',
    'DELETE',
    '/v1/interfaces/{ifname}/test-addresses/{address}',
    '/v1/interfaces/nosuch1/test-addresses/192.0.2.79',
  ],
  ['root', 'POST', '/v1/config/check', '/v1/config/check', { file: 'a.yaml', text: '' }],
  ['root', 'POST', '/v1/reload', '/v1/reload'],
];

export const VERBS: readonly Verb[] = [
  ...READS.map((path): Verb => ({ role: 'read', method: 'GET', path, sample: { path } })),
  ...CHANGES.map(([role, method, path, samplePath, body]): Verb => {
    const sample = { path: samplePath, ...(body ? { body: JSON.stringify(body) } : {}) };
    return { role, method, path, sample };
  }),
];

/** What is served beside the documented API and need not stand in its document. */
const BESIDE: readonly string[] = ['/v1/openapi.json', '/metrics', '/healthz', '/readyz'];

/** Verbs that a program with this OpenAPI document lacks, and those that have no row here. */
export function unlikeTheList(document: unknown): { absent: string[]; unlisted: string[] } {
  const { paths } = document as { paths: Readonly<Record<string, object>> };
  const served = Object.entries(paths).flatMap(([path, verbs]) =>
    Object.keys(verbs).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const listed = VERBS.map(({ method, path }) => `${method} ${path}`);
  const beside = BESIDE.map((path) => `GET ${path}`);
  return {
    absent: listed.filter((verb) => !served.includes(verb) && !beside.includes(verb)),
    unlisted: served.filter((verb) => !listed.includes(verb)),
  };
}
