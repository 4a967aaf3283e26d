/**
 * Taking a NIC: from a line of the configuration to open descriptors, in one of three wirings.
 *
 *   macvtap      NIC  -> silenced, up -> macvtap (passthru) created -> up, all multicast -> opened
 *   bridged TAP  TAP opened or created -> port of the bridge -> up; the bridge silenced
 *   TAP alone    TAP opened or created -> up; without IPv6 of the host: what its kernel sends there
 *                would come out of our descriptor as if from the wire. Else it is left alone
 *
 * Every change goes through restore.ts with the interface as its holder; what was created for us
 * goes, what was found stays as it was found. A TAP that we create is not persistent: it dies with
 * its last descriptor, however the process ends. A macvtap lives until it is deleted, so the
 * journal knows it before the kernel does.
 */

import { OperatorError } from '../../base/errors.ts';
import { GROUP_MTU_MIN } from '../../model/limits.ts';
import { failedWith, native, operatorErrorOf } from '../../native/addon.ts';
import type { Mac } from '../../wire/addr.ts';
import { MACVLAN_MODE_PASSTHRU } from '../kernel/link-message.ts';
import type { LinkRecord } from '../kernel/records.ts';
import type { Rtnl } from '../kernel/rtnl.ts';
import type { Silencer } from '../silence/silence.ts';
import type { Changes } from '../undo/restore.ts';
import { type Holder, macvtapHolder, tapHolder } from './holder.ts';
import type { Held } from './life.ts';
import type { Wiring } from './link-state.ts';
import { stableMac } from './stable-mac.ts';
import { closeDevice, type Device, openMacvtap, openTap } from './tap.ts';
import { assertBridgedTap, assertMacvtap, silenceIpv6, TX_QUEUE_LENGTH } from './wiring.ts';

/** From linux/if_arp.h. */
const ARPHRD_ETHER = 1;

/** An interface as the configuration names it. */
export interface InterfaceSpec {
  readonly name: string;
  /** Port number of the NIC: which words of the carrier watch are its own. */
  readonly nic: number;
  /** NIC to take by macvtap; null otherwise. */
  readonly uplink: string | null;
  /** Bridge to put the TAP into; null otherwise. Not both. */
  readonly bridge: string | null;
}

/** An interface that is ours to read and write. */
export interface Attachment extends Held {
  readonly spec: InterfaceSpec;
  readonly wiring: Wiring;
  readonly ifindex: number;
  /** Hardware address of the ill: the NIC's own for macvtap, ours for a TAP. */
  readonly mac: Mac;
  readonly mtu: number;
  /** The NIC or the bridge below, as silenced; undefined for a TAP alone. */
  readonly lower: LinkRecord | undefined;
}

/** What attaching needs of the host. */
export interface AttachContext {
  readonly rtnl: Rtnl;
  readonly changes: Changes;
  readonly silencer: Silencer;
  readonly machineId: string;
}

/** How `spec` is wired. */
export function wiringOf(spec: InterfaceSpec): Wiring {
  if (spec.uplink !== null) return 'macvtap';
  return spec.bridge !== null ? 'bridged-tap' : 'tap';
}

/** The NIC or the bridge that `spec` needs; null for a TAP alone. */
export function lowerNameOf(spec: InterfaceSpec): string | null {
  return spec.uplink ?? spec.bridge;
}

/**
 * Attaches an interface with up to `queues` queues. ENODEV: the NIC or the bridge is not there
 * (yet); EBUSY: it, or the device, is used by another program; EEXIST: the name belongs to a
 * device of another kind; EINVAL, ENOTSUP: the NIC can be no member (docs/law.md row 17). Nothing
 * stays changed after an error.
 */
export async function attachInterface(
  context: AttachContext,
  spec: InterfaceSpec,
  queues: number,
): Promise<Attachment> {
  try {
    switch (wiringOf(spec)) {
      case 'macvtap':
        return await attachMacvtap(context, spec, spec.uplink ?? '', queues);
      case 'bridged-tap':
        return await attachBridgedTap(context, spec, spec.bridge ?? '', queues);
      case 'tap':
        return await openedTap(context, spec, queues);
    }
  } catch (error) {
    await undoAttachment(context, holderOf(spec));
    throw operatorErrorOf(error, spec.name);
  }
}

/** Closes the descriptors and takes back every change. No worker may be using them any more. */
export async function detachInterface(
  context: AttachContext,
  attachment: Attachment,
): Promise<void> {
  try {
    await closeDevice(attachment.device);
  } finally {
    await undoAttachment(context, attachment.holder);
  }
}

/**
 * Asserts how the devices of an attachment are connected and set. After `down` and `up` a macvtap
 * has lost its wish for all multicast, although it shows it.
 */
