/** HTTP replies taken apart, and whether they are what the API promises (contract 5). */

export interface Reply {
  readonly status: number;
  readonly type: string;
  /** As far as it has arrived; one character a byte. */
  readonly body: string;
  readonly isWhole: boolean;
}

/**
 * What a reply is worth: `valid`, `refused` (with a code), `closed` (nothing came, or no more than
 * the leave to send the body), else what is wrong with it.
 */
export interface Judgement {
  readonly kind: string;
  /** The errno name of a refusal. */
  readonly code?: string;
}

const CONTINUES = /^(HTTP\/1\.1 100 Continue\r\n\r\n)*$/;

/** The first final reply in `received` to a `method` request; undefined before its head's end. */
export function readReply(received: string, method: string): Reply | undefined {
  const end = received.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [line = '', ...headers] = received.slice(0, end).split('\r\n');
  const status = Number(/^HTTP\/1\.1 ([1-5]\d\d) /.exec(line)?.[1]);
  const rest = received.slice(end + 4);
  if (status < 200) return readReply(rest, method);
  const value = (name: string): string => {
    const found = headers.find((header) => header.toLowerCase().startsWith(`${name}:`));
    return found?.slice(name.length + 1).trim() ?? '';
  };
  const type = value('content-type');
  if (method === 'HEAD' || status === 204) return { status, type, body: '', isWhole: true };
  // A stream of events has no end: its beginning is enough.
  if (type === 'text/event-stream') return { status, type, body: rest, isWhole: true };
  if (value('transfer-encoding') === 'chunked') {
    const { body, isWhole } = readChunks(rest);
    return { status, type, body, isWhole };
  }
  const length = Number(value('content-length') || Number.POSITIVE_INFINITY);
  return { status, type, body: rest.slice(0, length), isWhole: rest.length >= length };
}

function readChunks(text: string): { body: string; isWhole: boolean } {
  let body = '';
  let at = 0;
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    const length = lineEnd < 0 ? Number.NaN : Number.parseInt(text.slice(at, lineEnd), 16);
    if (Number.isNaN(length)) return { body, isWhole: false };
    if (length === 0) return { body, isWhole: true };
    body += text.slice(lineEnd + 2, lineEnd + 2 + length);
    at = lineEnd + 2 + length + 2;
  }
}

/** Judges what a connection brought: the first reply, of all that was `received`. */
export function judgeReply(received: string, reply: Reply | undefined): Judgement {
  if (reply === undefined) {
    return { kind: CONTINUES.test(received) ? 'closed' : 'garbage' };
  }
  const { status, type, body } = reply;
  if (!(status >= 200 && status < 600)) return { kind: `status ${status}` };
  if (status < 300) {
    if (!type.startsWith('application/json')) return { kind: 'valid' };
    return { kind: parsed(body) === undefined ? 'no JSON' : 'valid' };
  }
  // The reply to HEAD has no body to look into.
  if (status >= 400 && status < 500 && body === '' && type.startsWith('application/json')) {
    return { kind: 'refused' };
  }
  const error = (parsed(body) as { error?: Record<string, unknown> } | undefined)?.error;
  const { code, message, hint } = error ?? {};
  const isCoded = typeof code === 'string' && /^E[A-Z]+$/.test(code);
  const isTold = typeof message === 'string' && message !== '';
  if (!isCoded || !isTold || !(hint === null || typeof hint === 'string')) {
    return { kind: `status ${status} without a code` };
  }
  return status === 500 ? { kind: 'our own fault', code } : { kind: 'refused', code };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'latin1').toString('utf8'));
  } catch {
    return undefined;
  }
}
