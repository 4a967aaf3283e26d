/** A served harness on a socket of its own, and `ipmpadm` run against it in this process. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { connect, type NetConnectOpts } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Logger, pino } from 'pino';
import { assert } from '../../../../src/base/assert.ts';
import { ipmpadmMain } from '../../../../src/ctl/adm/main.ts';
import { type ControlServer, startControlServer } from '../../../../src/ctl/api/server.ts';
import { SharedText } from '../../../../src/ctl/api/shared.ts';
import type { Credentials } from '../../../../src/ctl/backend.ts';
import { hostClock } from '../../../../src/process/clock.ts';
import { type Outcome, outcomeOf } from '../solaris/harness.ts';
import { MemoryBackend } from './backend.ts';

/** The time of the server's own events. */
export const WALL_TIME = '2026-01-02T03:04:06.000000Z';

/** A served harness, with the credentials of its clients. */
export class ControlHarness {
  readonly directory = mkdtempSync(join(tmpdir(), 'ipmpd-ctl-'));
  readonly socketPath = join(this.directory, 'run', 'ipmpd.sock');
  credentials: Credentials = { pid: process.pid, uid: 0, gid: 0, groups: [] };
  nowMs = 0;
  /** Set it before the start. */
  heartbeatMs = 15_000;
  /** Lines of the server's log, if a test reads them. Set it before the start. */
  lines: string[] | undefined;
  #backend: MemoryBackend | undefined;
  #server: ControlServer | undefined;

  /** Only after the start. */
  get backend(): MemoryBackend {
    assert(this.#backend !== undefined, 'the daemon is started');
    return this.#backend;
  }

  async start(operatorGid?: number): Promise<void> {
    this.#backend = await MemoryBackend.open(this.directory);
    this.#server = await startControlServer({
      backend: this.backend,
      socketPath: this.socketPath,
      version: '0.0.0',
      operatorGid: async () => operatorGid,
      peerCredentials: () => this.credentials,
      metrics: new SharedText(
        async () => {
          const { version } = await this.backend.metrics();
          return `# made ${this.backend.metricsMade} by ${version}\n`;
        },
        () => this.nowMs,
      ),
      wallTime: () => WALL_TIME,
      after: hostClock.after,
      heartbeatMs: this.heartbeatMs,
      ...(this.lines === undefined ? {} : { log: logInto(this.lines) }),
    });
  }

  async stop(): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function logInto(lines: string[]): Logger {
  return pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
}

/** Starts a harness; released by `await using`. */
export async function controlHarness(): Promise<ControlHarness> {
  const daemon = new ControlHarness();
  await daemon.start();
  return daemon;
}

/** Runs `ipmpadm` in this process against `socketPath`. */
export function ipmpadm(
  socketPath: string,
  words: string | readonly string[],
  options: {
    interrupted?: AbortSignal;
    onPrint?: (text: string) => void;
    isColorful?: boolean;
  } = {},
): Promise<Outcome> {
  return outcomeOf(({ print, complain }) =>
    ipmpadmMain(typeof words === 'string' ? words.split(' ') : words, {
      version: '0.0.0',
      defaultSocket: socketPath,
      isColorful: options.isColorful ?? false,
      print: (text) => {
        print(text);
        options.onPrint?.(text);
      },
      complain,
      checkConfig: async (file) => (file === 'bad' ? ['bad:1: x: is bad (good)'] : []),
      lab: async (labWords) => (['run', 'up', 'down'].includes(labWords[0] ?? '') ? 0 : 9),
      interruption: () => options.interrupted ?? new AbortController().signal,
    }),
  );
}

/** Runs `ipmpadm` until its end or its first output, while `publish` is called every 5 ms. */
export async function untilPrinted(
  daemon: ControlHarness,
  words: string,
  publish = () => daemon.backend.publish('link-down'),
): Promise<Outcome> {
  const controller = new AbortController();
  const publishing = setInterval(publish, 5);
  return await ipmpadm(daemon.socketPath, words, {
    interrupted: controller.signal,
    onPrint: () => controller.abort(),
  }).finally(() => clearInterval(publishing));
}

/** A connection of which everything that arrives is kept. */
export class RawClient {
  readonly socket;
  text = '';
  isClosed = false;

  constructor(to: NetConnectOpts) {
    this.socket = connect(to);
    this.socket.setEncoding('latin1').on('data', (chunk: string) => {
      this.text += chunk;
    });
    // A test looks at what has arrived, and at the end.
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => {
      this.isClosed = true;
    });
  }

  /** A connection that is made, with `first` written to it. */
  static async open(path: string, first = ''): Promise<RawClient> {
    const client = new RawClient({ path });
    await once(client.socket, 'connect');
    client.socket.write(first, 'latin1');
    return client;
  }

  /** All that has arrived, at the end of the connection. */
  async whole(): Promise<string> {
    while (!this.isClosed) await new Promise((resolve) => this.socket.once('close', resolve));
    return this.text;
  }
}

export interface Reply {
  readonly status: number;
  readonly type: string;
  readonly location: string | undefined;
  readonly text: string;
}

export interface Question {
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One HTTP request, byte for byte as given. */
export async function ask(
  daemon: ControlHarness,
  path: string,
  given: Question = {},
): Promise<Reply> {
  const { method = 'GET', body, headers = {} } = given;
  const length = { 'content-length': Buffer.byteLength(body ?? '') };
  const { socketPath } = daemon;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const all = { ...length, ...headers };
    const sent = request({ socketPath, path, method, headers: all, agent: false }, resolve);
    sent.on('error', reject);
    sent.end(body);
  });
  response.setEncoding('utf8');
  let text = '';
  for await (const chunk of response) text += chunk;
  const { location, 'content-type': type = '' } = response.headers;
  return { status: response.statusCode ?? 0, type, location, text };
}

/** A request with a JSON body. */
export function send(
  daemon: ControlHarness,
  method: string,
  path: string,
  body: unknown,
): Promise<Reply> {
  const headers = { 'content-type': 'application/json' };
  return ask(daemon, path, { method, headers, body: JSON.stringify(body) });
}

/** The errno name of a refusal. */
export function codeOf(reply: Reply): string {
  return JSON.parse(reply.text).error.code;
}

/** Waits until `condition` holds, ten seconds at most. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let round = 0; round < 1000; round++) {
    if (condition()) return;
    await delay(10);
  }
  throw new Error(`never: ${what}`);
}
