/** UDP datagrams as frames, whole or in fragments, and their way onto the cables of a lab. */

import { fileURLToPath } from 'node:url';
import type { Topology } from '../../../src/lab/topology.ts';
import { ipv4Parse, macParse } from '../../../src/wire/addr.ts';
import {
  ETHERNET_HEADER_LENGTH,
  ETHERTYPE_IPV4,
  ethernetEmit,
} from '../../../src/wire/ethernet.ts';
import {
  IPV4_HEADER_LENGTH_MIN,
  IPV4_PROTOCOL_UDP,
  ipv4HeaderEmit,
} from '../../../src/wire/ipv4.ts';
import { UDP_HEADER_LENGTH, udpEmit, udpFillChecksum } from '../../../src/wire/udp.ts';

const PROGRAM = fileURLToPath(
  new URL('../../../../test/netns/programs/raw-frames.py', import.meta.url),
);
const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_UNIT = 8;
/** What an Ethernet frame carries behind the IPv4 header, in whole units of fragments. */
const FRAGMENT_LENGTH = 1480;

/** Whom a datagram comes from and goes to. */
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
  const data = new TextEncoder().encode(text);
  const bytes = new Uint8Array(UDP_HEADER_LENGTH + data.length);
  udpEmit(bytes, 0, { sourcePort: ends.port, destinationPort: ends.port, data });
  udpFillChecksum(bytes, 0, source, destination);
  const frames: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += FRAGMENT_LENGTH) {
    const payload = bytes.subarray(at, at + FRAGMENT_LENGTH);
    const more = at + FRAGMENT_LENGTH < bytes.length ? MORE_FRAGMENTS : 0;
    const fragment = more | (at / FRAGMENT_UNIT);
    frames.push(ipv4Frame(ends, { source, destination, identification, fragment }, payload));
  }
  return frames;
}

function ipv4Frame(
  { sourceMac, destinationMac }: DatagramEnds,
  fields: { source: number; destination: number; identification: number; fragment: number },
  payload: Uint8Array,
): Uint8Array {
  const start = ETHERNET_HEADER_LENGTH + IPV4_HEADER_LENGTH_MIN;
  const frame = new Uint8Array(start + payload.length);
  ethernetEmit(frame, 0, {
    destination: macParse(destinationMac) ?? 0,
    source: macParse(sourceMac) ?? 0,
    type: ETHERTYPE_IPV4,
  });
  ipv4HeaderEmit(frame, ETHERNET_HEADER_LENGTH, {
    typeOfService: 0,
    totalLength: IPV4_HEADER_LENGTH_MIN + payload.length,
    timeToLive: 64,
    protocol: IPV4_PROTOCOL_UDP,
    options: new Uint8Array(),
    ...fields,
  });
  frame.set(payload, start);
  return frame;
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
