/** A station of the lab that sends ARP frames of any form, true or forged, by tcpreplay. */

import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ipv4Parse, macParse } from '../../../src/wire/addr.ts';
import { ARP_REPLY, ARP_REQUEST, arpFrame } from '../../../src/wire/arp.ts';
import { pcapOf } from './frames.ts';
import type { TestHost } from './harness.ts';

export const BROADCAST = 'ff:ff:ff:ff:ff:ff';
/** A probe has no sender address (RFC 5227 1.1). */
export const NO_ADDRESS = '0.0.0.0';
const NO_MAC = '00:00:00:00:00:00';

/** The fields of one frame. */
export interface ArpFields {
  readonly operation: 'request' | 'reply';
  readonly senderMac: string;
  readonly senderAddress: string;
  readonly targetAddress: string;
  /** Absent: zero. */
  readonly targetMac?: string;
  /** Ethernet destination; absent: broadcast. */
  readonly destination?: string;
  /** Ethernet source; absent: the sender MAC. */
  readonly source?: string;
}

function mac(text: string): number {
  const value = macParse(text);
  if (value === undefined) throw new Error(`${text} is no MAC`);
  return value;
}

function ipv4(text: string): number {
  const value = ipv4Parse(text);
  if (value === undefined) throw new Error(`${text} is no IPv4 address`);
  return value;
}

/** The frame with these fields. */
export function arpOf(fields: ArpFields): Uint8Array {
  const { destination = BROADCAST, source = fields.senderMac, targetMac = NO_MAC } = fields;
  return arpFrame(mac(destination), mac(source), {
    operation: fields.operation === 'request' ? ARP_REQUEST : ARP_REPLY,
    senderMac: mac(fields.senderMac),
    senderAddress: ipv4(fields.senderAddress),
    targetMac: mac(targetMac),
    targetAddress: ipv4(fields.targetAddress),
  });
}

/** Sends frames from a device of one namespace, `eth0` by default. */
export class ArpStation {
  readonly #host: TestHost;
  readonly #role: string;
  readonly #device: string;
  #files = 0;

  constructor(host: TestHost, role: string, device = 'eth0') {
    this.#host = host;
    this.#role = role;
    this.#device = device;
  }

  /** Sends each of `frames` `times` times, until all have left; returns the true rate a second. */
  async send(frames: readonly Uint8Array[], { times = 1, perSecond = 1000 } = {}): Promise<number> {
    const text = await this.#host.run(this.#role, this.#command(frames, times, perSecond));
    return Number(/ ([\d.]+) pps/.exec(text)?.[1]);
  }

  /** Sends `frames` in turn without end. */
  start(frames: readonly Uint8Array[], perSecond: number): ChildProcess {
    const argv = this.#command(frames, 0, perSecond);
    const child = this.#host.workspace.start(argv, { role: this.#role });
    child.stdout?.resume();
    child.stderr?.resume();
    return child;
  }

  async stop(child: ChildProcess): Promise<void> {
    await this.#host.workspace.stop(child);
  }

  /** `times` 0 is without end (tcpreplay). */
  #command(frames: readonly Uint8Array[], times: number, perSecond: number): string[] {
    this.#files += 1;
    const file = join(this.#host.workspace.folder, `${this.#role}-${this.#files}.pcap`);
    writeFileSync(file, pcapOf(frames));
    const pace = [`--loop=${times}`, `--pps=${perSecond}`];
    return ['tcpreplay', '-q', '-K', '-i', this.#device, ...pace, file];
  }
}
