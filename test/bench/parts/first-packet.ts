/**
 * Program: sends a datagram every millisecond to the same program at the other end, and
 * prints when the first of the other's came.
 *
 *     first-packet.js ADDRESS
 *
 * Its parent gets messages: `ready`; `first`, with the time in milliseconds of the
 * monotonic clock, which all processes of a machine share.
 */

import { createSocket } from 'node:dgram';
import { onParentMessage, sendToParent } from '../../../src/lab/measure/child.ts';

const PORT = 7778;
const INTERVAL_MS = 1;

const [address = ''] = process.argv.slice(2);
const socket = createSocket('udp4');

socket.once('message', () => {
  sendToParent({ kind: 'first', atMs: Number(process.hrtime.bigint()) / 1e6 });
});
socket.on('error', (error) => {
  sendToParent({ kind: 'error', text: error.message });
  process.exit(1);
});
onParentMessage(() => undefined);
socket.bind(PORT, () => {
  sendToParent({ kind: 'ready' });
  // There is no route before there is a group: then a datagram is refused, and the next one tried.
  setInterval(() => socket.send('first', PORT, address, () => undefined), INTERVAL_MS);
});
