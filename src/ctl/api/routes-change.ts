/** The routes that change something: configuration (root, with `?save=`), and operation. */

import { optional } from '../../model/fields.ts';
import type { ChangeRequest } from '../backend.ts';
import { type ApiCall, type ApiRoute, callWith, type Method } from '../route.ts';
import {
  ADDRESS,
  type Body,
  bodyOf,
  closed,
  LLADDR,
  MEMBER_NAMES,
  NAME,
  PREFIX,
  SWITCH,
  settingsOf,
} from '../schema.ts';
import { GROUP_SETTINGS, INTERFACE_SETTINGS, settingKeys } from '../settings.ts';

const SAVE_QUERY = closed(
  {
    save: {
      type: 'string',
      enum: ['true', 'false'],
      description: 'true: the change outlives the daemon',
      'x-allowed': 'true or false',
    },
  },
  [],
);

/** Id, method and path of a route. */
type RouteHead = readonly [id: string, method: Method, path: string];

/** A change of the configuration. */
function change(
  [id, method, path]: RouteHead,
  summary: string,
  handle: (call: ApiCall, request: ChangeRequest) => Promise<void>,
): ApiRoute {
  return {
    ...{ id, method, path, role: 'root', summary, query: SAVE_QUERY },
    handle: (call) => handle(call, { by: call.by, save: call.query.save === 'true' }),
  };
}

/** The same with a body; `location` is the path of what it makes. */
function changeBy<B>(
  head: RouteHead,
  summary: string,
  body: Body<B>,
  handle: (call: ApiCall<B>, request: ChangeRequest) => Promise<void>,
  location?: (call: ApiCall<B>) => string,
): ApiRoute {
  return {
    ...change(head, summary, (call, request) => handle(callWith(body, call), request)),
    body: body.schema,
    ...(location && { location: (call: ApiCall) => location(callWith(body, call)) }),
  };
}

/** An operation on an interface: it is not configuration, and ends with the daemon. */
function operation(verb: 'offline' | 'online' | 'activate', summary: string): ApiRoute {
  const id = `${verb}Interface` as const;
  const path = `/v1/interfaces/:ifname/${verb}`;
  const handle: ApiRoute['handle'] = ({ backend, parameters, by }) =>
    backend[id](parameters.ifname, by);
  return { id, method: 'POST', path, role: 'operate', summary, handle };
}

/** The path of what was made; a part may carry any character. */
function location(...parts: readonly unknown[]): string {
  return `/v1/${parts.map((part) => encodeURIComponent(String(part))).join('/')}`;
}

const GROUPS: readonly ApiRoute[] = [
  changeBy(
    ['createGroup', 'POST', '/v1/groups'],
    'Create a group',
    bodyOf({ name: NAME, interfaces: optional(MEMBER_NAMES) }),
    ({ backend, body: { name, interfaces = [] } }, request) =>
      backend.createGroup(name, interfaces, request),
    ({ body }) => location('groups', body.name),
  ),
  change(
    ['deleteGroup', 'DELETE', '/v1/groups/:name'],
    'Delete a group without members',
    ({ backend, parameters }, request) => backend.deleteGroup(parameters.name, request),
  ),
  changeBy(
    ['renameGroup', 'POST', '/v1/groups/:name/rename'],
    'Give a group another name; its device and its kstat keep theirs',
    bodyOf({ to: NAME }),
    ({ backend, parameters, body }, request) =>
      backend.renameGroup(parameters.name, body.to, request),
  ),
  changeBy(
    ['setGroup', 'PATCH', '/v1/groups/:name'],
    'Change keys of a group’s configuration',
    settingsOf(settingKeys(GROUP_SETTINGS)),
    ({ backend, parameters, body }, request) => backend.setGroup(parameters.name, body, request),
  ),
  change(
    ['addMember', 'PUT', '/v1/groups/:name/interfaces/:ifname'],
    'Make an interface a member of a group',
    ({ backend, parameters: { name, ifname } }, request) =>
      backend.addMember(name, ifname, request),
  ),
  change(
    ['removeMember', 'DELETE', '/v1/groups/:name/interfaces/:ifname'],
    'Take an interface out of its group',
    ({ backend, parameters: { name, ifname } }, request) =>
      backend.removeMember(name, ifname, request),
  ),
];