export async function assertAttachment(
  context: AttachContext,
  { spec, holder, wiring, ifindex, lower: silenced }: Attachment,
  hasBounced: boolean,
): Promise<void> {
  const { rtnl, changes, silencer } = context;
  const link = await rtnl.link(spec.name);
  if (silenced === undefined) {
    if (link?.ifindex === ifindex) await silenceIpv6(changes, holder, link);
    return;
  }
  const lower = await rtnl.link(silenced.name);
  if (lower?.ifindex !== silenced.ifindex) return;
  await silencer.assertSilent(lower, false);
  if (link?.ifindex !== ifindex) return;
  if (wiring === 'bridged-tap') {
    await assertBridgedTap(changes, holder, link, lower);
    return;
  }
  if (hasBounced && link.allmulti) await rtnl.setLink(link, { allmulti: false });
  const seen = hasBounced ? { ...link, allmulti: false } : link;
  if (link.up) await assertMacvtap(changes, holder, seen, lower);
}

async function undoAttachment(context: AttachContext, holder: string): Promise<void> {
  await context.changes.undo(holder);
  await context.silencer.release(holder);
}

/** The name under which the journal has the changes for an interface. */
export function holderOf(spec: { readonly name: string }): string {
  return `interface:${spec.name}`;
}

async function attachMacvtap(
  context: AttachContext,
  spec: InterfaceSpec,
  uplink: string,
  queues: number,
): Promise<Attachment> {
  const { rtnl, changes, silencer } = context;
  const lower = await rtnl.linkOf(uplink, 'uplink');
  await refuseForeignSysfs(lower);
  refuseUnfit(lower);
  if (lower.master !== 0) {
    throw new OperatorError(
      'EBUSY',
      `${uplink} is a port of another device`,
      `ip link set ${uplink} nomaster, or use "bridge:" for ${spec.name}`,
    );
  }
  refuseSmallMtu(lower);
  const existing = await rtnl.link(spec.name);
  if (existing !== undefined) {
    refuseOtherThanMacvtap(existing, lower);
    await refuseOpenMacvtap(existing);
    await changes.foundMacvtap(holderOf(spec), existing);
  }
  await silencer.silence(lower, holderOf(spec), true);
  const link = existing ?? (await createMacvtap(context, spec, lower));
  await assertMacvtap(changes, holderOf(spec), link, lower);
  const device = await openMacvtap(spec.name, { queues });
  const { mac, mtu } = (await orClose(device, () => rtnl.link(spec.name))) ?? link;
  const { ifindex } = link;
  return { spec, holder: holderOf(spec), wiring: 'macvtap', device, ifindex, mac, mtu, lower };
}

/** The kernel gives a NIC in passthru mode to one upper device, and refuses others with EINVAL. */
async function createMacvtap(
  { changes, rtnl }: AttachContext,
  spec: InterfaceSpec,
  lower: LinkRecord,
): Promise<LinkRecord> {
  try {
    return await changes.macvtap(holderOf(spec), spec.name, lower, TX_QUEUE_LENGTH);
  } catch (error) {
    if (!(error instanceof OperatorError) || error.code !== 'EINVAL') throw error;
    const isOn = ({ lower: beneath, kind }: LinkRecord): boolean =>
      beneath === lower.ifindex && kind.startsWith('macv');
    const other = (await rtnl.links()).find(isOn);
    if (other !== undefined) {
      const what = `${lower.name} is busy: ${other.name} (${other.kind}) is on it`;
      throw new OperatorError('EBUSY', what, `ip link delete ${other.name}`);
    }
    throw new OperatorError(
      'EBUSY',
      `${lower.name} cannot be taken by a macvtap: ${error.message}`,
    );
  }
}

/** A device of that name that another program made will do if it is what we would make. */
function refuseOtherThanMacvtap(existing: LinkRecord, lower: LinkRecord): void {
  const isSuitable =
    existing.kind === 'macvtap' &&
    existing.lower === lower.ifindex &&
    existing.macvlanMode === MACVLAN_MODE_PASSTHRU;
  if (isSuitable) return;
  throw new OperatorError(
    'EEXIST',
    `a device named ${existing.name} exists and is not a macvtap (passthru) on ${lower.name}`,
    `rename or delete it (ip link delete ${existing.name}), or name the interface otherwise`,
  );
}

/**
 * What can be no member (docs/law.md row 17). NOARP is no obstacle: ARP of the uplink is switched
 * off anyway, and the stack has its own.
 */
export function refuseUnfit({ name, hardware, multicast }: LinkRecord): void {
  if (hardware !== ARPHRD_ETHER) {
    const what = `${name} is no Ethernet device (hardware type ${hardware})`;
    throw new OperatorError('EINVAL', what, 'the members of a group are Ethernet devices');
  }
  if (multicast) return;
  const hint = `ip link set ${name} multicast on`;
  throw new OperatorError('ENOTSUP', `${name} cannot send multicast`, hint);
}

/** What the group's device takes at least would not fit. */
function refuseSmallMtu({ name, mtu }: LinkRecord): void {
  if (mtu >= GROUP_MTU_MIN) return;
  throw new OperatorError(
    'EINVAL',
    `${name} has an MTU of ${mtu} (${GROUP_MTU_MIN} or more)`,
    `ip link set ${name} mtu ${GROUP_MTU_MIN}`,
  );
}

