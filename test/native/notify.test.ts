/** Datagrams to a Unix socket; the receiver is Python, since Node has no such sockets. */

import { deepEqual, throws } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { native } from '../../src/native/addon.ts';
import { testFolder } from '../tools/folder.ts';

/** Binds sys.argv[1], prints that, and repeats one datagram. */
const RECEIVER = `
import socket, sys
name = sys.argv[1]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind('\\0' + name[1:] if name[0] == '@' else name)
print('bound', flush=True)
print(repr(receiver.recv(8192)), flush=True)
`;

async function receive(path: string, text: string): Promise<string[]> {
  const child = spawn('python3', ['-c', RECEIVER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
    if (chunk.startsWith('bound')) native.datagramSend(path, text);
  });
  await once(child, 'close');
  return output.trim().split('\n');
}

test('a datagram arrives whole at a path or a name of the abstract namespace', async (t) => {
  const folder = testFolder(t);
  for (const path of [join(folder, 'socket'), `@ipmpd-notify-${process.pid}`]) {
    deepEqual(await receive(path, 'READY=1\nSTATUS=well'), ['bound', "b'READY=1\\nSTATUS=well'"]);
  }
  throws(() => native.datagramSend(join(folder, 'absent'), 'READY=1'), { code: 'ENOENT' });
  throws(() => native.datagramSend(`/${'x'.repeat(200)}`, 'READY=1'), /path/);
});
