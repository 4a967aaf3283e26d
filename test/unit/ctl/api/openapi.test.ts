/**
 * The OpenAPI document, held against its own rules and against the table of routes. No validator of
 * the specification is at hand, so what generators of clients stumble over is checked here.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { successStatus } from '../../../../src/ctl/api/openapi.ts';
import { PLAIN_ROUTES } from '../../../../src/ctl/api/plain-routes.ts';
import { ROUTES } from '../../../../src/ctl/api/routes.ts';
import { COMPONENTS } from '../../../../src/ctl/schema.ts';
import { ask, codeOf, controlHarness, send } from './harness.ts';

interface Media {
  readonly schema?: object;
}

interface Response {
  readonly description?: string;
  readonly headers?: Readonly<Record<string, Media>>;
  readonly content?: Readonly<Record<string, Media>>;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema?: object;
}

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Record<string, Media> };
  readonly responses: Readonly<Record<string, Response>>;
}

interface Document {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly tags: readonly { readonly name: string }[];
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

async function documentOf(): Promise<Document> {
  await using daemon = await controlHarness();
  return JSON.parse((await ask(daemon, '/v1/openapi.json')).text);
}

/** Every operation with its path. */
function operationsOf(document: Document): { path: string; method: string; of: Operation }[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, of]) => ({ path, method, of })),
  );
}

/** All objects in a document, whatever they are. */
function* objectsIn(value: unknown): Generator<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return;
  yield value as Record<string, unknown>;
  for (const item of Object.values(value)) yield* objectsIn(item);
}

/** Compiles schemas as OpenAPI 3.1 has them: JSON Schema 2020-12, with references into it. */
function compiler(document: Document): (schema: object) => (value: unknown) => boolean {
  const formats = { 'date-time': true } as const;
  const ajv = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true, formats });
  ajv.addVocabulary(['x-allowed']);
  const local = (schema: object): object =>
    JSON.parse(JSON.stringify(schema).replaceAll('#/components/schemas/', 'component:'));
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    ajv.addSchema(local(schema), `component:${name}`);
  }
  return (schema) => ajv.compile(local(schema));
}

test('[contract 5.1] the document has every route, and what is no route', async () => {
  const document = await documentOf();
  deepEqual([document.openapi, document.info.title], ['3.1.0', 'ipmpd']);
  const shown = operationsOf(document).map(({ path, method }) => `${method} ${path}`);
  const known = [...ROUTES, ...PLAIN_ROUTES.map(({ path }) => ({ method: 'GET', path }))];
  const expected = known.map(
    ({ method, path }) => `${method.toLowerCase()} ${path.replace(/:(\w+)/g, '{$1}')}`,
  );
  deepEqual(shown.sort(), expected.sort());
  deepEqual(
    Object.keys(document.components.schemas).sort(),
    COMPONENTS.map(({ $id }) => String($id)).sort(),
  );
});

test('every reference leads somewhere, every schema can be compiled', async () => {
  const document = await documentOf();
  const compile = compiler(document);
  let references = 0;
  for (const object of objectsIn(document)) {
    if (typeof object.$ref === 'string') {
      const name = /^#\/components\/schemas\/(\w+)$/.exec(object.$ref)?.[1] ?? object.$ref;
      ok(document.components.schemas[name], object.$ref);
      references++;
    }
    if (typeof object.schema === 'object' && object.schema !== null) compile(object.schema);
  }
  ok(references > 80, `${references} references`);
});

