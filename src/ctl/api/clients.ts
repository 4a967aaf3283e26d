/**
 * The clients that are connected, those that wait for room, and those that must make room (T21,
 * T22).
 *
 * Terms. A client is *served* once its connection is read from. All served clients, and those of
 * one user, are limited; a client without room *waits*, unread, in a line that is limited as well.
 * A served client is *stuck* while the daemon waits for it: to send a request or the rest of one,
 * or to read a reply. While the client waits for the daemon (a reply in the making, a stream of
 * events), its connection is never ended.
 *
 * Fairness. Room goes to the waiting user that has least of it. A client that has been stuck for a
 * while is thrown out for another of its own user; sooner for one of a user that has less, or for
 * root. So idle connections delay no client, not even one of the same user, and users that all
 * want much have equal shares.
 *
 * Time is counted in beats, not by a clock: while the event loop stands still, no client is read
 * from, and none ages.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Credentials } from '../backend.ts';
import { refuseFull } from './refusal.ts';
import { credentialsOf, type PeerCredentials } from './socket.ts';

type Socket = FastifyRequest['socket'];

/** Clients served at one time (T21); the last of them are kept for root. */
const SERVED_MAX = 64;
const SERVED_OF_PLAIN_USERS_MAX = 48;
const SERVED_OF_ONE_USER_MAX = 16;
/** Requests on one connection whose replies have not left. */
const PIPELINED_MAX = 8;
/** As many as the backlog holds; of one user as many as it might be served in a second. */
const WAITING_MAX = 4096;
const WAITING_OF_ONE_USER_MAX = 512;
/** Refused clients that have yet to read it; beyond, connections end without a reply. */
const LEAVING_MAX = 256;
const LEAVING_MS = 1000;

const BEAT_MS = 50;
/** Ours: a client sends its request within a millisecond, on a busy machine within some more. */
const STUCK_BEATS = 5;
const STUCK_BEATS_OF_THE_GREEDY = 2;
/** Ten seconds. */
const WAITING_BEATS_MAX = 200;

interface Exchange {
  readonly request: FastifyRequest['raw'];
  readonly response: FastifyReply['raw'];
}

/** What clients are for, once they are let in. */
export interface Service {
  /** Begins to read from a connection. */
  serve(socket: Socket): void;
  /** Begins to answer a request. */
  answer(request: FastifyRequest['raw'], response: FastifyReply['raw']): void;
}

/** Runs `body` once, `delayMs` from now. */
export type After = (delayMs: number, body: () => void) => { cancel(): void };

interface Client {
  readonly socket: Socket;
  readonly by: Credentials;
  /** Since it is stuck; since it waits. */
  beats: number;
  /** Requests that have begun and whose replies have not left; the first is being answered. */
  readonly pending: Exchange[];
}

/** The connected clients, with their credentials. */
export class Clients {
  readonly #peerCredentials: PeerCredentials;
  readonly #service: Service;
  readonly #after: After;
  readonly #served = new Map<Socket, Client>();
  /** By user, how many are served. */
  readonly #held = new Map<number, number>();
  /** By user, the first to come in front; a user without waiting clients is not there. */
  readonly #waiting = new Map<number, Client[]>();
  readonly #leaving = new Set<Socket>();
  #beat: ReturnType<After> | undefined;

  constructor(peerCredentials: PeerCredentials, after: After, service: Service) {
    this.#peerCredentials = peerCredentials;
    this.#after = after;
    this.#service = service;
  }

