/** Messages between the measuring programs of the lab and the process that started them. */

import type { ChildProcess } from 'node:child_process';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isRecord } from '../../base/keys.ts';
import type { Workspace } from '../workspace.ts';

/** A message on the channel: what it is, and whatever belongs to it. */
export interface Message {
  readonly kind: string;
  readonly [key: string]: unknown;
}

function isMessage(value: unknown): value is Message {
  return isRecord(value) && typeof value.kind === 'string';
}

/** Ours: an answer of a measuring program takes milliseconds, on a crowded machine seconds. */
const ANSWER_MS = 30_000;

/** In a measuring program: sends to the parent, and ends with it. */
export function sendToParent(message: Message): void {
  process.send?.(message);
}

/** In a measuring program: calls `handle` for each message; the end of the parent is ours too. */
export function onParentMessage(handle: (message: Message) => void): void {
  process.on('message', (message) => isMessage(message) && handle(message));
  process.on('disconnect', () => process.exit(0));
}

interface Waiter {
  readonly kind: string;
  settle(outcome: Message | Error): void;
}

/** The parent's end of a measuring program. */
export class MeasuringChild {
  readonly #process: ChildProcess;
  readonly #workspace: Workspace;
  readonly #title: string;
  readonly #waiters = new Set<Waiter>();
  #unread: Message[] = [];
  #failure: Error | undefined;
  #stderr = '';

  /** Starts the compiled `program` in the namespace of `role`. */
  constructor(workspace: Workspace, role: string, program: URL, args: readonly string[]) {
    this.#workspace = workspace;
    const file = fileURLToPath(program);
    this.#title = `${basename(file, '.js')} in ${role}`;
    this.#process = workspace.start([process.execPath, file, ...args], { role, ipc: true });
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-4000);
    });
    this.#process.on('message', (message) => isMessage(message) && this.#deliver(message));
    this.#process.on('close', (status) => this.#fail(`has ended (${status}): ${this.#stderr}`));
  }

  /** Sends a message and waits for the answer, a message of kind `answer`. */
  async ask(message: Message, answer: string): Promise<Message> {
    const waiting = this.receive(answer);
    if (this.#process.connected) this.#process.send(message);
    return await waiting;
  }

  /**
   * Waits for a message of `kind`. @throws Error when the program ends, or sends none for
   * `withinMs`
   */
  receive(kind: string, withinMs = ANSWER_MS): Promise<Message> {
    const at = this.#unread.findIndex((message) => message.kind === kind);
    const [found] = at < 0 ? [] : this.#unread.splice(at, 1);
    if (found !== undefined) return Promise.resolve(found);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const settle = (outcome: Message | Error): void => {
        clearTimeout(patience);
        this.#waiters.delete(waiter);
        if (outcome instanceof Error) reject(outcome);
        else resolve(outcome);
      };
      const waiter: Waiter = { kind, settle };
      const silence = new Error(`${this.#title} sent no '${kind}' in ${withinMs} ms`);
      const patience = setTimeout(() => settle(silence), withinMs);
      this.#waiters.add(waiter);
    });
  }

  async stop(): Promise<void> {
    await this.#workspace.stop(this.#process);
  }

  #deliver(message: Message): void {
    if (message.kind === 'error') {
      this.#fail(String(message.text));
      return;
    }
    const waiter = [...this.#waiters].find(({ kind }) => kind === message.kind);
    if (waiter === undefined) this.#unread.push(message);
    else waiter.settle(message);
  }

  #fail(text: string): void {
    this.#failure ??= new Error(`${this.#title}: ${text}`);
    for (const waiter of [...this.#waiters]) waiter.settle(this.#failure);
  }
}
