/** A daemon that replies fixed rows: HTTP on a socket of its own, for the tools from Solaris. */

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A reply other than a row: its status and body. */
export class Reply {
  readonly status: number;
  readonly body: unknown;

  constructor(status: number, body: unknown) {
    this.status = status;
    this.body = body;
  }
}

/** The refusal with an errno name and a sentence. */
export function refusal(code: string, message: string): Reply {
  return new Reply(409, { error: { code, message, hint: null } });
}

/** Replies what `replies` holds for `METHOD path`. */
export class RowsServer {
  readonly replies: Record<string, unknown>;
  /** What was asked, as `METHOD path`. */
  readonly asked: string[] = [];
  readonly #directory = mkdtempSync(join(tmpdir(), 'ipmpd-rows-'));
  readonly socketPath = join(this.#directory, 'ipmpd.sock');
  readonly #server: Server;

  constructor(replies: Record<string, unknown>) {
    this.replies = replies;
    this.#server = createServer((request, response) => {
      const asked = `${request.method} ${request.url}`;
      this.asked.push(asked);
      const found = this.replies[asked] ?? refusal('ENOENT', `there is no ${asked}`);
      const reply = found instanceof Reply ? found : new Reply(200, found);
      response.statusCode = reply.status;
      response.end(reply.body === undefined ? '' : JSON.stringify(reply.body));
    });
  }

  /** Starts one; released by `await using`. */
  static async start(replies: Record<string, unknown>): Promise<RowsServer> {
    const server = new RowsServer(replies);
    await new Promise<void>((resolve) => server.#server.listen(server.socketPath, resolve));
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** What a tool printed and how it ended. */
export interface Outcome {
  readonly status: number;
  readonly out: string;
  readonly error: string;
}

/** Runs a tool in this process. */
export async function outcomeOf(
  main: (process: { print(text: string): void; complain(text: string): void }) => Promise<number>,
): Promise<Outcome> {
  let out = '';
  let error = '';
  const status = await main({
    print: (text) => {
      out += text;
    },
    complain: (text) => {
      error += text;
    },
  });
  return { status, out, error };
}
