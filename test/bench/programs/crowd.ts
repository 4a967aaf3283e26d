/**
 * Program: many stations behind TAPs. At a message, each station asks for one of our addresses,
 * so that a daemon adds it as a neighbour.
 *
 *     crowd.js DEVICE...
 *
 * `ask` (device, first, count, targets) -> `asked`: the stations `first` and up, each with an
 * address and a MAC of its own, ask for one of `targets` in turn, `{ mac, address }` each.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { openTap } from '../../../src/host/port/tap.ts';
import { onParentMessage, sendToParent } from '../../../src/lab/measure/child.ts';
import { native } from '../../../src/native/addon.ts';
import { ipv4Parse, type Mac, macParse } from '../../../src/wire/addr.ts';
import { ARP_REQUEST, arpFrame } from '../../../src/wire/arp.ts';
import { STATION_MAC, STATION_NETWORK } from '../scale/plan.ts';

/** Bytes of the virtio net header that a TAP of ours has before each frame. */
const VNET_HEADER_LENGTH = 10;
/** Questions in one go, and the pause after them: some thousand a second (ours). */
const BURST = 32;
const PAUSE_MS = 5;

interface Target {
  readonly mac: string;
  readonly address: string;
}

const fds = new Map<string, number>();
for (const name of process.argv.slice(2)) {
  fds.set(name, (await openTap(name, { queues: 1 })).fds[0] ?? -1);
}

const slab = new Uint8Array(BURST * native.slotLength);
const slots = Int32Array.from({ length: BURST }, (_, slot) => slot);
const lengths = new Int32Array(BURST);
const status = new Int32Array(BURST);
const burst = native.burstCreate(slab, slots, lengths, status, native.slotLength);

function question(station: number, { mac, address }: Target): Uint8Array {
  const own: Mac = STATION_MAC + station;
  return arpFrame(macParse(mac) ?? 0, own, {
    operation: ARP_REQUEST,
    senderMac: own,
    senderAddress: STATION_NETWORK + station,
    targetMac: 0,
    targetAddress: ipv4Parse(address) ?? 0,
  });
}

async function ask(fd: number, first: number, count: number, targets: Target[]): Promise<void> {
  for (let done = 0; done < count; ) {
    const now = Math.min(BURST, count - done);
    for (let i = 0; i < now; i++) {
      const frame = question(first + done + i, targets[(done + i) % targets.length]!);
      const at = i * native.slotLength;
      slab.fill(0, at, at + VNET_HEADER_LENGTH);
      slab.set(frame, at + VNET_HEADER_LENGTH);
      lengths[i] = VNET_HEADER_LENGTH + frame.length;
    }
    native.writeBurst(burst, fd, 0, now);
    // What found no room is asked again; a question that comes twice does no harm.
    const refused = status.subarray(0, now).findIndex((error) => error !== 0);
    done += refused < 0 ? now : refused;
    await sleep(PAUSE_MS);
  }
}

onParentMessage(({ device, first, count, targets }) => {
  void ask(fds.get(String(device)) ?? -1, Number(first), Number(count), targets as Target[]).then(
    () => sendToParent({ kind: 'asked' }),
  );
});
sendToParent({ kind: 'ready' });
