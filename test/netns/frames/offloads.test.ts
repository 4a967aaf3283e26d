/**
 * Work that one side leaves to its device may be impossible at the other side: with every offload
 * switched on and off at the group's device, at the members, at the NICs below and at the peer,
 * and with MTUs from 1280 to 9000, everything still arrives as it was sent. TCP is compared by
 * digest, datagrams byte by byte and in order (also such that the kernel cuts from one buffer),
 * large pings come in fragments; all of it both ways, over both NICs, in both families.
 *
 * A plan covers every two settings of every two devices (offload-plan.ts). For more, steps are
 * drawn from all combinations of one switched off at each device:
 * `IPMPD_OFFLOADS=150 IPMPD_OFFLOADS_SEED=7 npm test -- netns offloads`. All of them
 * (`IPMPD_OFFLOADS=all`) take hours, and more than `npm test` gives to a file: run that file alone
 * (`node --test dist/test/netns/frames/offloads.test.js`).
 */

import { deepEqual, equal } from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { GROUP } from '../../../src/lab/configuration.ts';
import { MeasuringChild } from '../../../src/lab/measure/child.ts';
import { LANS } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { TestHost, WIRINGS } from '../tools/harness.ts';
import {
  fullPlan,
  OFFLOADS,
  type Offload,
  pairwisePlan,
  type Step,
  type Switch,
  samplePlan,
} from '../tools/offload-plan.ts';
import { script } from '../tools/programs.ts';

const USO = script('uso.py');
const EXCHANGE = new URL('../programs/exchange.js', import.meta.url);
const EXCHANGE_PORT = '7007';
const GATEWAYS = LANS.map(({ gateways }) => gateways[0]);
const DATA = LANS.flatMap(({ data }) => data);
/** Steps drawn from the full plan; undefined: the short one. */
const ASKED = process.env.IPMPD_OFFLOADS;
const SEED = Number(process.env.IPMPD_OFFLOADS_SEED ?? 1);

/** Bytes of a TCP transfer: some dozen super-frames at least. */
const TCP_BYTES = 2 << 20;
/** What IP and UDP put before the bytes of a datagram. */
const headersOf = (address: string): number => (isIPv6(address) ? 48 : 28);
const FRAGMENTED = 20_000;
/** Each step that fails waits for what does not come: after so many it is clear. */
const FAILURES_MOST = 3;
/** Segments cut from one buffer, which holds 64 KiB. */
const SEGMENTS_MAX = 40;
const BUFFER_MAX = 65_000;

/** A device that stands for its place, and the namespace where it is. */
interface Place {
  readonly name: string;
  readonly role: string;
  readonly devices: readonly string[];
}

/** Words for `ethtool -K` at a device: `tso off gro on`. */
interface Order {
  readonly device: string;
  readonly words: readonly string[];
}

/** One host and its peer, which exchange under many settings. */
class Exchange {
  readonly #host: TestHost;
  readonly #places: readonly Place[];
  readonly #ends = new Map<string, MeasuringChild>();
  #mtu = 1500;

