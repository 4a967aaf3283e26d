/**
 * Program: numbered datagrams from several addresses, and their receiver, which counts them.
 *
 *     datagrams.js receive ADDRESS        `ready` (port); `report` -> `received` (numbers)
 *     datagrams.js send ADDRESS PORT      `from` (sources) -> `sending`; `stop` -> `sent` (times)
 *
 * The sender takes its sources in turn, two datagrams each millisecond; `times` are those of the
 * datagrams by number, in milliseconds since the epoch, `report` and `from` begin anew.
 */

import { createSocket, type Socket } from 'node:dgram';
import { setPriority } from 'node:os';
import { onParentMessage, sendToParent } from '../../../src/lab/measure/child.ts';

const EACH_TURN = 2;
const TURN_MS = 1;
const LENGTH = 64;

const [what = '', address = '', port = '0'] = process.argv.slice(2);

const wallMs = (): number => performance.timeOrigin + performance.now();

function receive(): void {
  let numbers: number[] = [];
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
  socket.on('message', (bytes) => numbers.push(bytes.readUInt32BE(0)));
  onParentMessage(() => {
    sendToParent({ kind: 'received', numbers });
    numbers = [];
  });
  socket.bind(0, address, () => sendToParent({ kind: 'ready', port: socket.address().port }));
}

async function openFrom(sources: readonly string[]): Promise<Socket[]> {
  const opening = sources.map((source) => {
    const socket = createSocket('udp4');
    return new Promise<Socket>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, source, () => {
        socket.off('error', reject);
        // One that the host refuses is counted where its number is missed: by the receiver.
        socket.on('error', () => undefined);
        resolve(socket);
      });
    });
  });
  return await Promise.all(opening);
}

function send(): void {
  let sockets: Socket[] = [];
  let times: number[] = [];
  let isSending = false;
  onParentMessage(async (message) => {
    if (message.kind === 'stop') {
      isSending = false;
      sendToParent({ kind: 'sent', times });
      return;
    }
    for (const socket of sockets) socket.close();
    sockets = await openFrom(message.sources as string[]);
    times = [];
    isSending = true;
    sendToParent({ kind: 'sending' });
  });
  setInterval(() => {
    for (let i = 0; isSending && i < EACH_TURN; i++) {
      const bytes = Buffer.alloc(LENGTH);
      bytes.writeUInt32BE(times.length, 0);
      sockets[times.length % sockets.length]?.send(bytes, Number(port), address);
      times.push(wallMs());
    }
  }, TURN_MS);
  sendToParent({ kind: 'ready' });
}

setPriority(-15);
if (what === 'receive') receive();
else send();
