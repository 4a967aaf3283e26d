/** Clients that hold what they have and give nothing back, each in one of six ways, for ever. */

import type { Socket } from 'node:net';
import { connectAs, type User } from './users.ts';

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

/** By name; `deaf` ones never read. */
export const HABITS: Readonly<Record<string, Habit>> = {
  'half-open': { first: '', isReading: true },
  'never-ending header': { first: 'GET /v1/groups HTTP/1.1\r\nx: ', drip: 'y', isReading: true },
  'never-ending body': {
    first: `POST /v1/config/check HTTP/1.1\r\nhost: ipmpd\r\n${BODY_HEAD}\r\n\r\n{"file":"`,
    drip: 'a',
    isReading: true,
  },
  'deaf to replies': { first: ASK(LARGE).repeat(LARGE_TIMES), isReading: false },
  'endless questions': { first: ASK('/v1/kstats').repeat(ENDLESS_TIMES), isReading: false },
  'deaf to events': { first: ASK('/v1/events'), isReading: false },
};

/** What became of the stuck clients. */
export interface StuckTally {
  readonly connected: number;
  readonly thrownOut: number;
}

/** A crowd of stuck clients: as many of each user, habits in turn. */
export class StuckClients {
  readonly #socketPath: string;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #isOver = false;
  #connected = 0;
  #thrownOut = 0;

  constructor(
    socketPath: string,
    users: readonly Pick<User, 'uid' | 'gid' | 'groups'>[],
    ofEach: number,
  ) {
    this.#socketPath = socketPath;
    const habits = Object.values(HABITS);
    for (let at = 0; at < ofEach * users.length; at++) {
      const user = users[at % users.length]!;
      this.#later(at * APART_MS, () => this.#stick(user, habits[at % habits.length]!));
    }
  }

  get tally(): StuckTally {
    return { connected: this.#connected, thrownOut: this.#thrownOut };
  }

  close(): void {
    this.#isOver = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
  }

  #stick(user: Pick<User, 'uid' | 'gid' | 'groups'>, habit: Habit): void {
    const socket = connectAs(user, this.#socketPath);
    this.#sockets.add(socket);
    if (habit.isReading) socket.resume();
    const { drip } = habit;
    const dripping =
      drip === undefined ? undefined : setInterval(() => socket.write(drip), DRIP_MS);
    socket.on('connect', () => {
      this.#connected++;
      socket.write(habit.first);
    });
    // How it ends is of no interest here; that it ends is.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(dripping);
      this.#sockets.delete(socket);
      if (this.#isOver) return;
      this.#thrownOut++;
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