const INTERFACES: readonly ApiRoute[] = [
  changeBy(
    ['createInterface', 'POST', '/v1/interfaces'],
    'Create an interface: on an uplink, in a bridge, or a TAP that another program wires',
    bodyOf(
      { name: NAME, uplink: optional(NAME), bridge: optional(NAME), standby: optional(SWITCH) },
      { not: { required: ['uplink', 'bridge'] }, 'x-allowed': 'uplink or bridge, not both' },
    ),
    ({ backend, body: { name, uplink = null, bridge = null, standby = false } }, request) =>
      backend.createInterface({ name, uplink, bridge, standby }, request),
    ({ body }) => location('interfaces', body.name),
  ),
  change(
    ['deleteInterface', 'DELETE', '/v1/interfaces/:ifname'],
    'Delete an interface; a member leaves its group first',
    ({ backend, parameters }, request) => backend.deleteInterface(parameters.ifname, request),
  ),
  changeBy(
    ['setInterface', 'PATCH', '/v1/interfaces/:ifname'],
    'Change keys of an interface’s configuration',
    settingsOf(settingKeys(INTERFACE_SETTINGS)),
    ({ backend, parameters, body }, request) =>
      backend.setInterface(parameters.ifname, body, request),
  ),
  operation('offline', 'Take an interface out of use; others take over'),
  operation('online', 'Take an interface that is offline into use again'),
  operation('activate', 'Make an inactive interface active'),
];

const ADDRESSES: readonly ApiRoute[] = [
  changeBy(
    ['addAddress', 'POST', '/v1/groups/:name/addresses'],
    'Add a data address to a group',
    bodyOf({ address: PREFIX }),
    ({ backend, parameters, body }, request) =>
      backend.addAddress(parameters.name, body.address, request),
    ({ parameters, body }) => location('groups', parameters.name, 'addresses', body.address),
  ),
  change(
    ['deleteAddress', 'DELETE', '/v1/groups/:name/addresses/:address'],
    'Delete a data address of a group',
    ({ backend, parameters: { name, address } }, request) =>
      backend.deleteAddress(name, address, request),
  ),
  changeBy(
    ['addTestAddress', 'POST', '/v1/interfaces/:ifname/test-addresses'],
    'Add a test address to an interface',
    bodyOf({ address: PREFIX }),
    ({ backend, parameters, body }, request) =>
      backend.addTestAddress(parameters.ifname, body.address, request),
    ({ parameters, body }) =>
      location('interfaces', parameters.ifname, 'test-addresses', body.address),
  ),
  change(
    ['deleteTestAddress', 'DELETE', '/v1/interfaces/:ifname/test-addresses/:address'],
    'Delete a test address of an interface',
    ({ backend, parameters: { ifname, address } }, request) =>
      backend.deleteTestAddress(ifname, address, request),
  ),
];

const NEIGHBORS: readonly ApiRoute[] = [
  changeBy(
    ['addNeighbor', 'POST', '/v1/groups/:name/neighbors'],
    'Add a static neighbour, or one that is answered for on the wire (proxy)',
    bodyOf({ dst: ADDRESS, lladdr: LLADDR, proxy: optional(SWITCH) }),
    ({ backend, parameters, body: { dst, lladdr, proxy = false } }, request) =>
      backend.addNeighbor(parameters.name, { dst, lladdr, proxy }, request),
    ({ parameters, body }) => location('groups', parameters.name, 'neighbors', body.dst),
  ),
  change(
    ['deleteNeighbor', 'DELETE', '/v1/groups/:name/neighbors/:dst'],
    'Delete a neighbour',
    ({ backend, parameters: { name, dst } }, request) => backend.deleteNeighbor(name, dst, request),
  ),
  change(
    ['joinMulticast', 'PUT', '/v1/groups/:name/multicast/:address'],
    'Join a multicast address on a group',
    ({ backend, parameters: { name, address } }, request) =>
      backend.joinMulticast(name, address, request),
  ),
  change(
    ['leaveMulticast', 'DELETE', '/v1/groups/:name/multicast/:address'],
    'Leave a multicast address on a group',
    ({ backend, parameters: { name, address } }, request) =>
      backend.leaveMulticast(name, address, request),
  ),
];

export const CHANGES: readonly ApiRoute[] = [...GROUPS, ...INTERFACES, ...ADDRESSES, ...NEIGHBORS];
