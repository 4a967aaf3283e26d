/** What the addon refuses: handles of another kind or addon, texts that it would cut. */

import { strictEqual, throws } from 'node:assert/strict';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { types } from 'node:util';
import addon, { type BurstHandle, type CarrierHandle, type NetlinkHandle } from '#native';
import { native } from '../../src/native/addon.ts';
import { TestBurst } from './frames.ts';

const isRefused = { name: 'TypeError', message: /^handle: handle of/ };

/** An external of Node's own: the stream behind a server's socket. */
async function foreignExternal(): Promise<unknown> {
  const path = join(tmpdir(), `ipmpd-arguments-${process.pid}.sock`);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const { _handle } = server as unknown as { _handle: { _externalStream: unknown } };
  const external = _handle._externalStream;
  server.close();
  strictEqual(types.isExternal(external), true);
  return external;
}

test('a handle of another kind, of another addon, or none, is refused', async () => {
  const carrier = addon.carrierCreate(new Int32Array(4), new Int32Array(0), () => {});
  const netlink = addon.netlinkOpen(0, new Int32Array(0), 65_536, () => {});
  const { handle } = new TestBurst(1);
  const foreign = await foreignExternal();
  for (const wrong of [carrier, netlink, foreign, {}, undefined, 1]) {
    throws(() => addon.readBurst(wrong as BurstHandle, 0, 0, 1), isRefused);
    throws(() => addon.writeBurst(wrong as BurstHandle, 0, 0, 1), isRefused);
  }
  for (const wrong of [handle, netlink, foreign]) {
    throws(() => addon.carrierRemove(wrong as CarrierHandle, 0), isRefused);
  }
  for (const wrong of [handle, carrier, foreign]) {
    throws(() => addon.netlinkReceive(wrong as NetlinkHandle, new Uint8Array(65_536)), isRefused);
  }
  addon.netlinkClose(netlink);
  addon.carrierClose(carrier);
});

test('a text with an octet 0 inside is refused, and not cut there', () => {
  const isCut = { name: 'TypeError', message: /^\w+: string without an octet 0 expected$/ };
  throws(() => native.datagramSend('/run/none\0x', 'READY=1'), isCut);
  throws(() => native.datagramSend('/run/none', 'READY=1\0'), isCut);
  throws(() => native.threadRaise('name\0x'), isCut);
  throws(() => native.deviceOpen('/dev/null\0x'), isCut);
});
