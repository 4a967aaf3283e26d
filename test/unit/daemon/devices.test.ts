/** The life of devices over a host and workers that a test plays: events at a bad moment. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { pino } from 'pino';
import { OperatorError } from '../../../src/base/errors.ts';
import { nextTurn } from '../../../src/base/turns.ts';
import type { GroupConfig, InterfaceConfig } from '../../../src/config/types.ts';
import { Devices } from '../../../src/daemon/devices.ts';
import { LATE_MS } from '../../../src/process/late.ts';
import type { System } from '../../../src/system.ts';
import { TestClock } from '../../tools/clock.ts';

const NET0: InterfaceConfig = {
  name: 'net0',
  kind: 'macvtap',
  uplink: 'eth0',
  bridge: null,
  standby: false,
  testAddresses: [],
};
const IPMP0 = {
  name: 'ipmp0',
  addresses: ['192.0.2.1/24'],
  routes: [],
  mtu: 'auto',
  forwarding: false,
} as unknown as GroupConfig;
/** A port whose detaching can be held while others go on. */
const HELD_PORT = 7;
const UP = { link: 'up', changes: 0 } as const;

/** Failures that would end the daemon: no test brings one about. */
const failures: unknown[] = [];
afterEach(() => deepEqual(failures.splice(0), []));

/** Steps in their order; a step that is held goes on when it is let go. */
class Stage {
  readonly steps: string[] = [];
  readonly devices: Devices;
  readonly #held = new Map<string, (() => void)[]>();
  readonly #hold = new Set<string>();
  /** The step that the kernel refuses. */
  refused = '';
  readonly clock = new TestClock();

  constructor() {
    const step = (name: string): Promise<void> => this.#step(name);
    const system = {
      groupPortOf: (name: string) => (name === 'ipmp0' ? 9 : undefined),
      handleGroupDevice: (_name: string, { present }: { present: boolean }) =>
        this.steps.push(present ? 'told a group' : 'told no group'),
      handleDevice: (_name: string, { present, mtu }: { present: boolean; mtu: number }) =>
        this.steps.push(present ? `told present ${mtu}` : 'told absent'),
      handleLink: (_name: string, { link }: { link: string }) => this.steps.push(`told ${link}`),
    };
    this.devices = new Devices({
      host: {
        attachInterface: async () => {
          await step('host opens');
          const fds = [5];
          return { fds, mac: 2, mtu: 1500, ...UP };
        },
        releaseInterface: async () => {
          await step('host closes');
          this.devices.handleAttachable('net0');
        },
        detachInterface: async () => undefined,
        createGroupDevice: async ({ addresses }) => {
          await step(`host makes a group with ${addresses}`);
          return { fds: [6], mtu: 1500, problems: [] };
        },
        removeGroupDevice: () => step('host removes the group'),
        releaseAll: () => step('host closes all'),
        setGroupForwarding: (_name, forwarding) => step(`forwarding ${forwarding}`),
        setGroupMulticast: (_name, address) => step(`join ${address}`),
        addAddress: (_name, address) => step(`add ${address}`),
        deleteAddress: (_name, address) => step(`delete ${address}`),
        addRoute: async (_name, { to }) => {
          await step(`add ${to}`);
          return undefined;
        },
        deleteRoute: (_name, { to }) => step(`delete ${to}`),
        lacking: () => ({ addresses: [], routes: [], connected: [] }),
        restoreConnected: async () => undefined,
        refresh: () => step('host looks'),
      },
      pool: {
        attach: () => step('workers take'),
        detach: (port) => step(port === HELD_PORT ? 'workers let go of it' : 'workers let go'),
      },
      clock: this.clock,
      pump: { input: (body) => body(system as unknown as System, 0) },
      drivers: {
        attached: async () => undefined,
        released: () => undefined,
        removed: () => undefined,
      },
      machineId: 'test',
      queues: 1,
      log: pino({ level: 'silent' }),
      fail: (error) => failures.push(error),
    });
  }

  hold(name: string): void {
    this.#hold.add(name);
  }

