/** The API as OpenAPI: the schema of each route for the framework, and the document. */

import type { FastifyInstance } from 'fastify';
import { jsonWrite } from '../../base/text/json.ts';
import { ref, type Schema } from '../../model/fields.ts';
import { type ApiRoute, pathParameters } from '../route.ts';
import { ADDRESS, ADDRESS_OR_PREFIX, COMPONENTS, closed, NAME } from '../schema.ts';
import { OPENAPI } from './plain-routes.ts';

/** What may stand in a path under each name. */
const PATH_PARAMETERS: Readonly<Record<'name' | 'ifname' | 'address' | 'dst', Schema>> = {
  name: { ...NAME.schema, description: 'name of the group' },
  ifname: { ...NAME.schema, description: 'name of the interface' },
  address: {
    ...ADDRESS_OR_PREFIX.schema,
    description: 'the address; a slash in it is written as %2F',
  },
  dst: { ...ADDRESS.schema, description: 'address of the neighbour' },
};

const ROLE_SENTENCES = {
  read: 'For everybody.',
  operate: 'For root and members of the operators’ group.',
  root: 'For root.',
} as const;

/** The schemas of a route: what it takes is checked by them, all of it is shown. */
export function routeSchema(route: ApiRoute): Schema {
  const names = pathParameters(route.path);
  const parameters = Object.fromEntries(names.map((name) => [name, PATH_PARAMETERS[name]]));
  return {
    operationId: route.id,
    tags: [route.role],
    summary: route.summary,
    description: ROLE_SENTENCES[route.role],
    querystring: route.query ?? closed({}),
    ...(names.length === 0 ? {} : { params: closed(parameters) }),
    ...(route.body === undefined ? {} : { body: route.body }),
    response: { ...successOf(route), '4xx': ref('Error'), '5xx': ref('Error') },
  };
}

/** The status with which a request ends that went well. */
export function successStatus(route: ApiRoute): 200 | 201 | 204 {
  if (route.reply !== undefined) return 200;
  return route.location === undefined ? 204 : 201;
}

function successOf(route: ApiRoute): Schema {
  switch (successStatus(route)) {
    case 200:
      return { 200: { description: 'What was asked for', ...route.reply } };
    case 201: {
      const headers = { location: { type: 'string', description: 'the path of what was made' } };
      return { 201: { type: 'null', description: 'Made', headers } };
    }
    default:
      return { 204: { type: 'null', description: 'Done' } };
  }
}

/** Registers the components and serves the document; before any route is added. */
export async function addDocument(app: FastifyInstance, version: string): Promise<void> {
  const { default: swagger } = await import('@fastify/swagger');
  for (const component of COMPONENTS) app.addSchema(component);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'ipmpd',
        version,
        description: 'The control interface of ipmpd, IP multipathing for Linux.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: 'http://ipmpd', description: 'over the Unix socket; any host name does' }],
      tags: Object.entries(ROLE_SENTENCES).map(([name, description]) => ({ name, description })),
    },
    refResolver: {
      buildLocalReference: (component, _, __, index) => String(component.$id ?? `def-${index}`),
    },
  });
  app.after(() => {
    // Written once: requests at one time would wait for each other's writing.
    let document: string | undefined;
    app.get(OPENAPI.path, { schema: OPENAPI.schema }, async (_, reply) => {
      document ??= jsonWrite(app.swagger());
      return reply.type('application/json').send(document);
    });
  });
}
