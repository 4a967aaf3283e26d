/** Who is connected, and how many: all clients, and those of one user, are limited (T21). */
import type { FastifyRequest } from 'fastify';
import type { Credentials } from './backend.ts';
import { refuseFull } from './refusal.ts';
import { credentialsOf, type PeerCredentials } from './socket.ts';

type Socket = FastifyRequest['socket'];

/** Clients at one time (T21); the last of them are kept for root, so that nobody locks it out. */
const CLIENTS_MAX = 64;
const CLIENTS_KEPT_FOR_ROOT = 16;
const CLIENTS_OF_ONE_USER_MAX = 16;

/** The connected clients, and who they are. */
export class Clients {
  readonly #peerCredentials: PeerCredentials;
  readonly #connected = new Map<Socket, Credentials>();

  constructor(peerCredentials: PeerCredentials) {
    this.#peerCredentials = peerCredentials;
  }

  /** Lets a new connection in, or tells it that there is no room. */
  admit(socket: Socket): void {
    const credentials = credentialsOf(socket, this.#peerCredentials);
    if (credentials === undefined) {
      socket.destroy();
      return;
    }
    if (!this.#hasRoomFor(credentials.uid)) {
      refuseFull(socket);
      return;
    }
    this.#connected.set(socket, credentials);
    socket.once('close', () => this.#connected.delete(socket));
  }

  /** Who is at the other end; undefined once it has gone. */
  credentialsOf(socket: Socket): Credentials | undefined {
    return this.#connected.get(socket);
  }

  #hasRoomFor(uid: number): boolean {
    if (uid === 0) return this.#connected.size < CLIENTS_MAX;
    if (this.#connected.size >= CLIENTS_MAX - CLIENTS_KEPT_FOR_ROOT) return false;
    let own = 0;
    for (const client of this.#connected.values()) if (client.uid === uid) own++;
    return own < CLIENTS_OF_ONE_USER_MAX;
  }
}