  release(name: string): void {
    this.#hold.delete(name);
    for (const go of this.#held.get(name)?.splice(0) ?? []) go();
  }

  /** With net0 attached, and its steps taken. */
  static async attached(): Promise<Stage> {
    const stage = new Stage();
    await stage.devices.addInterface(NET0, 0);
    deepEqual(stage.taken(), OPENED);
    return stage;
  }

  /** With net0 being opened up to the step that is held; `added` resolves when it is open. */
  static async opening(held: string): Promise<{ stage: Stage; added: Promise<void> }> {
    const stage = new Stage();
    stage.hold(held);
    const added = stage.devices.addInterface(NET0, 0);
    await nextTurn();
    return { stage, added };
  }

  /** The host reports that a device is gone. */
  lose(ifname: string): void {
    this.devices.handleDevice({ kind: 'device', ifname, present: false, cause: 'it is gone' });
  }

  /** The steps since the last time. */
  taken(): string[] {
    return this.steps.splice(0);
  }

  async #step(name: string): Promise<void> {
    this.steps.push(name);
    if (this.refused === name) throw new OperatorError('ENOBUFS', `${name}: refused`);
    if (this.#hold.has(name)) {
      await new Promise<void>((resolve) => {
        this.#held.set(name, [...(this.#held.get(name) ?? []), resolve]);
      });
    }
  }
}

const OPENED = ['host opens', 'workers take', 'told present 1500', 'told up'];
const CLOSED = ['told absent', 'workers let go', 'host closes'];

test('given back for good, a device is not taken again', async () => {
  const stage = await Stage.attached();
  await stage.devices.remove('net0');
  deepEqual(stage.taken(), CLOSED);
});

test('a device is unanswered while one of its steps is late', async () => {
  const { stage, added } = await Stage.opening('host opens');
  stage.clock.pass(LATE_MS);
  equal(stage.devices.isUnanswered('net0'), false);
  stage.clock.pass(1);
  equal(stage.devices.isUnanswered('net0'), true);
  equal(stage.devices.isUnanswered('net1'), false, 'there is no such device');
  stage.release('host opens');
  await added;
  equal(stage.devices.isUnanswered('net0'), false);
});

test('a device that cannot be given back in order does not end the daemon', async () => {
  const stage = await Stage.attached();
  stage.refused = 'host closes';
  stage.lose('net0');
  await nextTurn();
  stage.taken();
  stage.devices.handleAttachable('net0');
  await nextTurn();
  deepEqual(stage.taken(), OPENED, 'it is taken again');
  await stage.devices.remove('net0');
  deepEqual(stage.taken(), CLOSED);
});

test('a device that is there and cannot be read is opened anew, at intervals', async () => {
  const stage = await Stage.attached();
  for (let round = 0; round < 2; round++) {
    stage.clock.pass(10);
    stage.devices.handlePortError(0, 22);
    stage.devices.handlePortError(0, 22);
    await nextTurn();
    await nextTurn();
    const expected = ['host looks', 'host looks', ...CLOSED];
    deepEqual(stage.taken(), round === 0 ? [...expected, ...OPENED] : expected);
  }
  stage.clock.pass(stage.clock.delays[0] ?? 0);
  await nextTurn();
  deepEqual(stage.taken(), OPENED);
  await stage.devices.remove('net0');
});

test('a device that cannot be read while it is still being opened is opened anew', async () => {
  const { stage, added } = await Stage.opening('workers take');
  stage.devices.handlePortError(0, 22);
  await nextTurn();
  stage.release('workers take');
  await added;
  await nextTurn();
  deepEqual(stage.taken(), [...OPENED, 'host looks', ...CLOSED, ...OPENED]);
  await nextTurn();
  deepEqual(stage.taken(), [], 'once');

  stage.hold('workers let go');
  stage.lose('net0');
  stage.devices.handlePortError(0, 77);
  stage.release('workers let go');
  await nextTurn();
  await nextTurn();
  deepEqual(stage.taken(), ['told absent', ...CLOSED, ...OPENED], 'an error of what is closed');
  await stage.devices.remove('net0');
});

test('a group that cannot be read while the host looks at it is opened anew', async () => {
  const stage = new Stage();
  stage.hold('host looks');
  const added = stage.devices.addGroup(IPMP0, 9);
  await nextTurn();
  stage.taken();
  stage.devices.handlePortError(9, 22);
  stage.release('host looks');
  await added;
  await nextTurn();
  ok(stage.taken().includes('host removes the group'));
  await stage.devices.remove('ipmp0');
});

test('a device that cannot be read because it is gone is left to the host', async () => {
  const stage = await Stage.attached();
  stage.hold('host looks');
  stage.devices.handlePortError(0, 77);
  stage.lose('net0');
  await nextTurn();
  stage.release('host looks');
  await nextTurn();
  equal(stage.taken().filter((step) => step === 'host closes').length, 1);
  await stage.devices.remove('net0');
});

