/** The daemon's sockets for requests to the kernel; requests that take long are logged. */

import { OperatorError } from '../../base/errors.ts';
import type { Clock } from '../../process/clock.ts';
import { logLate } from '../../process/late.ts';
import type { HostLog } from '../../process/log.ts';
import { operatorErrorOf } from '../refusal.ts';
import { NetlinkClient, type OpenTransport } from './netlink.ts';
import { NETLINK_NETFILTER, NETLINK_ROUTE } from './netlink-message.ts';

/** What a socket is opened with. */
export interface ClientOptions {
  readonly open: OpenTransport;
  readonly clock: Clock;
  readonly log: HostLog;
}

/** For devices, addresses and routes. */
export function openRouting(options: ClientOptions): Promise<NetlinkClient> {
  return openClient(options, NETLINK_ROUTE);
}

/** A kernel without netfilter's socket has nothing that could be silenced by it. */
export async function openFiltering(options: ClientOptions): Promise<NetlinkClient | undefined> {
  try {
    return await openClient(options, NETLINK_NETFILTER);
  } catch (error) {
    const refusal = operatorErrorOf(error, 'netfilter');
    if (!(refusal instanceof OperatorError)) throw error;
    options.log.warn({ code: refusal.code }, `no nftables here: ${refusal.message}`);
    return undefined;
  }
}

function openClient({ open, clock, log }: ClientOptions, protocol: number): Promise<NetlinkClient> {
  return NetlinkClient.open(open, protocol, clock, (call) => logLate(log, call));
}
