/** The phases of a life themselves: each notices what it is there for. */

import { deepEqual, doesNotThrow, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { OperatorError } from '../../../src/base/errors.ts';
import { sleepFor } from '../../../src/base/operation.ts';
import { type Reference, References } from '../../../src/base/reference.ts';
import { PLACEMENT } from '../../../src/datapath/tables/layout.ts';
import { Life } from './life.ts';
import { drawSchedule, NICS, type Schedule } from './schedule.ts';
import { brokenBy, shorten } from './soak.ts';

const STEPS: Schedule['steps'] = [
  { atMs: 100, act: { kind: 'leave', group: 'ipmp0', nic: 'net0' } },
  { atMs: 100, act: { kind: 'unplumb', nic: 'net1' } },
  { atMs: 400, act: { kind: 'read', module: 'link', name: 'net0' } },
];

/** A life of a few steps in which `lie` makes something wrong before it begins. */
function lived(lie: (life: Life) => void): () => void {
  const life = new Life({ seed: 1, settings: {}, nics: NICS, steps: STEPS });
  lie(life);
  return () => life.live();
}

test('a life without a lie', () => {
  doesNotThrow(lived(() => undefined));
});

test('operationsEnd: an unplumb that waits for ever', () => {
  const endless = lived(({ world }) => {
    world.system.deleteInterface = () => sleepFor(1e9);
  });
  throws(endless, /^Error: operationsEnd .*unplumb net1/);
});

test('dataOrGone: a read that ends in something else', () => {
  const broken = lived(({ world }) => {
    world.system.kstats.lookup = () => {
      throw new OperatorError('EIO');
    };
  });
  throws(broken, /^Error: dataOrGone/);
});

test('wellAgain: a NIC that stays broken, a gateway that is silent', () => {
  const stuck = lived(({ world }) => {
    world.system.joinGroup = () => sleepFor(0);
  });
  throws(stuck, /^Error: wellAgain .*group/);
  const silent = lived(({ gateway }) => {
    gateway.addresses = [];
  });
  throws(silent, /^Error: wellAgain .*lost/);
});

test('accountsAgree: a driver that counts every frame twice', () => {
  const twice = lived(({ world }) => {
    const { drivers } = world;
    const real = drivers.ask.bind(drivers);
    drivers.ask = function* (port, ifname) {
      const counters = yield* real(port, ifname);
      return { ...counters, ipackets: counters.ipackets * 2n };
    };
  });
  throws(twice, /^Error: accountsAgree .*link net0/);
});

test('nothingLeft: a reference, a word of the forwarding path, a port', () => {
  const references = new References('phyint', 'forgotten');
  let held: Reference | undefined;
  const holding = lived(() => {
    held = references.hold('test');
  });
  throws(holding, /^Error: nothingLeft .*1 references to a phyint/);
  held?.release();
  const word = lived(({ world }) => {
    const { system, datapath } = world;
    const real = system.deleteInterface.bind(system);
    system.deleteInterface = (name) => {
      Atomics.store(new Int32Array(datapath.memory), PLACEMENT + 7, 1);
      return real(name);
    };
  });
  throws(word, /^Error: nothingLeft .*1 words of placement slots/);
  const port = lived(({ world }) => {
    world.devices.forgetNic = () => undefined;
  });
  throws(port, /^Error: nothingLeft .*ports with a device/);
});

test('shorten: what is left are the steps that matter', () => {
  const schedule = drawSchedule(5);
  const isWanted = ({ act }: Schedule['steps'][number]): boolean =>
    act.kind === 'read' && act.module === 'ipmp';
  const wanted = schedule.steps.filter(isWanted).slice(0, 2);
  const check = ({ steps }: Schedule): string | undefined =>
    wanted.every((step) => steps.includes(step)) ? 'found' : undefined;
  deepEqual(shorten(schedule, check).steps, wanted);
  deepEqual(brokenBy(drawSchedule(5)), undefined);
});