test('given back with all others, each step is done for all before the next', async () => {
  const stage = new Stage();
  for (const [nic, name] of ['net0', 'net1', 'net2'].entries()) {
    await stage.devices.addInterface({ ...NET0, name }, nic);
  }
  stage.taken();
  stage.hold('workers let go');
  const removing = stage.devices.removeAll();
  await nextTurn();
  const told = Array(3).fill('told absent');
  deepEqual(stage.taken(), [...told, ...Array(3).fill('workers let go')], 'nothing is closed yet');
  stage.release('workers let go');
  await removing;
  deepEqual(stage.taken(), ['host closes all']);
  stage.devices.handleAttachable('net0');
  await nextTurn();
  deepEqual(stage.taken(), []);
});

test('given back with all others while it is being opened, a device is closed too', async () => {
  const { stage, added } = await Stage.opening('workers take');
  const removing = stage.devices.removeAll();
  await nextTurn();
  stage.release('workers take');
  await Promise.all([added, removing]);
  deepEqual(stage.taken(), [...OPENED, ...CLOSED, 'host closes all']);
});

test('a device that goes while the workers take it is taken when it is back', async () => {
  const { stage, added } = await Stage.opening('workers take');
  stage.lose('net0');
  stage.release('workers take');
  await added;
  await nextTurn();
  const steps = stage.taken();
  deepEqual(steps.slice(0, OPENED.length), OPENED);
  equal(steps.filter((step) => step === 'host closes').length, 1);
  deepEqual(steps.slice(-OPENED.length), OPENED);
});

test('what changes while the workers take a device follows its appearance', async () => {
  const { stage, added } = await Stage.opening('workers take');
  stage.devices.handleLink({ kind: 'link', ifname: 'net0', link: 'down', changes: 1 });
  const news = { present: true, mac: 2, mtu: 1400, up: true } as const;
  stage.devices.handleDevice({ kind: 'device', ifname: 'net0', ...news });
  stage.release('workers take');
  await added;
  deepEqual(stage.taken(), [...OPENED, 'told down', 'told present 1400']);
});

test('a group that is changed at any step of its opening carries the change', async () => {
  for (const held of ['workers take', 'host looks', 'join 224.0.0.5']) {
    const stage = new Stage();
    await stage.devices.addGroup(IPMP0, 9);
    const contents = stage.devices.contentsOf('ipmp0');
    ok(contents !== undefined);
    await contents.setForwarding(true);
    await contents.setMulticast('224.0.0.5', true);
    stage.lose('ipmp0');
    await nextTurn();
    stage.taken();
    stage.hold(held);
    stage.devices.handleAttachable('ipmp0');
    await nextTurn();
    deepEqual(stage.taken().slice(-1), [held]);
    await contents.addAddress('192.0.2.2/24');
    await contents.removeAddress('192.0.2.1/24');
    await contents.addRoute({ to: 'default', via: null, onlink: false, family: 4 });
    await contents.setForwarding(false);
    stage.release(held);
    await nextTurn();
    const changes = stage.taken().filter((one) => /^(add|delete|forwarding) /.test(one));
    deepEqual(
      changes,
      ['forwarding false', 'delete 192.0.2.1/24', 'add 192.0.2.2/24', 'add default'],
      held,
    );
    await contents.removeAddress('192.0.2.2/24');
    deepEqual(stage.taken(), ['delete 192.0.2.2/24'], 'at once');
  }
});

test('a group that is refused after the workers took its device is given back whole', async () => {
  const stage = new Stage();
  stage.refused = 'host looks';
  await stage.devices.addGroup(IPMP0, 9);
  deepEqual(stage.taken(), [
    'host makes a group with 192.0.2.1/24',
    'workers take',
    'told a group',
    'host looks',
    'told no group',
    'workers let go',
    'host removes the group',
  ]);
  equal(stage.devices.refusalOf('ipmp0')?.code, 'ENOBUFS');
  await stage.devices.remove('ipmp0');
  deepEqual(stage.taken(), ['host removes the group'], 'the host does not try it again');
});

test('nothing is closed for all while a device that was lost meanwhile is let go', async () => {
  const stage = new Stage();
  await stage.devices.addInterface({ ...NET0, name: 'net1' }, HELD_PORT);
  stage.hold('host opens');
  const added = stage.devices.addInterface(NET0, 0);
  const removing = stage.devices.removeAll();
  stage.hold('workers let go of it');
  stage.lose('net1');
  stage.release('host opens');
  await added;
  await nextTurn();
  ok(!stage.taken().includes('host closes all'));
  stage.release('workers let go of it');
  await removing;
  equal(stage.taken().at(-1), 'host closes all');
});
