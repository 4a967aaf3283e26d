/**
 * Program: one end of a TCP transfer that is checked by SHA-256 at both ends.
 *
 *     bulk.js receive ADDRESS            listens, hashes what comes
 *     bulk.js send ADDRESS PORT RATE     sends RATE bytes a second until a message ends it
 *
 * Messages: `ready` (port); `offset` -> `at` (bytes so far); `finish` (sender); `done` (bytes,
 * sha256). The content never repeats within 2^32 blocks, so that a lost or doubled part shows.
 */

import { createHash } from 'node:crypto';
import { connect, createServer, type Socket } from 'node:net';
import { onParentMessage, sendToParent } from './child.ts';

const BLOCK_LENGTH = 16_384;
const PACE_MS = 10;
/** Ours: so much may wait in the sender; then it is TCP that decides when more is made. */
const MAX_WAITING = 1 << 20;

const [direction, address = '', port = '0', rate = '0'] = process.argv.slice(2);
const hash = createHash('sha256');
let bytes = 0;

function fail(error: Error): void {
  sendToParent({ kind: 'error', text: `${error.message} after ${bytes} bytes` });
  process.exit(1);
}

function done(): void {
  sendToParent({ kind: 'done', bytes, sha256: hash.digest('hex') });
}

function receive(): void {
  const server = createServer((socket) => {
    server.close();
    socket.on('error', fail);
    socket.on('data', (chunk) => {
      bytes += chunk.length;
      hash.update(chunk);
    });
    socket.on('end', () => {
      socket.end();
      done();
    });
  });
  server.on('error', fail);
  server.listen(0, address, () => {
    const bound = server.address();
    if (bound !== null && typeof bound === 'object') {
      sendToParent({ kind: 'ready', port: bound.port });
    }
  });
  onParentMessage((message) => {
    if (message.kind === 'offset') sendToParent({ kind: 'at', bytes });
  });
}

function send(): void {
  let finishing = false;
  const socket = connect({ host: address, port: Number(port) });
  socket.on('error', fail);
  socket.on('connect', () => {
    sendToParent({ kind: 'ready' });
    const beganMs = performance.now();
    const timer = setInterval(() => {
      const due = ((performance.now() - beganMs) / 1000) * Number(rate);
      while (bytes < due && socket.writableLength < MAX_WAITING) sendBlock(socket);
      if (!finishing) return;
      clearInterval(timer);
      socket.end();
      done();
    }, PACE_MS);
  });
  onParentMessage((message) => {
    if (message.kind === 'finish') finishing = true;
    if (message.kind === 'offset') sendToParent({ kind: 'at', bytes });
  });
}

const pattern = Buffer.alloc(BLOCK_LENGTH, 'the quick brown fox jumps over the lazy dog. ');

function sendBlock(socket: Socket): void {
  const block = Buffer.from(pattern);
  block.writeUInt32BE(bytes / BLOCK_LENGTH, 0);
  hash.update(block);
  bytes += BLOCK_LENGTH;
  socket.write(block);
}

if (direction === 'send') send();
else receive();
