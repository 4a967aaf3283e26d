/**
 * The place of the control socket in the file system (T18): taken without harming what belongs to
 * others, given back at the end.
 *
 * The server binds a name of its own beside the final one, sets its rights, and renames it over
 * the final one: so the socket appears complete, and a stale one is replaced in one step.
 * Refused: a directory that others may write to, and anything at either place that is not a socket
 * of ours. A socket with a listener is left alone.
 */

import { chmodSync, lstatSync, mkdirSync, renameSync, type Stats, unlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import { basename, dirname, join, resolve } from 'node:path';
import { errnoOf, messageOf, OperatorError } from '../../base/errors.ts';
import { isRecord } from '../../base/keys.ts';
import type { Credentials } from '../backend.ts';

/** The credentials of the peer at the other end of a connected Unix socket. */
export type PeerCredentials = (fd: number) => Credentials;

/** Group or others may write. */
const WRITABLE_BY_OTHERS = 0o022;
/** A directory that is meant to be written by all, such as /tmp. */
const STICKY = 0o1000;
/** Of a socket's address on Linux; Node cuts a longer path short without an error. */
const PATH_BYTES_MAX = 107;

/** The place of one control socket. */
export class SocketPlace {
  readonly path: string;
  /** Where the server binds first. */
  readonly temporaryPath: string;
  #placed: Stats | undefined;

  constructor(path: string) {
    this.path = path;
    this.temporaryPath = join(dirname(path), `.${basename(path)}.${process.pid}`);
  }

  /**
   * Makes sure that the place may be taken. Refusals: ENAMETOOLONG, EPERM (directory), EEXIST
   * (something else is there), EBUSY (a daemon listens there).
   */
  async prepare(peerCredentials: PeerCredentials): Promise<void> {
    const excess = Buffer.byteLength(this.temporaryPath) - PATH_BYTES_MAX;
    if (excess > 0) throw refusal('ENAMETOOLONG', `${this.path} is too long by ${excess} bytes`);
    prepareDirectory(this.path);
    if (isOwnSocket(this.path)) {
      const pid = await listenerOf(this.path, peerCredentials);
      if (pid !== undefined) {
        const holder = pid > 0 ? `process ${pid}` : 'a daemon';
        throw refusal('EBUSY', `${holder} listens on ${this.path} already`, 'stop it first');
      }
    }
    // What a killed predecessor that had our process id left.
    if (isOwnSocket(this.temporaryPath)) unlinkSync(this.temporaryPath);
  }

  /** Moves the bound socket to its final name, with its final rights. */
  place(): void {
    chmodSync(this.temporaryPath, 0o666);
    renameSync(this.temporaryPath, this.path);
    this.#placed = lstatSync(this.path);
  }

  /** Removes the socket if it is still the one that was placed. */
  remove(): void {
    const found = statOf(this.path);
    const placed = this.#placed;
    this.#placed = undefined;
    if (found === undefined || placed === undefined) return;
    if (found.ino === placed.ino && found.dev === placed.dev) unlinkSync(this.path);
  }
}

function refusal(
  code: 'ENAMETOOLONG' | 'EPERM' | 'EEXIST' | 'EBUSY',
  sentence: string,
  hint?: string,
): OperatorError {
  return new OperatorError(code, `cannot open the control socket: ${sentence}`, hint);
}

/** Whether there is a socket of ours at `path`. Refuses with EEXIST if something else is there. */
function isOwnSocket(path: string): boolean {
  const found = statOf(path);
  if (found === undefined) return false;
  if (!found.isSocket()) throw refusal('EEXIST', `${path} exists and is not a socket`);
  if (found.uid !== process.geteuid?.()) {
    throw refusal('EEXIST', `${path} belongs to user ${found.uid}`);
  }
  return true;
}

/** Makes sure of the directory of a control socket. EPERM: it is not one to trust. */
export function prepareDirectory(socketPath: string): void {
  const directory = dirname(socketPath);
  makeDirectory(resolve(directory));
  const found = lstatSync(directory);
  if (!found.isDirectory()) throw refusal('EPERM', `${directory} is not a directory`);
  if (found.uid !== process.geteuid?.() && found.uid !== 0) {
    throw refusal('EPERM', `${directory} belongs to user ${found.uid}`);
  }
  if ((found.mode & WRITABLE_BY_OTHERS) !== 0) {
    const isShared = (found.mode & STICKY) !== 0;
    const hint = isShared ? 'choose a directory of its own' : `chmod go-w ${directory}`;
    throw refusal('EPERM', `${directory} may be written by others`, hint);
  }
}

/** What is made may be entered by all users, whatever our umask is. */
function makeDirectory(directory: string): void {
  let first: string | undefined;
  try {
    first = mkdirSync(directory, { recursive: true });
  } catch (error) {
    throw refusal('EPERM', `${directory} cannot be made: ${messageOf(error)}`);
  }
  if (first === undefined) return;
  for (let made = directory; made.length >= first.length; made = dirname(made)) {
    chmodSync(made, 0o755);
  }
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** The process that listens on the socket, 0 if it cannot be named, undefined without one. */
function listenerOf(path: string, peerCredentials: PeerCredentials): Promise<number | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once('error', (error: NodeJS.ErrnoException) => {
      // ECONNREFUSED: bound once, no listener. Any other error (a full backlog) shows a listener.
      resolve(error.code === 'ECONNREFUSED' || error.code === 'ENOENT' ? undefined : 0);
    });
    socket.once('connect', () => {
      const credentials = credentialsOf(socket, peerCredentials);
      socket.destroy();
      resolve(credentials?.pid ?? 0);
    });
  });
}

/** The credentials of a connected socket's peer; undefined if they cannot be had. */
export function credentialsOf(
  socket: Socket,
  peerCredentials: PeerCredentials,
): Credentials | undefined {
  // Node has no public way to a socket's descriptor; this property has been there since its
  // beginnings.
  const handle: unknown = Reflect.get(socket, '_handle');
  const fd = isRecord(handle) ? handle.fd : undefined;
  if (typeof fd !== 'number' || fd < 0) return undefined;
  try {
    return peerCredentials(fd);
  } catch {
    return undefined;
  }
}

/**
 * The number of a system group, undefined if there is none of that name. EIO: it cannot be found
 * out. `file` is for tests.
 */
export async function systemGroupId(
  name: string,
  file = '/etc/group',
): Promise<number | undefined> {
  const lines = (await textOf(file)).split('\n');
  const fields = lines.map((line) => line.split(':')).find((entry) => entry[0] === name);
  const gid = fields?.[2] ?? '';
  return /^\d{1,10}$/.test(gid) ? Number(gid) : undefined;
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT') return '';
    throw new OperatorError('EIO', `${file} cannot be read: ${code ?? String(error)}`);
  }
}
