/**
 * HTTP over a Unix socket, byte for byte: what is sent is exactly what is given, and what comes
 * back is taken apart here and by no library that the server might share.
 */

import { connect, type Socket } from 'node:net';
import { type Judgement, judgeReply, type Reply, readReply } from './reply.ts';

/** What came on one connection: the first reply, or how it ended without one. */
export interface Exchange {
  readonly reply: Reply | undefined;
  readonly judgement: Judgement;
}

export interface ExchangeOptions {
  /** Silence after which the sender half-closes. */
  readonly patienceMs?: number;
  /** And after which a connection without a reply that is not closed counts as hung. */
  readonly hungMs?: number;
  /** Makes the connection, as another user, say. */
  readonly open?: (socketPath: string) => Socket;
}

/**
 * Sends `bytes` on a connection of its own and waits for the first whole reply, or for the end of
 * the connection. Fails only if the connection cannot be made.
 */
export function exchange(
  socketPath: string,
  bytes: Buffer,
  { patienceMs = 25, hungMs = 20_000, open = connect }: ExchangeOptions = {},
): Promise<Exchange> {
  const method = /^[A-Z]+/.exec(bytes.toString('latin1', 0, 16))?.[0] ?? '';
  return new Promise((resolve, reject) => {
    const socket = open(socketPath);
    let received = '';
    let isConnected = false;
    const finish = (hung?: string): void => {
      for (const timer of [patience, hanging]) clearTimeout(timer);
      socket.destroy();
      const reply = readReply(received, method);
      const judgement = hung === undefined ? judgeReply(received, reply) : { kind: hung };
      resolve({ reply, judgement });
    };
    const patience = setTimeout(() => socket.end(), patienceMs);
    const hanging = setTimeout(() => finish('hung'), hungMs);
    socket.setEncoding('latin1');
    socket.on('connect', () => {
      isConnected = true;
      socket.write(bytes);
    });
    socket.on('data', (chunk: string) => {
      received += chunk;
      if (readReply(received, method)?.isWhole) finish();
    });
    socket.on('error', (error) => {
      // Once it has failed here, what `finish` resolves with is ignored.
      if (!isConnected) reject(error);
      finish();
    });
    socket.on('close', () => {
      if (isConnected) finish();
    });
  });
}

/** A request as bytes. */
export function requestBytes(
  method: string,
  path: string,
  { body, headers = [] }: { body?: string | undefined; headers?: readonly string[] } = {},
): Buffer {
  const lines = [`${method} ${path} HTTP/1.1`, 'host: ipmpd', ...headers];
  if (body !== undefined) {
    lines.push('content-type: application/json', `content-length: ${Buffer.byteLength(body)}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body ?? ''}`);
}
