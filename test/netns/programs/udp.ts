/**
 * Program: UDP as an application on the host would use it.
 *
 *     udp.js listen PORT [MULTICAST_GROUP LOCAL]   prints each message as a line; LOCAL is an
 *         address of the interface (IPv4), or `::%` and its name
 *     udp.js send ADDRESS PORT TEXT [SOURCE_PORT...]       one message from each source port
 *
 * `send` to a multicast or broadcast address leaves by the route that the kernel has for it.
 */

import { createSocket, type SocketType } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';

const [verb, ...words] = process.argv.slice(2);

function typeOf(address: string): SocketType {
  return isIPv6(address) ? 'udp6' : 'udp4';
}

async function listen(port: number, group?: string, local?: string): Promise<void> {
  // Without a group it takes what comes for either family.
  const type = typeOf(group ?? '::');
  const socket = createSocket({ type, reuseAddr: true });
  socket.on('message', (message, { address }) => {
    process.stdout.write(`${message.toString()} from ${address.replace('::ffff:', '')}\n`);
  });
  socket.bind(port);
  await once(socket, 'listening');
  if (group !== undefined) socket.addMembership(group, local);
  process.stdout.write('listening\n');
}

async function send(address: string, port: number, text: string, from: number[]): Promise<void> {
  for (const source of from.length > 0 ? from : [0]) {
    const socket = createSocket(typeOf(address));
    socket.bind(source);
    await once(socket, 'listening');
    if (!isIPv6(address)) socket.setBroadcast(true);
    await new Promise<void>((resolve, reject) => {
      socket.send(text, port, address, (error) => (error === null ? resolve() : reject(error)));
    });
    socket.close();
  }
}

if (verb === 'listen') await listen(Number(words[0]), words[1], words[2]);
else await send(words[0] ?? '', Number(words[1]), words[2] ?? '', words.slice(3).map(Number));
