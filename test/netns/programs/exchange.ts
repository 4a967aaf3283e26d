/**
 * Program: one end of exchanges that are checked byte by byte.
 *
 *     exchange.js PORT ADDRESS...    answers on TCP and UDP port PORT of each address
 *
 * Over TCP it answers with the SHA-256 of what came before the end; over UDP with the datagram
 * itself. Message: `exchange` (addresses, bytes, sizes) -> `exchanged` (wrong: sentences, none if
 * all is right): TCP to all addresses at once, then to each datagrams of each size one by one, then
 * several of each size at once.
 */

import { createHash, randomBytes } from 'node:crypto';
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, isIPv6 } from 'node:net';
import { onParentMessage, sendToParent } from '../../../src/lab/measure/child.ts';

/** Ours: no packet takes so long, also on a busy machine. */
const ANSWER_MS = 4000;
const BLOCK_LENGTH = 65_536;
/** Datagrams at once, and bytes: more would overflow the receiver's socket, not the datapath. */
const AT_ONCE = 8;
const BYTES_AT_ONCE = 40_000;

/** The request for an `exchange`. */
interface ExchangeRequest {
  readonly addresses: readonly string[];
  readonly bytes: number;
  readonly sizes: readonly number[];
}

const [port, ...own] = process.argv.slice(2);
const PORT = Number(port);

/** No two blocks are equal, so that a swapped or doubled one is detected. */
const block = randomBytes(BLOCK_LENGTH);

async function serve(address: string): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const hash = createHash('sha256');
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => hash.update(chunk));
    socket.on('end', () => socket.end(hash.digest('hex')));
  });
  server.listen(PORT, address);
  await once(server, 'listening');
  const echo = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  echo.on('message', (message, { port, address: to }) => echo.send(message, port, to));
  echo.bind(PORT, address);
  await once(echo, 'listening');
}

/** Sends `bytes` over TCP; a sentence if they came otherwise. */
async function tcp(address: string, bytes: number): Promise<string | undefined> {
  const hash = createHash('sha256');
  const socket = connect({ host: address, port: PORT });
  socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error('nothing more came')));
  let answer = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    answer += text;
  });
  const closed = once(socket, 'close');
  closed.catch(() => undefined);
  try {
    await once(socket, 'connect');
    for (let sent = 0; sent < bytes; sent += BLOCK_LENGTH) {
      const next = Buffer.from(block);
      next.writeUInt32BE(sent);
      hash.update(next);
      if (!socket.write(next)) await once(socket, 'drain');
    }
    socket.end();
    await closed;
  } catch (error) {
    socket.destroy();
    return `TCP to ${address}: ${(error as Error).message}`;
  }
  const wanted = hash.digest('hex');
  return answer === wanted ? undefined : `TCP to ${address}: digest ${answer}, not ${wanted}`;
}

/** Sends datagrams of `sizes` at once; a sentence if they do not come back in order. */
async function udp(
  socket: DatagramSocket,
  address: string,
  sizes: readonly number[],
): Promise<string | undefined> {
  const sent = sizes.map((size, index) => {
    const datagram = block.subarray(index, index + size);
    socket.send(datagram, PORT, address);
    return datagram;
  });
  for (const [index, datagram] of sent.entries()) {
    const what = `UDP to ${address}, ${index + 1} of ${sizes.length}, ${sizes[index]} bytes`;
    try {
      const answer = once(socket, 'message', { signal: AbortSignal.timeout(ANSWER_MS) });
      const [message] = (await answer) as [Buffer];
      if (!message.equals(datagram)) return `${what}: ${message.length} other bytes came back`;
    } catch {
      return `${what}: nothing came back`;
    }
  }
  return undefined;
}

/** Datagrams to one address, until one of them goes wrong. */
async function datagrams(address: string, sizes: readonly number[]): Promise<string | undefined> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  socket.bind();
  await once(socket, 'listening');
  const bursts = sizes.map((size) => {
    const count = Math.min(AT_ONCE, Math.floor(BYTES_AT_ONCE / size));
    return new Array<number>(count).fill(size);
  });
  let wrong: string | undefined;
  for (const burst of [...sizes.map((size) => [size]), ...bursts]) {
    wrong ??= await udp(socket, address, burst);
  }
  socket.close();
  return wrong;
}

async function exchange({ addresses, bytes, sizes }: ExchangeRequest): Promise<string[]> {
  const streams = await Promise.all(addresses.map((address) => tcp(address, bytes)));
  const others = await Promise.all(addresses.map((address) => datagrams(address, sizes)));
  return [...streams, ...others].filter((sentence) => sentence !== undefined);
}

for (const address of own) await serve(address);
onParentMessage((message) => {
  if (message.kind !== 'exchange') return;
  void exchange(message as unknown as ExchangeRequest).then((wrong) => {
    sendToParent({ kind: 'exchanged', wrong });
  });
});
sendToParent({ kind: 'ready' });