  constructor(host: TestHost) {
    this.#host = host;
    const { uplinks, members } = host.topology;
    this.#places = [
      { name: 'group', role: 'host', devices: [GROUP] },
      { name: 'member', role: 'host', devices: members },
      { name: 'uplink', role: 'host', devices: uplinks },
      { name: 'peer', role: 'gw', devices: ['eth0'] },
    ];
  }

  async start(): Promise<void> {
    for (const [role, addresses] of [
      ['host', DATA],
      ['gw', GATEWAYS],
    ] as const) {
      const args = [EXCHANGE_PORT, ...addresses];
      const end = new MeasuringChild(this.#host.workspace, role, EXCHANGE, args);
      this.#ends.set(role, end);
      await end.receive('ready');
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#ends.values()].map((end) => end.stop()));
  }

  /** What can be switched here; both ways are tried. */
  async switches(): Promise<Switch[]> {
    const found: Switch[] = [];
    for (const { name, role, devices } of this.#places) {
      const [device = ''] = devices;
      const offloads = Object.keys(OFFLOADS) as Offload[];
      const orders = offloads.flatMap((offload) =>
        ['off', 'on'].map((value) => ({ device, words: [offload, value] })),
      );
      const on = await this.#switch(role, orders);
      for (const [at, offload] of offloads.entries()) {
        const [afterOff, afterOn] = on.slice(2 * at);
        if (!afterOff?.has(offload) && afterOn?.has(offload)) found.push({ place: name, offload });
      }
    }
    return found;
  }

  /** What went wrong under the settings of a step: nothing, as it should be. */
  async run(switches: readonly Switch[], step: Step): Promise<string[]> {
    await this.#setMtu(step.mtu);
    for (const role of ['host', 'gw']) {
      const orders = this.#places
        .filter((place) => place.role === role)
        .flatMap(({ name, devices }) => {
          const words = switches.flatMap(({ place, offload }, index) =>
            place === name ? [offload, step.isOff[index] === true ? 'off' : 'on'] : [],
          );
          return devices.map((device) => ({ device, words }));
        });
      const on = await this.#switch(role, orders);
      for (const [at, { device, words }] of orders.entries()) {
        const stayed = [...(on[at] ?? [])].filter(
          (offload) => words[words.indexOf(offload) + 1] === 'off',
        );
        deepEqual(stayed, [], `${device} keeps what was switched off`);
      }
    }
    const wrong = await Promise.all([
      this.#exchange('host', GATEWAYS, step.mtu),
      this.#exchange('gw', DATA, step.mtu),
    ]);
    const isOff = (place: string): boolean =>
      switches.some((each, i) => each.place === place && each.offload === 'tx' && step.isOff[i]);
    const then = await Promise.all([
      ...GATEWAYS.flatMap((address) => [
        this.#large('host', address),
        this.#cut('host', address, step.mtu, isOff('group')),
      ]),
      ...DATA.flatMap((address) => [
        this.#large('gw', address),
        this.#cut('gw', address, step.mtu, isOff('peer')),
      ]),
    ]);
    return [...wrong, ...then].flat();
  }

  /** TCP, and datagrams of sizes around one MTU and far above. */
  async #exchange(role: string, addresses: readonly string[], mtu: number): Promise<string[]> {
    const fits = addresses.map((address) => mtu - headersOf(address));
    const around = fits.flatMap((fit) => [fit - 1, fit, fit + 1]);
    const sizes = [...new Set([1, 63, 512, ...around, FRAGMENTED])];
    const request = { kind: 'exchange', addresses, bytes: TCP_BYTES, sizes };
    const end = this.#ends.get(role);
    if (end === undefined) throw new Error(`no exchange runs in ${role}`);
    const { wrong } = await end.ask(request, 'exchanged');
    return (wrong as string[]).map((sentence) => `${role}: ${sentence}`);
  }

  /** Pings in fragments. */
  async #large(role: string, address: string): Promise<string[]> {
    const count = 3;
    const args = ['-s', String(FRAGMENTED)];
    const { answered, duplicates } = await this.#host.ping(role, address, { count, args });
    if (answered === count && duplicates === 0) return [];
    return [`${role}: ${answered} of ${count} large pings to ${address}, ${duplicates} twice`];
  }

  /** Datagrams that the kernel or a device cuts from one buffer. `mayRefuse`: it need not. */
  async #cut(role: string, address: string, mtu: number, mayRefuse: boolean): Promise<string[]> {
    const length = mtu - headersOf(address);
    const segments = Math.min(SEGMENTS_MAX, Math.floor(BUFFER_MAX / length));
    const words = ['python3', '-IS', USO, address, EXCHANGE_PORT, length, segments].map(String);
    const argv = ['sh', '-c', '"$@" 2>&1 || true', '-', ...words];
    const output = (await this.#host.run(role, argv)).trim();
    if (output === '' || (output === 'refused' && mayRefuse)) return [];
    return [`${role}: to ${address}: ${output}`];
  }

  /** Carries orders out one by one by one shell, and answers which offloads are on after each. */
  async #switch(role: string, orders: readonly Order[]): Promise<Set<Offload>[]> {
    // ethtool ends with status 1 when another offload forbids one of the order.
    const each = 'set -- $order; ethtool -K "$@" >/dev/null 2>&1; ethtool -k "$1"';
    const script = `for order do ${each}; done`;
    const lines = orders.map(({ device, words }) => [device, ...words].join(' '));
    const text = await this.#host.run(role, ['sh', '-c', script, '-', ...lines]);
    const parts = text.split(/^Features for .*:$/m).slice(1);
    equal(parts.length, orders.length, 'the features of each device');
    const names = Object.entries(OFFLOADS) as [Offload, string][];
    return parts.map((part) => {
      const isOn = ([, name]: [Offload, string]): boolean =>
        new RegExp(`^\\s*${name}: on`, 'm').test(part);
      return new Set(names.filter(isOn).map(([offload]) => offload));
    });
  }

  /** Every device but the group's own, which follows. */
  async #setMtu(mtu: number): Promise<void> {
    if (mtu === this.#mtu) return;
    const { members, options } = this.#host.topology;
    const following = options.wiring === 'macvtap' ? [GROUP, ...members] : [GROUP];
    for (const role of ['swA', 'swB', 'gw', 'host']) {
      const names = (await this.#host.links(role)).map(({ ifname }) => ifname.replace(/@.*/, ''));
      const lower = names.filter((name) => name !== 'lo' && !following.includes(name));
      const commands = lower.map((name) => `link set dev ${name} mtu ${mtu}`);
      await this.#host.workspace.ip(role, commands);
    }
    await until(`the group and its members have MTU ${mtu}`, 10_000, async () => {
      if ((await this.#host.daemon.group()).mtu !== mtu) return false;
      const rows = (await this.#host.ipJson('host', ['link'])) as { ifname: string; mtu: number }[];
      return rows.filter((row) => row.ifname !== 'lo').every((row) => row.mtu === mtu);
    });
    this.#mtu = mtu;
  }
}

for (const wiring of WIRINGS) {
  describe(`offloads, ${wiring}`, () => {
    let host: TestHost;
    let exchange: Exchange;

    before(async () => {
      host = await TestHost.raise({ wiring, ipv6: true });
      exchange = new Exchange(host);
      await exchange.start();
    });
    after(async () => {
      await exchange?.stop();
      await host?.lower();
    });

    test('all arrives, whatever is on or off at either side, MTU 1280 to 9000', async (t) => {
      const switches = await exchange.switches();
      t.diagnostic(`${wiring}: ${notes(switches)}`);
      const plan = planFor(switches);
      const failures: string[] = [];
      for (const step of plan) {
        const wrong = await exchange.run(switches, step);
        if (wrong.length > 0) failures.push(`${settingsOf(switches, step)}: ${wrong.join('; ')}`);
        if (failures.length === FAILURES_MOST) break;
      }
      if (failures.length > 0) process.stderr.write(`${await host.losses()}\n`);
      deepEqual(failures, []);
      t.diagnostic(`${wiring}: ${plan.length} steps`);
      equal((await host.daemon.ipmpadm(['status'])).status, 0);
    });
  });
}

function planFor(switches: readonly Switch[]): Step[] {
  if (ASKED === undefined) return pairwisePlan(switches);
  const count = ASKED === 'all' ? Number.POSITIVE_INFINITY : Number(ASKED);
  return samplePlan(fullPlan(switches), count, SEED);
}

/** What is switched, and what is fixed and left out. */
function notes(switches: readonly Switch[]): string {
  return ['group', 'member', 'uplink', 'peer']
    .map((place) => {
      const here = switches.filter((each) => each.place === place).map(({ offload }) => offload);
      const fixed = Object.keys(OFFLOADS).filter((name) => !here.includes(name as Offload));
      const rest = fixed.length === 0 ? '' : ` (fixed: ${fixed.join(' ')})`;
      return `${place}: ${here.join(' ')}${rest}`;
    })
    .join('; ');
}

function settingsOf(switches: readonly Switch[], { mtu, isOff }: Step): string {
  const off = switches.filter((_, index) => isOff[index]);
  return `MTU ${mtu}, off: ${off.map(({ place, offload }) => `${place} ${offload}`).join(', ')}`;
}