test('every operation: an id of its own, a tag, its parameters, its replies', async () => {
  const document = await documentOf();
  const operations = operationsOf(document);
  const ids = operations.map(({ of }) => of.operationId ?? '');
  deepEqual([...new Set(ids)].sort(), [...ids].sort());
  const tags = document.tags.map(({ name }) => name);
  for (const { path, of } of operations) {
    ok(/^[a-z][A-Za-z]+$/.test(of.operationId ?? ''), of.operationId);
    ok((of.summary ?? '').length > 5);
    ok(of.tags?.every((tag) => tags.includes(tag)));
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const given = (of.parameters ?? []).filter((parameter) => parameter.in === 'path');
    deepEqual(
      given.map(({ name, required, schema }) => [name, required, typeof schema]),
      inPath.map((name) => [name, true, 'object']),
    );
    for (const [status, response] of Object.entries(of.responses)) {
      ok(/^([1-5]\d\d|[45]XX)$/.test(status), status);
      ok((response.description ?? '').length > 0, `${of.operationId} ${status}`);
    }
    const refusal = of.responses['4XX']?.content?.['application/json'];
    deepEqual(refusal?.schema, { $ref: '#/components/schemas/Error' }, of.operationId);
  }
});

test('bodies, queries and statuses are those of the routes', async () => {
  const document = await documentOf();
  const byId = new Map(operationsOf(document).map(({ of }) => [of.operationId, of]));
  for (const route of ROUTES) {
    const of = byId.get(route.id);
    equal(of?.requestBody?.required, route.body === undefined ? undefined : true, route.id);
    const query = (of?.parameters ?? []).filter((parameter) => parameter.in === 'query');
    const known = Object.keys((route.query?.properties as object | undefined) ?? {});
    deepEqual(
      query.map(({ name }) => name),
      known,
      route.id,
    );
    const success = of?.responses[String(successStatus(route))];
    ok(success, `${route.id}: ${successStatus(route)}`);
    equal(success.headers?.location !== undefined, route.location !== undefined, route.id);
    equal(success.content !== undefined, route.reply !== undefined, route.id);
  }
  deepEqual(Object.keys(byId.get('events')?.responses['200']?.content ?? {}), [
    'text/event-stream',
  ]);
  equal(byId.get('events')?.parameters?.length, 5);
});

test('[contract 4.18, 4.24, 5.1] every reply keeps to the schema of the document', async () => {
  await using daemon = await controlHarness();
  const document: Document = JSON.parse((await ask(daemon, '/v1/openapi.json')).text);
  const compile = compiler(document);
  for (const { path, method, of } of operationsOf(document)) {
    if (path.includes('{') || path === '/v1/events') continue;
    const body = { file: 'f', text: '' };
    const reply =
      path === '/v1/config/check'
        ? await send(daemon, 'POST', path, body)
        : await ask(daemon, path, { method: method.toUpperCase() });
    if (method === 'get') equal(reply.status, 200, path);
    const response = of.responses[reply.status] ?? of.responses[`${String(reply.status)[0]}XX`];
    const [[type, media] = []] = Object.entries(response?.content ?? {});
    ok(type !== undefined && reply.type.startsWith(type), `${method} ${path}: ${reply.type}`);
    if (type !== 'application/json') continue;
    ok(compile(media?.schema ?? {})(JSON.parse(reply.text)), `${method} ${path}`);
  }
  const refusal = await ask(daemon, '/v1/groups/ipmp0', { method: 'DELETE' });
  deepEqual([refusal.status, codeOf(refusal)], [409, 'EBUSY']);
  ok(compile({ $ref: '#/components/schemas/Error' })(JSON.parse(refusal.text)));
});

test('a schema of a request refuses what the server refuses', async () => {
  const document = await documentOf();
  const compile = compiler(document);
  const { post } = document.paths['/v1/interfaces'] ?? {};
  const accepts = compile(post?.requestBody?.content['application/json']?.schema ?? {});
  const table: [object, boolean][] = [
    [{ name: 'n' }, true],
    [{ name: 'n', uplink: 'e' }, true],
    [{ name: 'n', uplink: 'e', bridge: 'b' }, false],
    [{ name: 'n', x: 1 }, false],
    [{ name: '!' }, false],
    [{}, false],
  ];
  for (const [body, expected] of table) equal(accepts(body), expected, JSON.stringify(body));
});
