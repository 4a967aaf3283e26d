/**
 * Requests at a bad moment: a change of forwarding, a neighbour set and shown, a multicast join and
 * readings of kstats, each by name, in each window of the life of a group and of an interface. Each
 * is done or refused without side effects; the tables below have which.
 *
 * `+` before an outcome: it comes when the window has ended, since a writer is at work (ipsq) or a
 * driver has not answered. `gone`: there is no such kstat. References to a group are held by joins
 * alone, and a group that is being joined is in use: so no window of it is a wait for them. The
 * stage checks after every step that everything found by its name is complete.
 */

import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { OperatorError } from '../../../src/base/errors.ts';
import type { Operation, Task } from '../../../src/base/operation.ts';
import { collectKstats } from '../../../src/stats/kstat.ts';
import type { System } from '../../../src/system.ts';
import { GROUP, outcomeOf, Stage } from './stage.ts';

/** Brings a stage into one window. */
type Window = (stage: Stage) => void;
/** One request: an operation, or done at once. A text as its result is the outcome. */
type Path = (system: System) => Operation<unknown> | string;

const NEIGHBOR = { dst: '192.0.2.7', lladdr: '02:00:00:00:0a:01', proxy: false };

function* readKstat(system: System, module: string, name: string): Operation<string> {
  const records = yield* collectKstats(
    system.kstats,
    (kstat) => kstat.module === module && kstat.name === name,
  );
  return records.length === 0 ? 'gone' : 'data';
}

const PATHS: Readonly<Record<string, Path>> = {
  forwarding: (system) => system.setGroup(GROUP, { forwarding: false }),
  'neigh set': (system) => {
    system.setNeighbor(GROUP, NEIGHBOR);
    return 'done';
  },
  'neigh show': (system) => (system.describeNeighbors().length === 0 ? 'none' : 'shown'),
  multicast: (system) => system.joinMulticast(GROUP, '239.1.2.3'),
  'ipmp kstat': (system) => readKstat(system, 'ipmp', GROUP),
  'link kstat': (system) => readKstat(system, 'link', 'net0'),
};

function nics(stage: Stage): void {
  for (const name of ['net0', 'net1']) {
    stage.createInterface(name);
    stage.attach(name);
  }
}

function grouped(stage: Stage): void {
  nics(stage);
  stage.createGroup(['net0']);
}

/** A group that works, with its device, one address, and one neighbour already set. */
function working(stage: Stage): void {
  grouped(stage);
  stage.attachGroup();
  stage.system.setNeighbor(GROUP, { ...NEIGHBOR, dst: '192.0.2.8' });
}

function empty(stage: Stage): void {
  working(stage);
  stage.run('leave', () => stage.system.leaveGroup(GROUP, 'net0'));
}

/** A group with a writer: its last member leaves, and the driver has not answered. */
function leaving(stage: Stage): void {
  working(stage);
  stage.hold('driver net0');
  stage.begin('leave', () => stage.system.leaveGroup(GROUP, 'net0'));
  stage.advance(50);
}

const GROUP_WINDOWS: Readonly<Record<string, Window>> = {
  'not there yet': nics,
  'visible, first member joining': (stage) => {
    nics(stage);
    stage.hold('driver net0');
    stage.createGroup(['net0']);
  },
  'visible, without device': grouped,
  'device attached': working,
  'last member leaving': leaving,
  'without members': empty,
  'delete waits for a writer': (stage) => {
    leaving(stage);
    stage.deleteGroup();
  },
  'condemned, device closing': (stage) => {
    empty(stage);
    stage.hold('close');
    stage.deleteGroup();
    deepEqual(stage.closed, []);
  },
  'unlinked, its kstat being read': (stage) => {
    working(stage);
    stage.hold('driver net0');
    stage.begin('reader', () => readKstat(stage.system, 'ipmp', GROUP));
    stage.open('driver net0');
    stage.run('leave', () => stage.system.leaveGroup(GROUP, 'net0'));
    equal(stage.deleteGroup().state, 'running', 'the reader keeps the kstat');
    deepEqual(stage.closed, [GROUP]);
  },
  destroyed: (stage) => {
    empty(stage);
    equal(stage.deleteGroup().state, 'done');
  },
};

