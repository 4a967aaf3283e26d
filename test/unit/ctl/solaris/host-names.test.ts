/** Host names from a name server on loopback: right, strange, slow or absent. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { hostNames } from '../../../../src/ctl/solaris/host-names.ts';

/** A name server that has `answers`, and does not reply to other queries. */
class NameServer {
  readonly #socket: Socket = createSocket('udp4');
  asked = 0;

  constructor(answers: Readonly<Record<string, string>>) {
    this.#socket.on('message', (query, { port, address }) => {
      this.asked++;
      const name = answers[questionOf(query)];
      if (name !== undefined) this.#socket.send(pointerReply(query, name), port, address);
    });
  }

  static async start(answers: Readonly<Record<string, string>>): Promise<NameServer> {
    const server = new NameServer(answers);
    server.#socket.bind(0, '127.0.0.1');
    await once(server.#socket, 'listening');
    return server;
  }

  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** The name that a query asks for (RFC 1035 4.1.2). */
function questionOf(query: Buffer): string {
  const labels: string[] = [];
  for (let at = 12; ; ) {
    const length = query[at] ?? 0;
    if (length === 0) return labels.join('.');
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
}

/** The query as a reply that holds one PTR record (RFC 1035 4.1.1, 4.1.3). */
function pointerReply(query: Buffer, name: string): Buffer {
  const end = 12 + Buffer.byteLength(questionOf(query)) + 2 + 4;
  const head = Buffer.from(query.subarray(0, end));
  head.writeUInt16BE(0x8580, 2);
  head.writeUInt16BE(1, 6);
  head.writeUInt32BE(0, 8);
  const labels = name.split('.').map((label) => {
    const bytes = Buffer.from(label, 'latin1');
    return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  });
  const data = Buffer.concat([...labels, Buffer.from([0])]);
  const record = Buffer.from([0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 60, 0, data.length]);
  return Buffer.concat([head, record, data]);
}

test('IPv4 and IPv6 addresses have names; what does not look like a name is none', async () => {
  const nibbles = '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa';
  using server = await NameServer.start({
    '20.100.51.198.in-addr.arpa': 'web.example.net',
    '21.100.51.198.in-addr.arpa': 'two words.example.net',
    '22.100.51.198.in-addr.arpa': '\x1b[2J.example.net',
    [nibbles]: 'six.example.net',
  });
  const addresses = ['198.51.100.20', '198.51.100.21', '198.51.100.22', '2001:db8::1'];
  const names = await hostNames(addresses, { servers: [server.address] });
  deepEqual([...names].sort(), [
    ['198.51.100.20', 'web.example.net'],
    ['2001:db8::1', 'six.example.net'],
  ]);
});

test('silent servers cost the limit once, for any number of servers and addresses', async () => {
  using first = await NameServer.start({ '1.113.0.203.in-addr.arpa': 'one.example.net' });
  using second = await NameServer.start({});
  using third = await NameServer.start({});
  const addresses = Array.from({ length: 200 }, (_, at) => `203.0.113.${at + 1}`);
  const servers = [first.address, second.address, third.address];
  const names = await hostNames(addresses, { servers, limitMs: 300 });
  deepEqual([...names], [['203.0.113.1', 'one.example.net']]);
  ok(first.asked >= 32, 'several are asked at one time');
  // The next server is asked after the limit of the one before; by then the look-up has ended.
  equal(third.asked, 0);
});

test('no server: no name, at once', async () => {
  const server = await NameServer.start({});
  const { address } = server;
  server[Symbol.dispose]();
  deepEqual([...(await hostNames(['203.0.113.1'], { servers: [address] }))], []);
});

test('without addresses no query is sent', async () => {
  using server = await NameServer.start({});
  deepEqual([...(await hostNames([], { servers: [server.address] }))], []);
  deepEqual(server.asked, 0);
});
