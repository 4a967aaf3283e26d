/**
 * Hardware addresses that are ours: locally administered, the same after every restart, different
 * from machine to machine. A TAP's own address cannot be used by what stands behind it on a
 * bridge (the bridge keeps a port's address for itself), so the ill and the device get two.
 */

import { createHash } from 'node:crypto';
import { MAC_LENGTH, type Mac, macRead, macWrite } from '../../wire/addr.ts';

/** What an address is for; each role has first octets of its own, so roles never collide. */
export type MacRole = 'ill' | 'group' | 'port';

/**
 * First octets: locally administered, unicast. A bridge takes the lowest address of its ports for
 * its own; fe:ff is higher than what is met elsewhere, so that a TAP that joins does not change the
 * bridge's address.
 */
const FIRST_OCTETS: Readonly<Record<MacRole, readonly number[]>> = {
  ill: [0x02],
  group: [0x06],
  port: [0xfe, 0xff],
};

/** The address for `name` on the machine `machineId`. */
export function stableMac(machineId: string, name: string, role: MacRole): Mac {
  const digest = createHash('sha256').update(`ipmpd\0${role}\0${machineId}\0${name}`).digest();
  const bytes = new Uint8Array(MAC_LENGTH);
  macWrite(bytes, 0, macRead(digest, 0));
  bytes.set(FIRST_OCTETS[role]);
  return macRead(bytes, 0);
}