const deleteNet0 = (stage: Stage): void => {
  stage.begin('delete net0', () => stage.system.deleteInterface('net0'));
};

/** The group of net1, without net0. */
function other(stage: Stage): void {
  stage.createInterface('net1');
  stage.attach('net1');
  stage.createGroup(['net1']);
  stage.attachGroup();
}

function visible(stage: Stage): void {
  other(stage);
  stage.createInterface('net0');
}

function attached(stage: Stage): void {
  visible(stage);
  stage.attach('net0');
}

function member(stage: Stage): void {
  attached(stage);
  stage.run('join', () => stage.system.joinGroup(GROUP, 'net0'));
}

const INTERFACE_WINDOWS: Readonly<Record<string, Window>> = {
  'not there yet': other,
  'visible, without device': visible,
  'device attached': attached,
  joining: (stage) => {
    attached(stage);
    stage.hold('driver net0');
    stage.begin('join', () => stage.system.joinGroup(GROUP, 'net0'));
  },
  member,
  'leaving, to be deleted': (stage) => {
    member(stage);
    stage.hold('driver net0');
    deleteNet0(stage);
    stage.advance(50);
    equal(stage.system.describeInterfaces().length, 2);
  },
  'condemned, a reference held': (stage) => {
    member(stage);
    stage.run('leave', () => stage.system.leaveGroup(GROUP, 'net0'));
    stage.hold('driver net0');
    stage.begin('reader', () => readKstat(stage.system, 'link', 'net0'));
    deleteNet0(stage);
    equal(stage.system.nicOf('net0') !== undefined, true, 'it drains first');
  },
  destroyed: (stage) => {
    member(stage);
    stage.run('delete net0', () => stage.system.deleteInterface('net0'));
    equal(stage.system.nicOf('net0'), undefined);
  },
};

function ask(stage: Stage, path: Path): Task<unknown> | string {
  try {
    const request = path(stage.system);
    return typeof request === 'string' ? request : stage.begin('request', () => request);
  } catch (error) {
    if (error instanceof OperatorError) return error.code;
    throw error;
  }
}

/** One request in one window, on a stage of its own. */
function outcome(window: Window, path: Path): string {
  const stage = new Stage();
  window(stage);
  const asked = ask(stage, path);
  stage.check();
  const isAtOnce = typeof asked === 'string' || asked.state !== 'running';
  stage.end();
  return `${isAtOnce ? '' : '+'}${typeof asked === 'string' ? asked : outcomeOf(asked)}`;
}

