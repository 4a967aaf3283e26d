/** The part of the package raw-socket that the prober uses. */
declare module 'raw-socket' {
  import type { EventEmitter } from 'node:events';

  export const Protocol: { readonly ICMP: number; readonly ICMPv6: number };
  export const SocketLevel: { readonly SOL_SOCKET: number };
  export const SocketOption: { readonly SO_RCVBUF: number };
  export const AddressFamily: { readonly IPv4: number; readonly IPv6: number };

  export interface Socket extends EventEmitter {
    /** Sends `length` bytes of `buffer` from `offset`; the kernel adds the header of IP. */
    send(
      buffer: Buffer,
      offset: number,
      length: number,
      address: string,
      after: (error: Error | null, bytes: number) => void,
    ): this;
    setOption(level: number, option: number, value: number): this;
    close(): this;
    on(event: 'message', listener: (packet: Buffer, source: string) => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
  }

  export function createSocket(options: {
    protocol: number;
    addressFamily?: number;
    bufferSize?: number;
  }): Socket;
  export function writeChecksum(buffer: Buffer, offset: number, checksum: number): void;
  export function createChecksum(buffer: Buffer): number;

  const all: typeof import('raw-socket');
  export default all;
}
