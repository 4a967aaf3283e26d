/**
 * Program: a cable whose ends are TAPs, so that the NIC at its near end behaves like a real one.
 *
 *     cable.js NEAR FAR     carries frames; messages `cut` and `repair` -> `done`
 *     cable.js NAME         no cable: a TAP whose carrier goes off and on, as noise
 *
 * The kernel reports a veth's loss of carrier at once, but that of other devices at most once a
 * second for the whole machine. A TAP with TUNSETCARRIER is such an other device.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { openTap } from '../../../src/host/port/tap.ts';
import { onParentMessage, sendToParent } from '../../../src/lab/measure/child.ts';
import { native } from '../../../src/native/addon.ts';

const BURST = 64;
const TURN_MS = 5;
const NOISE_MS = 30;

const [near = '', far] = process.argv.slice(2);

async function open(name: string): Promise<number> {
  const [fd] = (await openTap(name, { queues: 1 })).fds;
  if (fd === undefined) throw new Error(`${name} has no queue`);
  return fd;
}

async function makeNoise(fd: number): Promise<void> {
  for (let turn = 0; ; turn += 1) {
    native.tapSetCarrier(fd, turn % 2 === 1);
    await sleep(NOISE_MS);
  }
}

function carry(fds: readonly [number, number]): void {
  const slab = new Uint8Array(BURST * native.slotLength);
  const slots = Int32Array.from({ length: BURST }, (_, slot) => slot);
  const lengths = new Int32Array(BURST);
  const burst = native.burstCreate(slab, slots, lengths, new Int32Array(BURST), native.slotLength);
  const epoll = native.epollCreate();
  for (const [token, fd] of fds.entries()) native.epollAdd(epoll, fd, token);
  const tokens = new Int32Array(8);
  let isCut = false;

  onParentMessage((message) => {
    isCut = message.kind === 'cut';
    for (const fd of fds) native.tapSetCarrier(fd, !isCut);
    sendToParent({ kind: 'done' });
  });

  const turn = (): void => {
    const ready = native.epollWait(epoll, 0, TURN_MS, tokens);
    for (let index = 0; index < ready; index += 1) {
      const from = tokens[index] === 0 ? 0 : 1;
      const count = native.readBurst(burst, fds[from], 0, BURST);
      if (count > 0 && !isCut) native.writeBurst(burst, fds[1 - from] ?? 0, 0, count);
    }
    setImmediate(turn);
  };
  turn();
}

const nearFd = await open(near);
if (far === undefined) {
  onParentMessage(() => undefined);
  void makeNoise(nearFd);
} else {
  carry([nearFd, await open(far)]);
}
sendToParent({ kind: 'ready' });
