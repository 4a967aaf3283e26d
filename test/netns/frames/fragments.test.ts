/**
 * Datagrams in fragments: the kernel puts those for all stations together in one queue for all
 * NICs. Whichever NIC is nominated, and in whatever order the copies come, each arrives once.
 */

import { deepEqual, equal } from 'node:assert/strict';
import { before, test } from 'node:test';
import { Rng } from '../../../src/base/rng.ts';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { describeOn, UNDAMPED } from '../tools/harness.ts';
import { type Delivery, datagramFrames, deliver } from '../tools/raw-frames.ts';
import { udpListen } from '../tools/udp-traffic.ts';

const PORT = 6006;
const DATAGRAMS = 20;
/** Three fragments. */
const TEXT_LENGTH = 4000;
const SENDER = { sourceMac: '02:00:00:00:07:77', source: '192.0.2.77', port: PORT };
const MULTICAST = '239.1.2.3';

/** How the copies of one fragment follow each other. */
const ORDERS = ['nominated first', 'nominated last', 'in any order'] as const;
type Order = (typeof ORDERS)[number];

/** No MAC: that of the NIC which the address is bound to. A switch may flood that frame too. */
interface Kind {
  readonly name: string;
  readonly destination: string;
  readonly destinationMac?: string;
  readonly orders: readonly Order[];
}

const KINDS: readonly Kind[] = [
  {
    name: 'broadcast',
    destination: '192.0.2.255',
    destinationMac: 'ff:ff:ff:ff:ff:ff',
    orders: ORDERS,
  },
  {
    name: 'multicast',
    destination: MULTICAST,
    destinationMac: '01:00:5e:01:02:03',
    orders: ORDERS,
  },
  { name: 'unicast', destination: LAN.data[0], orders: ['in any order'] },
];

describeOn(['macvtap', 'bridge'], 'datagrams in fragments', UNDAMPED, (host) => {
  let listener: Awaited<ReturnType<typeof udpListen>>;
  let identification = 0;

  before(async () => {
    listener = await udpListen(host.workspace, 'host', PORT, [MULTICAST, LAN.data[0]]);
  });

  /** Makes the member at this position the nominated one. */
  async function nominate(wanted: number): Promise<void> {
    const other = 1 - wanted;
    if ((await host.nominated()) === wanted) return;
    const uplink = host.topology.uplinks[other] ?? '';
    await host.fail(uplink);
    await host.topology.repair(uplink);
    await host.daemon.waitUntilOk();
    equal(await host.nominated(), wanted);
  }

  /** Each fragment once for each NIC, so that `order` is kept. */
  function copies(frames: readonly Uint8Array[], first: number, order: Order, rng: Rng) {
    return frames.flatMap((frame): Delivery[] => {
      const isSwapped =
        order === 'nominated last' || (order === 'in any order' && rng.below(2) === 0);
      const at = isSwapped ? 1 - first : first;
      return [at, 1 - at].map((nic) => ({ uplink: host.topology.uplinks[nic] ?? '', frame }));
    });
  }

  /** Numbers of the datagrams that a program on the host gets, in their order. */
  async function arrived(kind: Kind, order: Order): Promise<number[]> {
    listener.lines.length = 0;
    const [rng, first] = [new Rng(3), await host.nominated()];
    const { ifname } = await host.boundTo(LAN.data[0]);
    const ends = { destinationMac: await host.memberMac(ifname), ...SENDER, ...kind };
    const bursts = Array.from({ length: DATAGRAMS }, (_, at) => {
      const text = `#${at}#`.padEnd(TEXT_LENGTH, '-');
      return copies(datagramFrames(ends, text, ++identification), first, order, rng);
    });
    // To each NIC alone, whole, behind all others.
    const last = host.topology.members.map(async (member, at): Promise<Delivery> => {
      const to = { destination: LAN.data[0], destinationMac: await host.memberMac(member) };
      const [frame = new Uint8Array()] = datagramFrames(
        { ...SENDER, ...to },
        `end${at}.`,
        ++identification,
      );
      return { uplink: host.topology.uplinks[at] ?? '', frame };
    });
    await deliver(host.topology, [...bursts, await Promise.all(last)]);
    const all = (): string => listener.lines.join('');
    await until('the ends', 10_000, () => all().includes('end0.') && all().includes('end1.'));
    return [...all().matchAll(/#(\d+)#/g)].map(([, number]) => Number(number));
  }

  for (const [at, name] of ['net0', 'net1'].entries()) {
    for (const kind of KINDS) {
      for (const order of kind.orders) {
        test(`${name} nominated, ${kind.name}, ${order}: each arrives once`, async () => {
          await nominate(at);
          const all = Array.from({ length: DATAGRAMS }, (_, number) => number);
          const numbers = await arrived(kind, order);
          const isWhole = numbers.join() === all.join();
          deepEqual(numbers, all, isWhole ? '' : await host.losses());
        });
      }
    }
  }
});
