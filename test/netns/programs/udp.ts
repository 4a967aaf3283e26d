/**
 * Program: UDP as an application on the host would use it.
 *
 *     udp.js listen PORT [MULTICAST_GROUP LOCAL_ADDRESS]   prints each message as a line
 *     udp.js send ADDRESS PORT TEXT [SOURCE_PORT...]       one message from each source port
 *
 * `send` to a multicast or broadcast address leaves by the route that the kernel has for it.
 */

import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const [verb, ...words] = process.argv.slice(2);

async function listen(port: number, group?: string, local?: string): Promise<void> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  socket.on('message', (message, { address }) => {
    process.stdout.write(`${message.toString()} from ${address}\n`);
  });
  socket.bind(port);
  await once(socket, 'listening');
  if (group !== undefined) socket.addMembership(group, local);
  process.stdout.write('listening\n');
}

async function send(address: string, port: number, text: string, from: number[]): Promise<void> {
  for (const source of from.length > 0 ? from : [0]) {
    const socket = createSocket('udp4');
    socket.bind(source);
    await once(socket, 'listening');
    socket.setBroadcast(true);
    await new Promise<void>((resolve, reject) => {
      socket.send(text, port, address, (error) => (error === null ? resolve() : reject(error)));
    });
    socket.close();
  }
}

if (verb === 'listen') await listen(Number(words[0]), words[1], words[2]);
else await send(words[0] ?? '', Number(words[1]), words[2] ?? '', words.slice(3).map(Number));
