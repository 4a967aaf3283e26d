/**
 * The real commands, applier and reconfiguration over a configuration file in a folder, a System in
 * virtual time, and devices in memory that are there as soon as they are asked for.
 */

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { assert } from '../../../src/base/assert.ts';
import { Applier, type ChangingDevices } from '../../../src/change/applier.ts';
import type { CommandsOptions } from '../../../src/change/edit.ts';
import { type ContentsHost, GroupContents } from '../../../src/change/group-contents.ts';
import { Reconfiguration } from '../../../src/change/reconfiguration.ts';
import { ConfigStore } from '../../../src/config/store.ts';
import type { GroupConfig, InterfaceConfig } from '../../../src/config/types.ts';
import { prefixRead } from '../../../src/model/prefix.ts';
import type { System } from '../../../src/system.ts';
import { Bench, macOf } from '../system/bench.ts';

/** The link of net1 is down; ipmp2 is empty. */
const MAIN = `interfaces: { net0: {}, net1: {}, net2: {}, net3: {}, net10: {} }
groups:
  ipmp0: { interfaces: [net0, net1], addresses: [192.0.2.10/24, 192.0.2.11/24] }
  ipmp2: {}
`;
const DOWN = 'net1';
const SILENT = pino({ level: 'silent' });

/** What a group's device has. */
class MemoryDevices implements ChangingDevices {
  readonly #bench: Bench;
  readonly #contents = new Map<string, GroupContents>();
  readonly #addresses = new Map<string, string[]>();
  #lastMac = 0;

  constructor(bench: Bench) {
    this.#bench = bench;
  }

  async addInterface({ name }: InterfaceConfig): Promise<void> {
    this.#bench.appear(name, macOf(++this.#lastMac));
    if (name === DOWN) this.#bench.link(name, 'down');
  }

  async addGroup(config: GroupConfig): Promise<void> {
    const { name } = config;
    const contents = new GroupContents(config, this.#host());
    this.#contents.set(name, contents);
    const info = { present: true, mac: macOf(++this.#lastMac), mtu: 1500, up: true };
    this.#bench.system.handleGroupDevice(name, info, this.#bench.nowMs);
    this.setAddresses(name, config.addresses);
    await contents.catchUp(contents.deviceSpec(), SILENT);
  }

  contentsOf(name: string): GroupContents | undefined {
    return this.#contents.get(name);
  }

  async remove(name: string): Promise<void> {
    if (!this.#contents.delete(name)) this.#bench.vanish(name);
  }

  addressesOf(name: string): readonly string[] {
    return this.#addresses.get(name) ?? [];
  }

  setAddresses(name: string, addresses: readonly string[]): void {
    this.#addresses.set(name, [...addresses]);
    const list = addresses.flatMap((text) => prefixRead(text) ?? []);
    this.#bench.system.handleHostAddresses(name, list, this.#bench.nowMs);
  }

  #host(): ContentsHost {
    const nothing = async (): Promise<undefined> => undefined;
    return {
      addAddress: async (name, address) =>
        this.setAddresses(name, [...this.addressesOf(name), address]),
      deleteAddress: async (name, address) =>
        this.setAddresses(
          name,
          this.addressesOf(name).filter((one) => one !== address),
        ),
      setGroupForwarding: nothing,
      setGroupMulticast: nothing,
      addRoute: nothing,
      deleteRoute: nothing,
      restoreConnected: nothing,
      lacking: () => ({ addresses: [], routes: [], connected: [] }),
    };
  }
}

/** Notes the edits of the changes that were not refused. */
class NotedReconfiguration extends Reconfiguration {
  readonly done: string[] = [];

  override async change(
    ...[label, save, prepare]: Parameters<Reconfiguration['change']>
  ): Promise<void> {
    let words: string[] = [];
    await super.change(label, save, (config, store) => {
      const edit = prepare(config, store);
      words = edit.edits.map(({ path, value }) => `${path.join('.')}=${JSON.stringify(value)}`);
      if (edit.afterwards !== undefined) words.push(`${label} afterwards`);
      return edit;
    });
    this.done.push([...words, ...(save ? ['save'] : [])].join(' '));
  }
}

interface Parts {
  readonly bench: Bench;
  readonly system: System;
  readonly devices: MemoryDevices;
  readonly reconfiguration: NotedReconfiguration;
  readonly run: CommandsOptions['run'];
}

async function partsIn(folder: string): Promise<Parts> {
  const file = join(folder, 'ipmpd.yaml');
  writeFileSync(file, MAIN);
  rmSync(join(folder, 'ipmpd.d'), { recursive: true, force: true });
  const store = await ConfigStore.open(file, null);
  assert(store instanceof ConfigStore, 'the configuration of the harness is right');
  const bench = new Bench();
  const { system } = bench;
  const devices = new MemoryDevices(bench);
  const run: Parts['run'] = async (_label, body) => bench.run(body);
  const surface = { setMetrics: async () => undefined, setOperators: async () => undefined };
  const applier = new Applier({ system, devices, run, setLogLevel: () => undefined, ...surface });
  const reconfiguration = new NotedReconfiguration({
    store,
    applier,
    log: SILENT,
    tell: () => undefined,
    isStopping: () => false,
    refusalOf: () => undefined,
    restore: async () => [],
  });
  await reconfiguration.start();
  return { bench, system, devices, reconfiguration, run };
}

/** See the head of the file. */
export class ChangeHarness implements CommandsOptions {
  readonly #folder: string;
  #parts: Parts;

  /** The folder takes the configuration, and what is saved of it. */
  static async open(folder: string): Promise<ChangeHarness> {
    return new ChangeHarness(folder, await partsIn(folder));
  }

  private constructor(folder: string, parts: Parts) {
    this.#folder = folder;
    this.#parts = parts;
  }

  /** Begins anew. */
  async renew(): Promise<void> {
    this.#parts = await partsIn(this.#folder);
  }

  get bench(): Bench {
    return this.#parts.bench;
  }

  get system(): System {
    return this.#parts.system;
  }

  get devices(): MemoryDevices {
    return this.#parts.devices;
  }

  get reconfiguration(): Reconfiguration {
    return this.#parts.reconfiguration;
  }

  get run(): Parts['run'] {
    return this.#parts.run;
  }

  /** Each change that was not refused: its edits, whether more was done afterwards, and saved. */
  get done(): string[] {
    return this.#parts.reconfiguration.done;
  }
}
