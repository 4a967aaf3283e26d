/**
 * The journal of changes: what was before, written down before it is changed, so that an orderly
 * stop puts it back, and after a crash the next start does.
 *
 * One JSON line per step; the first names the owner. A line is in the page cache once written,
 * which outlives the process; a crash of the machine takes the changes with it, so nothing is
 * synced. A line that was cut short is the last one, and its change was not made yet.
 *
 *   {"owner":{"pid":7,"pids":"pid:[4026531836]","namespace":"net:[4026531840]"}}
 *   {"id":1,"holder":"silence:eth0","change":{…}}
 *   {"done":1}
 *
 * A line that could not be written in full (no space is left) is no part of the journal: before the
 * next one the file is written anew.
 *
 * A second daemon with the same journal is refused by a lock of the kernel on a file beside it,
 * which ends with the process however it ended, and holds in every namespace: processes of a
 * container may not be seen from the host. The owner line only names the first. The file of the
 * lock stays; if it went, two could hold the locks of two files of that name.
 *
 * What is remembered changes at once, and the file follows in the same order: a step that has been
 * awaited is written.
 */

import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readlink, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isErrorCode, OperatorError } from '../../base/errors.ts';
import { native } from '../../native/addon.ts';
import { Serial } from '../../process/serial.ts';
import type { RouteSettings } from '../kernel/records.ts';

/** A change that can be undone. `ifindex` 0: not known yet. */
export type Change =
  | { kind: 'sysctl'; device: string; ifindex: number; path: string; before: string }
  | { kind: 'link'; device: string; ifindex: number; before: Record<string, number | boolean> }
  | { kind: 'macvtap'; device: string; ifindex: number; lower: number }
  /** A TAP that existed before: its IFF_* of linux/if_tun.h, which every opener replaces. */
  | { kind: 'tap'; device: string; ifindex: number; flags: number }
  | { kind: 'address'; device: string; ifindex: number; prefix: string }
  | { kind: 'route'; device: string; ifindex: number; route: RouteSettings };

/** A change with its number and the one on whose behalf it was made ('interface:net0'). */
export interface Entry {
  readonly id: number;
  readonly holder: string;
  readonly change: Change;
}

interface Owner {
  readonly pid: number;
  /** The namespace of that number. */
  readonly pids: string;
  /** The network namespace. */
  readonly namespace: string;
}

interface Line {
  readonly owner?: Owner;
  readonly id?: number;
  readonly holder?: string;
  readonly change?: Change;
  readonly done?: number;
}

/** Ours: so many lines of the past are rewritten rather than kept. */
const COMPACT_AT_LINES = 1024;

/** Ours: a compacted journal of the largest host is a fiftieth of it. */
const JOURNAL_BYTES_MAX = 64 << 20;

const LOCK_FILE = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;

const WRITE_ANEW =
  constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;

/** The journal of one daemon. */
export class Journal {
  readonly #path: string;
  readonly #owner: Owner;
  readonly #entries = new Map<number, Entry>();
  /** The same by holder, and how many entries of a holder are equal. */
  readonly #byHolder = new Map<string, Map<number, Entry>>();
  readonly #texts = new Map<string, number>();
  /** Changes in another network namespace that were given up. */
  discarded = 0;
  /** The first number that is not a predecessor's. */
  #firstOwnId = 1;
  /** The file, and the file of the lock, while the journal is open. */
  #file: FileHandle | undefined;
  #lock: FileHandle | undefined;
  readonly #writes = new Serial();
  /** The last line was not written, or in part. */
  #isTorn = false;
  #lines = 0;
  #nextId = 1;

  private constructor(path: string, owner: Owner) {
    this.#path = path;
    this.#owner = owner;
  }

  /**
   * Takes the journal over, with what a dead owner left in it. EBUSY: its owner is alive. What it
   * left in another network namespace cannot be undone from here, and is only counted.
   */
  static async open(path: string): Promise<Journal> {
    const journal = new Journal(path, await thisProcess());
    const lock = await openLock(path);
    journal.#lock = lock;
    try {
      await journal.#begin(native.fileLock(lock.fd));
    } catch (error) {
      await lock.close();
      throw error;
    }
    return journal;
  }

