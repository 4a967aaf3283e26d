/** Clients that keep their connections busy and never finish, each in one of six ways. */

import type { Socket } from 'node:net';
import { connectAs, type Identity } from './users.ts';

/** Between the bytes of a request that never ends. */
const DRIP_MS = 200;
/** Between the arrivals of two: they are a crowd, not a storm. */
const APART_MS = 10;
/** Before one that was thrown out comes back. */
const RETURN_MS = 250;
/** A reply of some size, so often that no socket's buffer holds all of them. */
const LARGE = '/v1/openapi.json';
const LARGE_TIMES = 8;
const ENDLESS_TIMES = 200;

interface Habit {
  readonly first: string;
  /** One byte of it at a time, for ever. */
  readonly drip?: string;
  readonly isReading: boolean;
}

const ASK = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: ipmpd\r\n\r\n`;
const BODY_HEAD = 'content-type: application/json\r\ncontent-length: 60000';

/** Those that are not `isReading` never read a reply. */
const HABITS: readonly Habit[] = [
  // Half open, a header that never ends, and a body that never ends.
  { first: '', isReading: true },
  { first: 'GET /v1/groups HTTP/1.1\r\nx: ', drip: 'y', isReading: true },
  {
    first: `POST /v1/config/check HTTP/1.1\r\nhost: ipmpd\r\n${BODY_HEAD}\r\n\r\n{"file":"`,
    drip: 'a',
    isReading: true,
  },
  // Large replies, many replies, and a stream of events: none of them read.
  { first: ASK(LARGE).repeat(LARGE_TIMES), isReading: false },
  { first: ASK('/v1/kstats').repeat(ENDLESS_TIMES), isReading: false },
  { first: ASK('/v1/events'), isReading: false },
];

/** A crowd of stuck clients: as many of each user, habits in turn. */
export class StuckClients {
  readonly #socketPath: string;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #isOver = false;
  /** What became of them. */
  readonly tally = { connected: 0, thrownOut: 0 };

  constructor(socketPath: string, users: readonly Identity[], ofEach: number) {
    this.#socketPath = socketPath;
    for (let at = 0; at < ofEach * users.length; at++) {
      const user = users[at % users.length]!;
      this.#later(at * APART_MS, () => this.#stick(user, HABITS[at % HABITS.length]!));
    }
  }

  close(): void {
    this.#isOver = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
  }

  #stick(user: Identity, habit: Habit): void {
    const socket = connectAs(user, this.#socketPath);
    this.#sockets.add(socket);
    if (habit.isReading) socket.resume();
    const { drip } = habit;
    const dripping =
      drip === undefined ? undefined : setInterval(() => socket.write(drip), DRIP_MS);
    socket.on('connect', () => {
      this.tally.connected++;
      socket.write(habit.first);
    });
    // How it ends is of no interest here; that it ends is.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(dripping);
      this.#sockets.delete(socket);
      if (this.#isOver) return;
      this.tally.thrownOut++;
      this.#later(RETURN_MS, () => this.#stick(user, habit));
    });
  }

  #later(delayMs: number, body: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      body();
    }, delayMs);
    this.#timers.add(timer);
  }
}
