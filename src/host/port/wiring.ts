/**
 * How the device of an interface must be connected and set, whatever other tools do to it: made so
 * when it is attached, and again on every event of it and of the device below.
 */

import { OperatorError } from '../../base/errors.ts';
import type { LinkRecord } from '../kernel/records.ts';
import { devicePath } from '../silence/sysctl.ts';
import type { Changes } from '../undo/restore.ts';

/**
 * Ours: frames that wait in a queue while its worker is busy elsewhere; the kernel's 500 and 1000
 * lose bursts at the start of a transfer. Set before the first frame can come.
 */
export const TX_QUEUE_LENGTH = 4096;

const SILENT = ['disable_ipv6', 'addr_gen_mode'] as const;

/**
 * Keeps IPv6 of the host's own stack off a device. A program that sets `disable_ipv6` of `all`
 * sets it for each device; until it is put back, a device without a link-local address
 * sends nothing.
 */
export async function silenceIpv6(
  changes: Changes,
  holder: string,
  link: LinkRecord,
): Promise<void> {
  for (const setting of SILENT) {
    await changes.sysctl(holder, link, devicePath('ipv6', link.name, setting), '1');
  }
}

/** Gives a device its IPv6 back, as `holder` found it. */
export async function unsilenceIpv6(
  changes: Changes,
  holder: string,
  link: LinkRecord,
): Promise<void> {
  for (const setting of SILENT.toReversed()) {
    await changes.sysctlBack(holder, link, devicePath('ipv6', link.name, setting));
  }
}

/**
 * Makes a macvtap as it must be: silent, up, open to every multicast group (the kernel acts on that
 * only after `up`), as large as the NIC below.
 */
export async function assertMacvtap(
  changes: Changes,
  holder: string,
  link: LinkRecord,
  lower: LinkRecord,
): Promise<void> {
  await silenceIpv6(changes, holder, link);
  const mtu = lower.mtu > link.mtu ? { mtu: lower.mtu } : {};
  await changes.link(holder, link, { txQueueLength: TX_QUEUE_LENGTH, ...mtu });
  await changes.link(holder, link, { up: true });
  await changes.link(holder, link, { allmulti: true });
}

/** Makes a TAP as it must be: silent, and a port of `bridge`. EBUSY: another device has it. */
export async function assertBridgedTap(
  changes: Changes,
  holder: string,
  link: LinkRecord,
  bridge: LinkRecord,
): Promise<void> {
  if (link.master !== 0 && link.master !== bridge.ifindex) {
    throw new OperatorError(
      'EBUSY',
      `${link.name} is a port of another device than ${bridge.name}`,
      `ip link set ${link.name} nomaster`,
    );
  }
  await silenceIpv6(changes, holder, link);
  await changes.link(holder, link, { master: bridge.ifindex });
}