  /** Serves a new connection, which is not read from yet; or lets it wait, or refuses it. */
  admit(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    const by = credentialsOf(socket, this.#peerCredentials);
    if (by === undefined) {
      socket.destroy();
      return;
    }
    const client = { socket, by, beats: 0, pending: [] };
    this.#beat ??= this.#after(BEAT_MS, () => this.#pollBeat());
    if (this.#waiting.has(by.uid) || !this.#makeRoomFor(by.uid)) this.#letWait(client);
    else this.#begin(client);
  }

  /** The credentials of the peer; undefined once it has gone, or was thrown out. */
  credentialsOf(socket: Socket): Credentials | undefined {
    return this.#served.get(socket)?.by;
  }

  /**
   * A request has begun. Those of one connection are answered one after the other, so changes come
   * in their order; a client that was thrown out gets no answer.
   */
  handleRequest(request: FastifyRequest['raw'], response: FastifyReply['raw']): void {
    const client = this.#served.get(request.socket);
    if (client === undefined) return;
    const { pending } = client;
    pending.push({ request, response });
    if (pending.length > PIPELINED_MAX) {
      this.#throwOut(client);
      return;
    }
    response.once('finish', () => {
      client.beats = 0;
      pending.shift();
      const [next] = pending;
      if (next !== undefined && this.#served.has(client.socket)) {
        this.#service.answer(next.request, next.response);
      }
    });
    if (pending.length === 1) this.#service.answer(request, response);
  }

  /** Ends all connections. */
  close(): void {
    this.#beat?.cancel();
    const waiting = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    for (const { socket } of [...waiting, ...this.#served.values()]) socket.destroy();
    for (const socket of this.#leaving) socket.destroy();
  }

  #begin(client: Client): void {
    client.beats = 0;
    this.#served.set(client.socket, client);
    this.#held.set(client.by.uid, this.#heldBy(client.by.uid) + 1);
    client.socket.once('close', () => {
      if (this.#forget(client)) this.#fillRoom();
    });
    this.#service.serve(client.socket);
  }

  #letWait(client: Client): void {
    const own = this.#waiting.get(client.by.uid) ?? [];
    const all = [...this.#waiting.values()].reduce((sum, line) => sum + line.length, 0);
    const ownMax = client.by.uid === 0 ? WAITING_MAX : WAITING_OF_ONE_USER_MAX;
    if (all >= WAITING_MAX || own.length >= ownMax) {
      this.#refuse(client.socket);
      return;
    }
    own.push(client);
    this.#waiting.set(client.by.uid, own);
  }

  /** Gives the room to waiting clients, to the user with the least of it first. */
  #fillRoom(): void {
    while (this.#waiting.size > 0) {
      const users = [...this.#waiting.keys()].sort((a, b) => this.#heldBy(a) - this.#heldBy(b));
      const uid = users.find((user) => this.#makeRoomFor(user));
      if (uid === undefined) return;
      const line = this.#waiting.get(uid) ?? [];
      const next = line.shift();
      if (line.length === 0) this.#waiting.delete(uid);
      if (next !== undefined) this.#begin(next);
    }
  }

  #heldBy(uid: number): number {
    return this.#held.get(uid) ?? 0;
  }

  /** False if it is not served any more. */
  #forget({ socket, by }: Client): boolean {
    if (!this.#served.delete(socket)) return false;
    const left = this.#heldBy(by.uid) - 1;
    if (left === 0) this.#held.delete(by.uid);
    else this.#held.set(by.uid, left);
    return true;
  }

  /** Whether one more client of `uid` may be served, after throwing out one that is stuck. */
  #makeRoomFor(uid: number): boolean {
    const mayGo = this.#inTheWayOf(uid);
    if (mayGo === undefined) return true;
    const own = this.#heldBy(uid);
    let victim: Client | undefined;
    for (const client of this.#served.values()) {
      if (!mayGo(client) || client.beats < (victim?.beats ?? 1)) continue;
      const isGreedy = this.#heldBy(client.by.uid) > own + 1;
      const isSooner = isGreedy || (uid === 0 && client.by.uid !== 0);
      if (client.by.uid !== uid && !isSooner) continue;
      if (client.beats >= (isSooner ? STUCK_BEATS_OF_THE_GREEDY : STUCK_BEATS)) victim = client;
    }
    if (victim === undefined) return false;
    this.#throwOut(victim);
    return this.#inTheWayOf(uid) === undefined;
  }

  /** Which clients use up the room of `uid`; undefined if there is room. */
  #inTheWayOf(uid: number): ((client: Client) => boolean) | undefined {
    if (uid !== 0) {
      if (this.#heldBy(uid) >= SERVED_OF_ONE_USER_MAX) return ({ by }) => by.uid === uid;
      const plain = this.#served.size - this.#heldBy(0);
      if (plain >= SERVED_OF_PLAIN_USERS_MAX) return ({ by }) => by.uid !== 0;
    }
    return this.#served.size >= SERVED_MAX ? () => true : undefined;
  }

  #throwOut(client: Client): void {
    const { socket, pending } = client;
    this.#forget(client);
    if (pending[0]?.response.headersSent) socket.destroy();
    else this.#refuse(socket);
  }

  #refuse(socket: Socket): void {
    if (this.#leaving.size >= LEAVING_MAX) {
      socket.destroy();
      return;
    }
    // It may be writing its request: the connection stays until it has had time to read.
    this.#leaving.add(socket);
    socket.once('close', () => this.#leaving.delete(socket));
    socket.setTimeout(LEAVING_MS, () => socket.destroy());
    refuseFull(socket);
    socket.resume();
  }

  #pollBeat(): void {
    for (const client of this.#served.values()) {
      client.beats = isStuck(client) ? client.beats + 1 : 0;
    }
    for (const [uid, line] of this.#waiting) {
      for (const client of line) client.beats++;
      while ((line[0]?.beats ?? 0) > WAITING_BEATS_MAX) this.#refuse(line.shift()!.socket);
      if (line.length === 0) this.#waiting.delete(uid);
    }
    this.#fillRoom();
    const isQuiet = this.#served.size === 0 && this.#waiting.size === 0;
    this.#beat = isQuiet ? undefined : this.#after(BEAT_MS, () => this.#pollBeat());
  }
}

/** The daemon waits for the client. */
function isStuck({ pending: [first] }: Client): boolean {
  return first === undefined || !first.request.complete || first.response.writableEnded;
}
