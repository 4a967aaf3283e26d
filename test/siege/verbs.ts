/**
 * Every verb of the API with the least role that may use it, written down by hand: what the
 * program declares is judged by this list and not the other way round.
 *
 * `sample` is a valid request that changes nothing, for any sender and any daemon: it
 * names what is not there, or asks for what is there already.
 */

/** All users, members of the operators' group, root alone (contract 5). */
export type Role = 'read' | 'operate' | 'root';

export interface Verb {
  readonly role: Role;
  readonly method: string;
  /** As in the OpenAPI document. */
  readonly path: string;
  readonly sample: { readonly path: string; readonly body?: string };
}

const NAMES: Readonly<Record<string, string>> = {
  name: 'nosuch0',
  ifname: 'nosuch1',
  address: '192.0.2.77%2F24',
  dst: '192.0.2.78',
};

/** Role, method, path, body of the sample. The sample's path has the names above. */
const LIST = `
read GET /v1/status
read GET /v1/snapshot
read GET /v1/groups
read GET /v1/interfaces
read GET /v1/addresses
read GET /v1/neighbors
read GET /v1/multicast
read GET /v1/targets
read GET /v1/kstats
read GET /v1/config
read GET /v1/events
read GET /v1/openapi.json
read GET /metrics
read GET /healthz
read GET /readyz
root POST /v1/groups {"name":"ipmp0"}
root DELETE /v1/groups/{name}
root PATCH /v1/groups/{name} {"spreading":"flow"}
root POST /v1/groups/{name}/rename {"to":"nosuch1"}
root PUT /v1/groups/{name}/interfaces/{ifname}
root DELETE /v1/groups/{name}/interfaces/{ifname}
root POST /v1/groups/{name}/addresses {"address":"192.0.2.77/24"}
root DELETE /v1/groups/{name}/addresses/{address}
root POST /v1/groups/{name}/neighbors {"dst":"192.0.2.78","lladdr":"02:00:00:00:00:78"}
root DELETE /v1/groups/{name}/neighbors/{dst}
root PUT /v1/groups/{name}/multicast/233.252.0.7
root DELETE /v1/groups/{name}/multicast/233.252.0.7
root POST /v1/interfaces {"name":"net0"}
root DELETE /v1/interfaces/{ifname}
root PATCH /v1/interfaces/{ifname} {"standby":true}
operate POST /v1/interfaces/{ifname}/offline
operate POST /v1/interfaces/{ifname}/online
operate POST /v1/interfaces/{ifname}/activate
root POST /v1/interfaces/{ifname}/test-addresses {"address":"192.0.2.79/24"}
root DELETE /v1/interfaces/{ifname}/test-addresses/{address}
root POST /v1/config/check {"file":"a.yaml","text":""}
root POST /v1/reload`;

export const VERBS: readonly Verb[] = [...LIST.matchAll(/^(\w+) (\w+) (\S+) ?(.*)$/gm)].map(
  ([, role = '', method = '', samplePath = '', body]): Verb => {
    const path = samplePath.replace('233.252.0.7', '{address}');
    const sample = samplePath.replace(/\{(\w+)\}/g, (_, name) => NAMES[name] ?? '');
    const least = role === 'root' || role === 'operate' ? role : 'read';
    return { role: least, method, path, sample: { path: sample, ...(body ? { body } : {}) } };
  },
);

/** What is served beside the documented API and need not be in its document. */
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