/** The kernel would let us in beside that process and share the frames out between us. */
async function refuseOpenMacvtap({ name }: LinkRecord): Promise<void> {
  const holder = await macvtapHolder(name);
  if (holder !== undefined) throw heldBy(name, holder);
}

async function attachBridgedTap(
  context: AttachContext,
  spec: InterfaceSpec,
  bridge: string,
  queues: number,
): Promise<Attachment> {
  const { rtnl, changes, silencer } = context;
  const lower = await rtnl.linkOf(bridge, 'bridge');
  if (lower.kind !== 'bridge') throw new OperatorError('EINVAL', `${bridge} is not a bridge`);
  await silencer.silence(lower, holderOf(spec), false);
  return openedTap(context, spec, queues, lower, (link) => {
    return assertBridgedTap(changes, holderOf(spec), link, lower);
  });
}

/** Opens or creates the TAP, lets `wire` connect it, and brings it up. */
async function openedTap(
  context: AttachContext,
  spec: InterfaceSpec,
  queues: number,
  lower?: LinkRecord,
  wire?: (link: LinkRecord) => Promise<void>,
): Promise<Attachment> {
  const { changes, machineId } = context;
  const holder = holderOf(spec);
  const { device, link, isNew } = await openTapDevice(context, holder, spec.name, queues);
  await orClose(device, async () => {
    refuseSmallMtu(link);
    await changes.link(holder, link, {
      txQueueLength: TX_QUEUE_LENGTH,
      ...(isNew ? { mac: stableMac(machineId, spec.name, 'port') } : {}),
    });
    await (wire === undefined ? silenceIpv6(changes, holder, link) : wire(link));
    await changes.link(holder, link, { up: true });
  });
  const { ifindex, mtu } = link;
  const mac = stableMac(machineId, spec.name, 'ill');
  return { spec, holder, wiring: wiringOf(spec), device, ifindex, mac, mtu, lower };
}

/** The result of `body`; if it fails, the device is closed. */
async function orClose<T>(device: Device, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    await closeDevice(device);
    throw error;
  }
}

/**
 * Opens the TAP `name`, or creates it; EBUSY names the process that has it. After an error the
 * caller takes back what `holder` changed.
 */
export async function openTapDevice(
  context: { readonly rtnl: Rtnl; readonly changes: Changes },
  holder: string,
  name: string,
  queues: number,
): Promise<{ device: Device; link: LinkRecord; isNew: boolean }> {
  const existing = await context.rtnl.link(name);
  if (existing !== undefined) {
    await refuseUsedTap(existing);
    await context.changes.foundTap(holder, existing);
  }
  const device = await openNamedTap(name, queues);
  const link = await orClose(device, () => context.rtnl.linkOf(name, 'TAP'));
  return { device, link, isNew: existing === undefined };
}

/** A TAP has carrier while a process has a queue of it; with many queues the kernel would let us
 * in beside that process and share the frames out between us. */
async function refuseUsedTap(link: LinkRecord): Promise<void> {
  await refuseForeignSysfs(link);
  if (link.kind !== 'tun' || link.hardware !== ARPHRD_ETHER) {
    throw new OperatorError(
      'EEXIST',
      `a device named ${link.name} exists and is not a TAP`,
      'rename or delete it, or name the interface otherwise',
    );
  }
  if (link.carrier) throw heldBy(link.name, await tapHolder(link.name));
}

async function openNamedTap(name: string, queues: number): Promise<Device> {
  try {
    return await openTap(name, { queues });
  } catch (error) {
    if (failedWith(error, 'EBUSY')) throw heldBy(name, await tapHolder(name));
    throw operatorErrorOf(error, name);
  }
}

function heldBy(name: string, holder: Holder | undefined): OperatorError {
  const who =
    holder === undefined ? 'another process' : `${holder.command} (process ${holder.pid})`;
  return new OperatorError('EBUSY', `${name} is held by ${who}`, 'is another ipmpd running here?');
}

/** `/sys` belongs to the namespace that it was mounted in: its devices may be others'. */
async function refuseForeignSysfs(link: LinkRecord): Promise<void> {
  let seen = '';
  try {
    seen = (await native.later.filesRead(`/sys/class/net/${link.name}`, 'ifindex')).trim();
  } catch (error) {
    // What sysfs answers while a device goes.
    if (failedWith(error, 'ENODEV', 'EINVAL')) {
      throw new OperatorError('ENODEV', `${link.name} is gone`);
    }
    if (!failedWith(error, 'ENOENT')) throw error;
  }
  if (seen === String(link.ifindex)) return;
  throw new OperatorError(
    'ENXIO',
    `/sys shows the devices of another network namespace (${link.name})`,
    'mount it anew after changing the namespace, as `ip netns exec` does',
  );
}
