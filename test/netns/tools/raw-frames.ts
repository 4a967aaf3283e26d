/** UDP datagrams as frames, whole or in fragments, and their way onto the cables of a lab. */

import type { Topology } from '../../../src/lab/topology.ts';
import { ipv4Parse, macParse } from '../../../src/wire/addr.ts';
import { ipv4Frame, udpDatagram } from '../../tools/frames.ts';
import { script } from './programs.ts';

const PROGRAM = script('raw-frames.py');
const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_UNIT = 8;
/** What an Ethernet frame carries behind the IPv4 header, in whole units of fragments. */
const FRAGMENT_LENGTH = 1480;

/** The sender and the receiver of a datagram. */
export interface DatagramEnds {
  readonly sourceMac: string;
  readonly destinationMac: string;
  readonly source: string;
  readonly destination: string;
  readonly port: number;
}

/** A frame on its way to a NIC of the host. */
export interface Delivery {
  readonly uplink: string;
  readonly frame: Uint8Array;
}

/** The frames of one datagram with `text`: as many fragments as it takes, or one whole frame. */
export function datagramFrames(
  ends: DatagramEnds,
  text: string,
  identification: number,
): Uint8Array[] {
  const [source, destination] = [addressOf(ends.source), addressOf(ends.destination)];
  const macs = {
    destinationMac: macParse(ends.destinationMac) ?? 0,
    sourceMac: macParse(ends.sourceMac) ?? 0,
  };
  const data = new TextEncoder().encode(text);
  const bytes = udpDatagram(ends.port, ends.port, data, { source, destination });
  const frames: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += FRAGMENT_LENGTH) {
    const payload = bytes.subarray(at, at + FRAGMENT_LENGTH);
    const more = at + FRAGMENT_LENGTH < bytes.length ? MORE_FRAGMENTS : 0;
    const fragment = more | (at / FRAGMENT_UNIT);
    frames.push(ipv4Frame({ ...macs, source, destination, identification, fragment }, payload));
  }
  return frames;
}

function addressOf(text: string): number {
  const address = ipv4Parse(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return address;
}

/** Sends bursts of frames one after the other, each frame to the NIC that it names. */
export async function deliver(
  topology: Topology,
  bursts: readonly (readonly Delivery[])[],
): Promise<void> {
  const { workspace } = topology;
  const lines = bursts.flatMap((burst) => [
    ...burst.map(({ uplink, frame }) => {
      const { role, device } = topology.portOf(uplink);
      return `${workspace.namespaceOf(role)} ${device} ${Buffer.from(frame).toString('hex')}`;
    }),
    '',
  ]);
  await workspace.run(['python3', PROGRAM], `${lines.join('\n')}\n`);
}
