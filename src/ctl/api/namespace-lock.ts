/**
 * One daemon a network namespace, also when each has a socket and a journal of its own: the second
 * would take no NIC and silence none, and would stay, serving nothing.
 *
 * The lock is the name of an abstract Unix socket (unix(7)): it belongs to the network namespace,
 * and goes with the process that holds it. Any user may take such a name; if its holder is not
 * root, the daemon starts without the lock.
 */

import { createConnection, createServer, type Server } from 'node:net';
import { OperatorError } from '../../base/errors.ts';
import type { Credentials } from '../backend.ts';
import { credentialsOf, type PeerCredentials } from './socket.ts';

/** Of this namespace; the zero makes it abstract. */
const NAME = '\0ipmpd';

/** Ours: for a connection to the holder; the kernel completes it, whatever the holder does. */
const ASK_MS = 1000;

/** The part of the log that is needed. */
interface Log {
  warn(fields: Record<string, unknown>, message: string): void;
}

/** Takes the lock; the result gives it back. EBUSY: another daemon has it. */
export async function lockNamespace(
  peerCredentials: PeerCredentials,
  log: Log,
): Promise<() => void> {
  const server = createServer((socket) => socket.destroy());
  if (await listens(server)) {
    server.unref();
    return () => server.close();
  }
  const holder = await holderOf(peerCredentials);
  if (holder !== undefined && [0, process.geteuid?.()].includes(holder.uid)) {
    throw new OperatorError(
      'EBUSY',
      `another ipmpd is running in this network namespace: process ${holder.pid}`,
      `stop it first (kill ${holder.pid})`,
    );
  }
  const by =
    holder === undefined ? 'another process' : `process ${holder.pid} of user ${holder.uid}`;
  log.warn({ event: 'no-namespace-lock' }, `${by} has the name that keeps a second ipmpd out`);
  return () => undefined;
}

function listens(server: Server): Promise<boolean> {
  return new Promise((resolve, reject) => {
    // Also for what a connection brings later (ENFILE): none is served, so nothing is lost.
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen({ path: NAME }, () => resolve(true));
  });
}

/** The holder of the name; undefined if it has gone by now, or takes no connection. */
function holderOf(peerCredentials: PeerCredentials): Promise<Credentials | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ path: NAME });
    socket.setTimeout(ASK_MS, () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', () => resolve(undefined));
    socket.once('connect', () => {
      resolve(credentialsOf(socket, peerCredentials));
      socket.destroy();
    });
  });
}
