/** A notify socket as a service manager has it; Python listens, since Node has no such sockets. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../../src/lab/until.ts';
import { forEachLine } from './programs.ts';

/** Prints each datagram that comes to the path sys.argv[1] as one line of JSON. */
const LISTENER = `
import json, socket, sys
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
print('[]', flush=True)
while True:
    print(json.dumps(receiver.recv(4096).decode().split('\\n')), flush=True)
`;

/** One socket and every message that was sent to it. */
export class NotifySocket {
  readonly #folder = mkdtempSync(join(tmpdir(), 'ipmpd-notify-'));
  readonly path = join(this.#folder, 'notify');
  /** Each message as its lines, the first to come first. */
  readonly received: string[][] = [];
  readonly #process: ChildProcess;
  #isListening = false;

  constructor() {
    this.#process = spawn('python3', ['-c', LISTENER, this.path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    forEachLine(this.#process.stdout, (line) => {
      if (this.#isListening) this.received.push(JSON.parse(line));
      this.#isListening = true;
    });
  }

  /** Resolves when messages are received. */
  async listen(): Promise<void> {
    await until('the manager listens', 5000, () => this.#isListening);
  }

  /** How many messages had this field. */
  count(field: string): number {
    return this.received.filter((message) => message.includes(field)).length;
  }

  async close(): Promise<void> {
    const closed = once(this.#process, 'close');
    this.#process.kill();
    await closed;
    rmSync(this.#folder, { recursive: true });
  }
}