  async #begin(isLocked: boolean): Promise<void> {
    if (!isLocked) throw await heldBy(this.#path, this.#owner);
    const lines = await readLines(this.#path);
    const before = lines[0]?.owner;
    this.#load(lines);
    if (before !== undefined && before.namespace !== this.#owner.namespace) {
      this.discarded = this.#entries.size;
      for (const id of [...this.#entries.keys()]) this.#take(id);
    }
    await this.#rewrite();
  }

  /** Writes `change` down; await it before the change is made. After an error it must not be. */
  async record(holder: string, change: Change): Promise<number> {
    const entry = { id: this.#nextId++, holder, change };
    this.#put(entry);
    try {
      await this.#append(entry);
    } catch (error) {
      this.#take(entry.id);
      throw error;
    }
    return entry.id;
  }

  /** Completes an entry with what was not known before the change. */
  async amend(id: number, change: Change): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    const amended = { ...entry, change };
    this.#take(id);
    this.#put(amended);
    await this.#append(amended);
  }

  /**
   * The change is undone, or there is nothing left to undo. Where that cannot be written, the next
   * line brings it about; at worst a change is undone twice.
   */
  async forget(id: number): Promise<void> {
    if (!this.#take(id)) return;
    try {
      await this.#append({ done: id });
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
    }
  }

  /** What is not undone yet, newest first: of one holder, or all. */
  entries(holder?: string): Entry[] {
    const wanted = holder === undefined ? this.#entries : this.#byHolder.get(holder);
    return wanted === undefined ? [] : [...wanted.values()].sort((one, other) => other.id - one.id);
  }

  /** Whether there is (still) an entry of that number. */
  knows(id: number): boolean {
    return this.#entries.has(id);
  }

  /** Whether a predecessor wrote it down. */
  isInherited(id: number): boolean {
    return id < this.#firstOwnId;
  }

  /** Whether `holder` has an entry of this very change: there may be thousands of others. */
  has(holder: string, change: Change): boolean {
    return this.#texts.has(textOf({ holder, change }));
  }

  /** Closes the journal; the file goes if nothing is left to undo. */
  async close(): Promise<void> {
    await this.#writes.run(async () => {
      const [file, lock] = [this.#file, this.#lock];
      if (file === undefined) return;
      this.#file = undefined;
      await file.close();
      // It may have been removed meanwhile.
      if (this.#entries.size === 0) await rm(this.#path, { force: true });
      await lock?.close();
    });
  }

  #load(lines: readonly Line[]): void {
    for (const line of lines) {
      if (line.done !== undefined) this.#take(line.done);
      if (line.id === undefined || line.holder === undefined || line.change === undefined) continue;
      this.#take(line.id);
      this.#put({ id: line.id, holder: line.holder, change: line.change });
      this.#nextId = Math.max(this.#nextId, line.id + 1);
    }
    this.#firstOwnId = this.#nextId;
  }

  #put(entry: Entry): void {
    const { id, holder } = entry;
    this.#entries.set(id, entry);
    const own = this.#byHolder.get(holder) ?? new Map<number, Entry>();
    this.#byHolder.set(holder, own.set(id, entry));
    const text = textOf(entry);
    this.#texts.set(text, (this.#texts.get(text) ?? 0) + 1);
  }

  /** Answers whether it was there. */
  #take(id: number): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    this.#entries.delete(id);
    const own = this.#byHolder.get(entry.holder);
    own?.delete(id);
    if (own?.size === 0) this.#byHolder.delete(entry.holder);
    const text = textOf(entry);
    const left = (this.#texts.get(text) ?? 1) - 1;
    if (left > 0) this.#texts.set(text, left);
    else this.#texts.delete(text);
    return true;
  }

  /** Writes a line behind those that were asked for before it. */
  #append(line: Line): Promise<void> {
    return this.#writes.run(async () => {
      const isLong = this.#lines > COMPACT_AT_LINES && this.#lines > 2 * this.#entries.size;
      // What is written anew is what is remembered: the line is in it, or has no meaning any more.
      if (this.#isTorn || isLong) return await this.#rewrite();
      try {
        await writeWhole(this.#file, `${JSON.stringify(line)}\n`);
      } catch (error) {
        this.#isTorn = true;
        throw notWritten(this.#path, error);
      }
      this.#lines++;
    });
  }

  /** Writes the journal anew beside the old one, and puts it in its place in one step. */
  async #rewrite(): Promise<void> {
    const path = `${this.#path}.new`;
    const lines: Line[] = [{ owner: this.#owner }, ...this.entries().reverse()];
    let file: FileHandle | undefined;
    try {
      file = await open(path, WRITE_ANEW, 0o600);
      await writeWhole(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
      await rename(path, this.#path);
    } catch (error) {
      await file?.close();
      throw notWritten(this.#path, error);
    }
    await this.#file?.close();
    this.#file = file;
    this.#lines = lines.length;
    this.#isTorn = false;
  }
}

/** The file of the lock beside the journal at `path`; it stays when the lock is given back. */
async function openLock(path: string): Promise<FileHandle> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    return await open(`${path}.lock`, LOCK_FILE, 0o600);
  } catch (error) {
    throw notWritten(path, error);
  }
}

/** One write may take less than all of it. */
async function writeWhole(file: FileHandle | undefined, text: string): Promise<void> {
  if (file === undefined) throw new OperatorError('ECANCELED', 'it is closed');
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done)).bytesWritten;
  }
}

function notWritten(path: string, error: unknown): OperatorError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return new OperatorError(
    isErrorCode(code) ? code : 'EIO',
    `the journal ${path} cannot be written: ${String(error)}`,
    'what cannot be written down is not changed: make room in its folder',
  );
}

function textOf({ holder, change }: Pick<Entry, 'holder' | 'change'>): string {
  return `${holder} ${JSON.stringify(change)}`;
}

async function readLines(path: string): Promise<Line[]> {
  const text = await readText(path);
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => parseLine(line, path));
}

/** Nothing if there is no such file; one that is too large is not read. */
async function readText(path: string): Promise<string> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
  try {
    const { size } = await file.stat();
    if (size > JOURNAL_BYTES_MAX) throw notOurs(path, `${size} bytes`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

function parseLine(line: string, path: string): Line {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw notOurs(path, line.slice(0, 60));
}

function notOurs(path: string, what: string): OperatorError {
  return new OperatorError(
    'EINVAL',
    `the journal ${path} is not ours: ${what}`,
    'look what it says was changed, put that back, and remove the file',
  );
}

/** The refusal while another process has the lock; it may not have written its name yet. */
async function heldBy(path: string, own: Owner): Promise<OperatorError> {
  const owner = (await readLines(path))[0]?.owner;
  const isSeen = owner?.pids === own.pids;
  const where = isSeen ? '' : ' of another PID namespace';
  const who = owner === undefined ? 'another process' : `process ${owner.pid}${where}`;
  return new OperatorError(
    'EBUSY',
    `another ipmpd is running here: ${who} holds ${path}`,
    owner !== undefined && isSeen ? `stop it first (kill ${owner.pid})` : 'stop it first',
  );
}

async function thisProcess(): Promise<Owner> {
  return {
    pid: process.pid,
    pids: await readlink('/proc/self/ns/pid'),
    namespace: await readlink('/proc/self/ns/net'),
  };
}
