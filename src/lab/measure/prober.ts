/**
 * Program: a steady stream of ICMP echo requests through the host's kernel, and what became of it.
 *
 *     prober.js TARGET REQUESTS_PER_SECOND
 *
 * It is the second opinion: raw sockets of a package, none of our stack's code. Its parent controls
 * it by messages: `ready`; `mark` (label) -> `marked`; `peek` -> `counts`; `stop` -> `summary`.
 *
 * Pace: Node's timers are a millisecond wide, as wide as the interval. So the loop sleeps in slices
 * of a quarter of it and looks at its socket between them; the price is that an answer is read so
 * much later (0.25 ms at a thousand requests a second).
 * The package sends and receives one packet a turn of the loop: a turn that had something to do is
 * followed by the next one at once, else a backlog would pass for loss.
 */

import { isIPv6 } from 'node:net';
import { setPriority } from 'node:os';
import { errnoOf } from '../../base/errors.ts';
import { onParentMessage, sendToParent } from './child.ts';
import { EchoRecord, STRAGGLERS_MS } from './echo-record.ts';
import { loadRawSocket } from './echo-socket.ts';

/** From RFC 792 and RFC 4443: the types of a request and of its reply. */
const ECHO_TYPES = { 4: [8, 0], 6: [128, 129] } as const;
const ICMP_HEADER_LENGTH = 8;

/** Ours: magic and a 32-bit number follow the header, since the one inside it has 16 bits. */
const MAGIC = 0x69706d70;
const REQUEST_LENGTH = ICMP_HEADER_LENGTH + 8;

/**
 * Ours: a kernel reserves some 800 bytes for a packet, and the socket receives the echo requests
 * that others send to us too. What lies there while we get no processor is not lost. The kernel may
 * give less (net.core.rmem_max).
 */
const RECEIVE_BUFFER_BYTES = 4 << 20;

/** Ours: after a stall of the machine, at most so many requests are made up for at once. */
const MAX_BURST = 20;

const [target = '', perSecond = '1000'] = process.argv.slice(2);
const intervalMs = 1000 / Number(perSecond);
const sliceMs = Math.min(2.5, intervalMs / 4);
const identifier = process.pid & 0xffff;
const sleepWord = new Int32Array(new SharedArrayBuffer(4));
const raw = await loadRawSocket().catch((error: Error) => {
  sendToParent({ kind: 'error', text: error.message });
  process.exit(1);
});
const family = isIPv6(target) ? 6 : 4;
const [TYPE_ECHO, TYPE_ECHO_REPLY] = ECHO_TYPES[family];
const socket = raw.createSocket({
  protocol: family === 4 ? raw.Protocol.ICMP : raw.Protocol.ICMPv6,
  addressFamily: family === 4 ? raw.AddressFamily.IPv4 : raw.AddressFamily.IPv6,
});
socket.setOption(raw.SocketLevel.SOL_SOCKET, raw.SocketOption.SO_RCVBUF, RECEIVE_BUFFER_BYTES);
const record = new EchoRecord(performance.now());
let nextAtMs = performance.now();
let unsent = 0;
let isBusy = false;
let stopAtMs = Number.POSITIVE_INFINITY;

function request(sequence: number): Buffer {
  const packet = Buffer.alloc(REQUEST_LENGTH);
  packet.writeUInt8(TYPE_ECHO, 0);
  packet.writeUInt16BE(identifier, 4);
  packet.writeUInt16BE(sequence & 0xffff, 6);
  packet.writeUInt32BE(MAGIC, ICMP_HEADER_LENGTH);
  packet.writeUInt32BE(sequence, ICMP_HEADER_LENGTH + 4);
  // The kernel writes that of ICMPv6, which covers its header of IP.
  if (family === 4) raw.writeChecksum(packet, 2, raw.createChecksum(packet));
  return packet;
}

function sendDue(nowMs: number): void {
  for (let sent = 0; nextAtMs <= nowMs && sent < MAX_BURST; sent += 1) {
    const packet = request(record.nextSequence);
    record.addSent(nowMs);
    unsent += 1;
    socket.send(packet, 0, packet.length, target, (error) => {
      unsent -= 1;
      if (error !== null) record.addRefused();
    });
    nextAtMs += intervalMs;
  }
  if (nextAtMs <= nowMs) nextAtMs = nowMs + intervalMs;
}

socket.on('message', (packet) => {
  isBusy = true;
  // A raw socket of IPv6 gives no header of IP (RFC 3542 3).
  const start = family === 4 ? (packet.readUInt8(0) & 0x0f) * 4 : 0;
  if (packet.length < start + REQUEST_LENGTH) return;
  if (packet.readUInt8(start) !== TYPE_ECHO_REPLY) return;
  if (packet.readUInt16BE(start + 4) !== identifier) return;
  if (packet.readUInt32BE(start + ICMP_HEADER_LENGTH) !== MAGIC) return;
  record.addAnswer(packet.readUInt32BE(start + ICMP_HEADER_LENGTH + 4), performance.now());
});

socket.on('error', (error) => {
  sendToParent({ kind: 'error', text: error.message });
  process.exit(1);
});

onParentMessage((message) => {
  const nowMs = performance.now();
  if (message.kind === 'mark') {
    record.mark(String(message.label), nowMs);
    sendToParent({ kind: 'marked' });
  }
  if (message.kind === 'peek') {
    sendToParent({ kind: 'counts', summary: record.summary(nowMs) });
  }
  if (message.kind === 'stop') stopAtMs = nowMs;
});

function turn(): void {
  const nowMs = performance.now();
  if (nowMs < stopAtMs) sendDue(nowMs);
  if (nowMs > stopAtMs + STRAGGLERS_MS) {
    socket.close();
    sendToParent({ kind: 'summary', summary: record.summary(stopAtMs) });
    return;
  }
  if (!isBusy && unsent === 0) Atomics.wait(sleepWord, 0, 0, sliceMs);
  isBusy = false;
  setImmediate(turn);
}

function raisePriority(): void {
  try {
    setPriority(-15);
  } catch (error) {
    // In a user namespace we may not; the figures are then as good as the machine is idle.
    if (errnoOf(error) !== 'ERR_SYSTEM_ERROR') throw error;
  }
}

raisePriority();
sendToParent({ kind: 'ready' });
turn();
