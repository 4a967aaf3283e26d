/** Memberships of a multicast group by the index of a device, of both families. */

import { match, rejects, strictEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { native } from '../../src/native/addon.ts';
import { namespaceTest, run } from './namespace.ts';

const { multicastJoin, deviceClose } = native.later;

/** The index of a new device that has no address. */
function addDevice(): number {
  run('ip link add eth0 type veth peer name far0');
  run('ip link set eth0 addrgenmode none');
  run('ip link set eth0 up');
  return Number(readFileSync('/sys/class/net/eth0/ifindex', 'latin1'));
}

const groups = (): string => run('ip -o maddr show dev eth0').replaceAll(/ +/g, ' ');

/** A group, and what is shown of it; of IPv6 also those of one link, which need its index. */
const GROUPS = ['239.1.2.3', '224.0.1.1', 'ff05::1:3', 'ff02::9', 'ff01::7'];

namespaceTest('a device without an address joins a group of either family', async () => {
  const ifindex = addDevice();
  for (const group of GROUPS) {
    const fd = await multicastJoin(group, ifindex);
    match(groups(), new RegExp(` ${group.replaceAll('.', '\\.')}\\b`), group);
    await deviceClose(fd);
    strictEqual(groups().includes(` ${group}\n`), false, `${group} is left with its socket`);
  }
});

/** An address, the index (undefined: that of the device), and the refusal. */
const REFUSALS: readonly (readonly [string, number | undefined, string])[] = [
  ['192.0.2.1', undefined, 'EINVAL'],
  ['2001:db8::1', undefined, 'EINVAL'],
  ['fe80::1', undefined, 'EINVAL'],
  ['::ffff:239.1.2.3', undefined, 'EINVAL'],
  ['ff02::9%eth0', undefined, 'EINVAL'],
  ['239.1.2.3', 4000, 'ENODEV'],
  ['ff05::1:3', 4000, 'ENODEV'],
  ['ff02::9', 4000, 'ENODEV'],
];

namespaceTest('a join is refused with the reason that it has', async () => {
  const ifindex = addDevice();
  for (const [address, given, code] of REFUSALS) {
    await rejects(multicastJoin(address, given ?? ifindex), { code }, address);
  }
});
