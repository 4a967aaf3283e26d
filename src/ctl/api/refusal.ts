/**
 * Refusals as HTTP: an errno name becomes a status and `{"error":{"code","message","hint"}}`. A
 * refusal by a schema names the key, what was given and what is allowed; one by our own fault
 * shows no detail.
 */
import type { FastifyBaseLogger, FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, isMistake, OperatorError } from '../../base/errors.ts';
import { jsonWrite } from '../../base/text/json.ts';
import { suggest } from '../../base/text/suggest.ts';

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

/** The HTTP status that goes with an errno name; 500 for those of our own faults. */
export function httpStatusOf(code: ErrorCode): number {
  return HTTP_STATUS[code] ?? 500;
}

/** Replies to a request that is refused or has failed; a mistake of ours ends the process. */
export function refuse(
  error: FastifyError | OperatorError,
  request: FastifyRequest,
  reply: FastifyReply,
  log: FastifyBaseLogger | undefined,
): void {
  const refusal = refusalOf(error, request);
  if (refusal !== undefined) {
    const { code, message } = refusal;
    const body = { error: { code, message, hint: refusal.hint ?? null } };
    void reply.code(httpStatusOf(code)).type('application/json').send(body);
    return;
  }
  log?.error({ err: error }, 'a request failed for a reason of our own');
  const body = { error: { code: 'EIO', message: 'the daemon failed', hint: 'see its log' } };
  void reply.code(500).type('application/json').send(body);
  endAfterMistake(error);
}

/** A mistake of ours ends the process, once the reply is on its way. */
export function endAfterMistake(error: unknown): void {
  if (!isMistake(error)) return;
  setImmediate(() => {
    throw error;
  });
}

/** What the client did wrong, or undefined if the fault is ours. */
function refusalOf(
  error: FastifyError | OperatorError,
  request: FastifyRequest,
): OperatorError | undefined {
  if (error instanceof OperatorError) return error;
  const { statusCode = 500, code } = error;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    const limit = request.routeOptions.bodyLimit;
    return new OperatorError('EMSGSIZE', `the body is larger than ${limit / 1024} KiB`);
  }
  if (statusCode < 400 || statusCode >= 500) return undefined;
  const why = error.message.slice(0, SENTENCE_LENGTH_MAX);
  return new OperatorError('EINVAL', `the request is not valid: ${why}`);
}

/** What ajv found, with `verbose`: the part of the schema and of the data. */
export interface SchemaFinding {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly data?: unknown;
  readonly parentSchema?: Readonly<Record<string, unknown>>;
}

/** A sentence of the framework may repeat a whole path. */
const SENTENCE_LENGTH_MAX = 200;
/** Longest piece of what was given that a refusal repeats. */
const SHOWN_LENGTH_MAX = 60;

/** The first of what a schema found wrong; `where`: `body`, `params`, `querystring`. */
export function refusalOfFindings(
  findings: readonly SchemaFinding[],
  where: string,
): OperatorError {
  const [finding] = findings;
  if (finding === undefined) return new OperatorError('EINVAL', 'the request is not valid');
  const { keyword, params, data, parentSchema = {} } = finding;
  const path = finding.instancePath.split('/').slice(1).join('.');
  const name = path === '' ? `the ${WHERE[where] ?? where}` : path;
  const allowed = parentSchema['x-allowed'];
  const hint = typeof allowed === 'string' ? allowed : undefined;
  switch (keyword) {
    case 'additionalProperties': {
      const known = Object.keys((parentSchema.properties as object | undefined) ?? {});
      return unknownKey(String(params.additionalProperty), known);
    }
    case 'required':
      return new OperatorError('EINVAL', `${String(params.missingProperty)} is missing`, hint);
    case 'minProperties':
      return new OperatorError('EINVAL', `${name} names nothing to change`, hint);
    case 'not':
      return new OperatorError('EINVAL', `${name} asks for two things at once`, hint);
    case 'maxLength': {
      const isName = String(data).length < 256 && /^[\w.-]+$/.test(String(data));
      const code = isName ? 'ENAMETOOLONG' : 'EINVAL';
      const limit = `longer than ${String(params.limit)} characters`;
      return new OperatorError(code, `${name} ${shown(data)} is ${limit}`, hint);
    }
    case 'maxItems':
    case 'maxProperties':
      return new OperatorError('EINVAL', `${name} has more than ${params.limit} entries`, hint);
    default: {
      if (path === '' && (data ?? null) === null) {
        return new OperatorError('EINVAL', `${name} is missing`, hint);
      }
      const what = [name, shown(data)].filter((part) => part !== '').join(' ');
      return new OperatorError('EINVAL', `${what} is not valid`, hint);
    }
  }
}

const WHERE: Readonly<Record<string, string>> = {
  body: 'body of the request',
  querystring: 'query',
  params: 'path',
};

function unknownKey(key: string, known: readonly string[]): OperatorError {
  const meant = suggest(key, known);
  const all = known.length === 0 ? 'none is known here' : `one of ${known.join(', ')}`;
  const hint = meant === undefined ? all : `did you mean ${meant}?`;
  return new OperatorError('EINVAL', `there is no key ${shown(key)}`, hint);
}

/** What was given, in quotes, never long and without control characters. */
function shown(data: unknown): string {
  if (typeof data === 'object' && data !== null) return '';
  const text = String(data).replace(/\p{Cc}/gu, '?');
  return text.length > SHOWN_LENGTH_MAX ? `"${text.slice(0, SHOWN_LENGTH_MAX)}…"` : `"${text}"`;
}

/** A connection as far as it is needed to refuse it. */
export interface RefusableSocket {
  readonly writable: boolean;
  end(text: string, callback?: () => void): unknown;
  destroy(): unknown;
}

/** What is not HTTP, or did not arrive in time, gets its reply past the framework. */
export function refuseBrokenRequest(error: NodeJS.ErrnoException, socket: RefusableSocket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const isLate = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const line = isLate ? '408 Request Timeout' : '400 Bad Request';
  const code = isLate ? 'ETIMEDOUT' : 'EINVAL';
  const message = isLate ? 'the request did not arrive in time' : 'the request is not HTTP';
  socket.end(rawReply(line, '', { code, message, hint: null }), () => socket.destroy());
}

/** The header `expect` asks for something else than a leave to go on. */
export function refuseExpectation(response: FastifyReply['raw']): void {
  const error = { code: 'EINVAL', message: 'expect: 100-continue alone is known', hint: null };
  response.writeHead(417, { 'content-type': 'application/json', connection: 'close' });
  response.end(jsonWrite({ error }));
}

/** There is no room for one more client. The caller ends the connection once this is read. */
export function refuseFull(socket: RefusableSocket): void {
  const error = { code: 'EAGAIN', message: 'too many clients at one time', hint: 'try again' };
  socket.end(rawReply('503 Service Unavailable', 'retry-after: 1\r\n', error));
}

function rawReply(line: string, headers: string, error: object): string {
  const body = jsonWrite({ error });
  const head = `HTTP/1.1 ${line}\r\nconnection: close\r\ncontent-type: application/json\r\n`;
  const length = `content-length: ${Buffer.byteLength(body)}\r\n`;
  return `${head}${headers}${length}\r\n${body}`;
}
