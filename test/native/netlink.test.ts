/** Netlink sockets: requests and their answers; notifications, overrun, and the end. */

import { deepStrictEqual, strictEqual, throws } from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { failedWith, native } from '../../src/native/addon.ts';
import { NetlinkSocket } from '../../src/native/notifications.ts';
import { addonWorker, namespaceTest, plainTest, run, until } from './namespace.ts';

// From linux/rtnetlink.h and linux/netlink.h.
const NETLINK_ROUTE = 0;
const RTNLGRP_LINK = 1;
const NLMSG_DONE = 3;
const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const NLM_F_REQUEST = 0x1;
const NLM_F_DUMP = 0x300;
const HEADER = 16;
const IFINFO = 16;

/** Types of the messages in a buffer; every one must begin aligned and end inside. */
function messageTypes(messages: Uint8Array): number[] {
  const view = new DataView(messages.buffer, messages.byteOffset, messages.length);
  const types: number[] = [];
  for (let at = 0; at < messages.length; ) {
    const length = view.getUint32(at, true);
    strictEqual(length >= HEADER && at + length <= messages.length, true, `length ${length}`);
    types.push(view.getUint16(at + 4, true));
    at += Math.ceil(length / 4) * 4;
  }
  return types;
}

function request(type: number, flags: number, seq: number, payload: number): Uint8Array {
  const bytes = new Uint8Array(HEADER + payload);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, NLM_F_REQUEST | flags, true);
  view.setUint32(8, seq, true);
  return bytes;
}

function openRecording(groups: readonly number[], receiveBufferBytes = 1 << 20) {
  const types: number[] = [];
  const record = { types, overruns: 0 };
  const socket = new NetlinkSocket({
    protocol: NETLINK_ROUTE,
    groups,
    receiveBufferBytes,
    onMessages: (messages) => types.push(...messageTypes(messages)),
    onOverrun: () => {
      record.overruns++;
    },
  });
  return { socket, record };
}

/** Everything that the kernel answers to one request. */
async function answerTo(message: Uint8Array): Promise<number[]> {
  const { later } = native;
  const fd = await later.requestOpen(NETLINK_ROUTE, 1 << 20);
  const types = messageTypes(await later.requestExchange(fd, message));
  await later.deviceClose(fd);
  return types;
}

plainTest('a dump is answered whole: messages, and NLMSG_DONE at the end', async () => {
  const types = await answerTo(request(RTM_GETLINK, NLM_F_DUMP, 1, IFINFO));
  strictEqual(types[0], RTM_NEWLINK);
  strictEqual(types.indexOf(NLMSG_DONE), types.length - 1);
});

namespaceTest('a dump larger than the socket has room for is whole', async () => {
  const batch = join('/run/netns', 'batch');
  const links = Array.from({ length: 300 }, (_, n) => `link add a${n} type veth peer name b${n}`);
  writeFileSync(batch, links.join('\n'));
  run(`ip -batch ${batch}`);
  const fd = await native.later.requestOpen(NETLINK_ROUTE, 2048);
  const message = request(RTM_GETLINK, NLM_F_DUMP, 1, IFINFO);
  const types = messageTypes(await native.later.requestExchange(fd, message));
  strictEqual(types.filter((type) => type === RTM_NEWLINK).length, 601);
  strictEqual(types.at(-1), NLMSG_DONE);
});

plainTest('strict checking is on: a malformed dump request gives an end alone', async () => {
  deepStrictEqual(await answerTo(request(RTM_GETLINK, NLM_F_DUMP, 1, 1)), [NLMSG_DONE]);
});

plainTest('a group outside the protocol is refused by name', () => {
  throws(
    () => openRecording([4000]),
    (error) => failedWith(error, 'EINVAL') && error.syscall.includes('ADD_MEMBERSHIP'),
  );
});

plainTest('a socket may be closed twice', () => {
  const { socket } = openRecording([]);
  socket.close();
  socket.close();
});

for (const end of ['is terminated', 'exits'] as const) {
  plainTest(`an open socket does not hold up a worker that ${end}`, async () => {
    const { worker, exit } = addonWorker(
      `native.netlinkOpen(0, Int32Array.of(1), 65536, () => {});
      post('open');
      if (data.end === 'exits') process.exit(3);`,
      { end },
    );
    await once(worker, 'message');
    if (end === 'is terminated') await worker.terminate();
    strictEqual(await exit, { 'is terminated': 1, exits: 3 }[end]);
  });
}

namespaceTest('a changed link is notified to the group that was joined', async () => {
  const { socket, record } = openRecording([RTNLGRP_LINK]);
  run('ip link add a0 type veth peer name b0');
  const count = () => record.types.filter((type) => type === RTM_NEWLINK).length;
  await until('RTM_NEWLINK', () => count() > 1);
  socket.close();
});

namespaceTest('an overrun is an event, and the socket goes on', async () => {
  const { socket, record } = openRecording([RTNLGRP_LINK], 2048);
  run('ip link add a0 type veth peer name b0');
  const batch = join('/run/netns', 'batch');
  writeFileSync(batch, 'link set a0 up\nlink set a0 down\n'.repeat(60));
  run(`ip -batch ${batch}`);
  await until('an overrun', () => record.overruns > 0);
  await until('what was kept', () => record.types.length > 0);
  const before = record.types.length;
  run('ip link set a0 mtu 1400');
  await until('a notification after it', () => record.types.length > before);
  strictEqual(record.overruns < 5, true, `${record.overruns} overruns`);
  socket.close();
});

plainTest('the peer of a Unix socket is the process that connected it', async () => {
  const path = join('/tmp', `ipmpd-peer-${process.pid}.sock`);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const connected = new Promise<{ fd: number }>((resolve) => {
    server.on('connection', (socket) => {
      resolve((socket as unknown as { _handle: { fd: number } })._handle);
    });
  });
  const client = createConnection(path);
  const peer = native.peerCredentials((await connected).fd);
  deepStrictEqual(peer, {
    pid: process.pid,
    uid: process.getuid?.(),
    gid: process.getgid?.(),
    groups: supplementaryGroups(),
  });
  client.destroy();
  server.close();
  throws(() => native.peerCredentials(-1), { code: 'EBADF' });
});

function supplementaryGroups(): number[] {
  const line = /^Groups:(.*)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '';
  return line.trim().split(/\s+/).filter(Boolean).map(Number);
}