/** All paths in all windows, as a table of text. */
function tableOf(windows: Readonly<Record<string, Window>>): string {
  const names = Object.keys(PATHS);
  const rows = Object.entries(windows).map(([name, window]) => [
    name,
    ...Object.values(PATHS).map((path) => outcome(window, path)),
  ]);
  const all = [['', ...names], ...rows];
  const widths = ['', ...names].map((name, at) => (at === 0 ? 30 : name.length) + 2);
  const lines = all.map((cells) =>
    cells
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

const GROUP_TABLE = `\
                                forwarding  neigh set  neigh show  multicast  ipmp kstat  link kstat
not there yet                   ENOENT      ENOENT     none        ENOENT     gone        data
visible, first member joining   +done       done       none        +done      data        +data
visible, without device         done        done       none        done       data        data
device attached                 done        done       shown       done       data        data
last member leaving             +done       done       shown       +done      +data       +data
without members                 done        done       shown       done       data        data
delete waits for a writer       +ENOENT     done       shown       +ENOENT    +data       +data
condemned, device closing       ENOENT      ENOENT     shown       ENOENT     data        data
unlinked, its kstat being read  ENOENT      ENOENT     none        ENOENT     gone        data
destroyed                       ENOENT      ENOENT     none        ENOENT     gone        data
`;

const INTERFACE_TABLE = `\
                                forwarding  neigh set  neigh show  multicast  ipmp kstat  link kstat
not there yet                   done        done       none        done       data        gone
visible, without device         done        done       none        done       data        data
device attached                 done        done       none        done       data        data
joining                         +done       done       none        +done      data        +data
member                          done        done       none        done       data        data
leaving, to be deleted          +done       done       none        +done      +data       +data
condemned, a reference held     done        done       none        done       data        +data
destroyed                       done        done       none        done       data        gone
`;

for (const [what, windows, expected] of [
  ['a group', GROUP_WINDOWS, GROUP_TABLE],
  ['an interface', INTERFACE_WINDOWS, INTERFACE_TABLE],
] as const) {
  test(`every path in every window of ${what}`, () => {
    const table = tableOf(windows);
    process.stdout.write(table);
    equal(table, expected);
  });
}

/** An attempt to delete the group, which is refused and changes nothing. */
function refusedDelete(stage: Stage): { code: string; message: string; hint: string | undefined } {
  const before = stage.describe();
  const task = stage.deleteGroup();
  equal(task.state, 'failed', 'refused at once');
  deepEqual(stage.describe(), before, 'nothing was changed');
  deepEqual(stage.closed, [], 'its device was not touched');
  equal(stage.system.pollEvent(), undefined, 'there is no event');
  const { error } = task;
  if (!(error instanceof OperatorError)) throw error;
  return { code: error.code, message: error.message, hint: error.hint };
}

test('a group in use is not unlinked: EBUSY with the reason, and nothing of it is changed', () => {
  const stage = new Stage();
  working(stage);
  stage.run('join', () => stage.system.joinGroup(GROUP, 'net1'));
  stage.run('multicast', () => stage.system.joinMulticast(GROUP, '239.1.2.3'));
  while (stage.system.pollEvent() !== undefined);
  deepEqual(refusedDelete(stage), {
    code: 'EBUSY',
    message: 'cannot delete group ipmp0: it still has members net0, net1',
    hint: 'remove them first: ipmpadm group remove ipmp0 net0 net1',
  });
  stage.run('leave', () => stage.system.leaveGroup(GROUP, 'net0'));
  while (stage.system.pollEvent() !== undefined);
  match(refusedDelete(stage).message, /^cannot delete group ipmp0: it still has members net1$/);
  stage.end();
});

test('a group that is being joined is in use', () => {
  const stage = new Stage();
  leaving(stage);
  const deleting = stage.deleteGroup();
  const joining = stage.begin('join', () => stage.system.joinGroup(GROUP, 'net1'));
  stage.release();
  equal(outcomeOf(deleting), 'EBUSY');
  equal(outcomeOf(joining), 'done');
  match(String(deleting.error), /cannot delete group ipmp0: net1 joins it at this moment/);
  deepEqual(stage.closed, []);
  stage.end();
});

test('two deletions of one group: one is done, one finds none, and then the name is free', () => {
  const stage = new Stage();
  empty(stage);
  stage.hold('close');
  const first = stage.deleteGroup();
  const second = stage.deleteGroup();
  equal(outcomeOf(second), 'ENOENT');
  equal(outcomeOf(stage.createGroup([])), 'EEXIST', 'its device is still there');
  stage.release();
  equal(outcomeOf(first), 'done');
  deepEqual(stage.closed, [GROUP]);
  equal(outcomeOf(stage.createGroup(['net0'])), 'done');
  stage.end();
});

test('requests that wait for the host do not keep a group from deletion', () => {
  const stage = new Stage();
  empty(stage);
  stage.hold('host');
  const asking = [
    stage.begin('set', () => stage.system.setGroup(GROUP, { forwarding: false })),
    stage.begin('join', () => stage.system.joinMulticast(GROUP, '239.9.9.9')),
  ];
  equal(outcomeOf(stage.deleteGroup()), 'done');
  stage.release();
  deepEqual(asking.map(outcomeOf), ['ENOENT', 'ENOENT']);
  stage.end();
});

test('two deletions that waited for the same writer: one is done, one finds none', () => {
  const stage = new Stage();
  leaving(stage);
  const deletions = [stage.deleteGroup(), stage.deleteGroup()];
  stage.end();
  deepEqual(deletions.map(outcomeOf), ['done', 'ENOENT']);
  deepEqual(stage.closed, [GROUP]);
});
