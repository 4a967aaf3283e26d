/**
 * How the framework checks requests and writes replies. Its own compilers load two more libraries
 * and compile all schemas when the server starts: a sixth of the processor time of the daemon's
 * start. Here a schema is compiled at the first request that it checks, in some milliseconds, and
 * every reply is written by `jsonWrite`.
 */
import { Ajv, type ValidateFunction } from 'ajv';
import type { FastifyInstance, FastifySchemaCompiler } from 'fastify';
import { jsonWrite } from '../../base/text/json.ts';

const newAjv = (): Ajv =>
  new Ajv({
    // The schemas are ours: a test compiles them with the checks that are left out here.
    meta: false,
    validateSchema: false,
    addUsedSchema: false,
    verbose: true,
    strict: true,
    allowUnionTypes: true,
    strictRequired: false,
    keywords: ['x-allowed'],
  });

/** Compiles with one `Ajv`, and each schema when it is needed first. */
function compileLater(): FastifySchemaCompiler<object> {
  let ajv: Ajv | undefined;
  return ({ schema }) => {
    let compiled: ValidateFunction | undefined;
    const validate: ReturnType<FastifySchemaCompiler<object>> = (data) => {
      ajv ??= newAjv();
      compiled ??= ajv.compile(schema);
      const isValid = compiled(data);
      validate.errors = compiled.errors ?? null;
      return isValid;
    };
    return validate;
  };
}

function useOwnCompilers(): never {
  throw new Error('the compilers of the framework are not used');
}

/** Keeps an instance of the framework from loading its compilers. */
export const NO_COMPILERS = {
  compilersFactory: { buildValidator: useOwnCompilers, buildSerializer: useOwnCompilers },
};

/** Sets our compilers; before any schema or route is added. */
export function setCompilers(app: FastifyInstance): void {
  app.setValidatorCompiler(compileLater());
  app.setSerializerCompiler(() => jsonWrite);
}
