/**
 * Mutants: the faults that the rules of locks and lifetimes exclude, and an object for each frame;
 * each as an edit of the real code, with the test that must fail and what in it notices.
 *
 * Edits of `.js` are made in the compiled code, and a test runs over it. Edits of `.ts` are made
 * in the source, and the compiler must refuse it. What an edit looks for occurs exactly once.
 */

import { WAITING } from './waiting.ts';

/** What notices a fault: base/witness.ts; the expectation of a test; the compiler. */
export type Catcher = 'witness' | 'checker' | 'type system';

/** One replacement in one file. */
export interface Edit {
  /** Below the root of the compiled code (`src/…js`) or of the project (`src/…ts`). */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A test file below test/, and which of its tests (an exact title). */
export interface Check {
  readonly file: string;
  readonly title: string;
}

export interface Mutant {
  readonly fault: string;
  readonly edits: readonly Edit[];
  /** undefined: the compiler checks the edited files. */
  readonly check: Check | undefined;
  /** What notices; of the witness with the kind of its report. */
  readonly caughtBy: Catcher | `witness [${string}]`;
}

const COLLECTOR = 'src/stats/collector.js';
const COUNTERS = 'src/stats/group-counters.js';
const LIFECYCLE = 'src/ipmp/act/lifecycle.js';
const GROUP = 'src/ipmp/object/group.js';
const MEMBERSHIP = 'src/ipmp/act/membership.js';
const TRACKED = 'src/ipmp/object/tracked.js';

const inEveryOrder = (scenario: string): Check => ({
  file: 'sim/order/all-interleavings',
  title: `every order of: ${scenario}`,
});
const collector = (title: string): Check => ({ file: 'unit/stats/collector', title });
const lifecycle = (title: string): Check => ({ file: 'unit/system/lifecycle', title });

const ASK_ALL = 'allOf(snapshot.members.map((member) => this.#ask(member, deadlineMs)))';

/** The lock held where something waits or leaves the process. */
const UNDER_THE_LOCK: readonly Mutant[] = [
  {
    fault: 'the global ill lock is held over the calls of drivers',
    edits: [{ file: COLLECTOR, find: ASK_ALL, replace: `region.read(() => ${ASK_ALL})` }],
    check: inEveryOrder('kstat read, unplumb'),
    caughtBy: 'witness [region]',
  },
  {
    fault: 'the global ill lock is held over a driver call, for the compiler',
    edits: [
      {
        file: 'src/stats/collector.ts',
        find: 'const reference = region.read(() => this.source.hold());',
        replace:
          'const reference = region.read(() => this.source.hold());\n' +
          '    yield* region.read(() => this.linkStatistics(nic, this.name));',
      },
    ],
    check: undefined,
    caughtBy: 'type system',
  },
  {
    fault: 'the event of a join is posted under the global ill lock',
    edits: [
      {
        file: MEMBERSHIP,
        find: 'group.grp.addMember(tracked);',
        replace: "group.grp.addMember(tracked); post(ctx, 'member-added', 'joined', {});",
      },
    ],
    check: inEveryOrder('join, leave'),
    caughtBy: 'witness [boundary]',
  },
  {
    fault: 'a frame is sent under the global ill lock',
    edits: [
      {
        file: MEMBERSHIP,
        find: 'group.grp.removeMember(tracked);',
        replace:
          'group.grp.removeMember(tracked);' +
          ' ctx.transmissions.push({ port: tracked.nic, frame: new Uint8Array(60) });',
      },
    ],
    check: inEveryOrder('kstat read, leave'),
    caughtBy: 'witness [boundary]',
  },
  {
    fault: 'the kstat is deleted under the global ill lock',
    edits: [
      {
        file: LIFECYCLE,
        find: 'group.references.unlink();',
        replace: 'group.references.unlink(); return kstats.destroy(group.kstat);',
      },
    ],
    check: inEveryOrder('kstat read, group delete'),
    caughtBy: 'witness [region]',
  },
  {
    fault: 'the kstat is deleted under the global ill lock, for the compiler',
    edits: [
      {
        file: 'src/ipmp/act/lifecycle.ts',
        find: 'group.references.unlink();',
        replace: 'group.references.unlink();\n      return kstats.destroy(group.kstat);',
      },
    ],
    check: undefined,
    caughtBy: 'type system',
  },
  {
    fault: 'the owner of a kstat waits for an ipsq',
    edits: [
      { file: GROUP, find: 'import { WaitLock }', replace: 'import { acquire, WaitLock }' },
      {
        file: GROUP,
        find: 'linkStatistics: ctx.linkStatistics,',
        replace:
          'linkStatistics: ((group) => function* (nic, ifname) {\n' +
          '                const writer = yield* acquire(group.ipsq);\n' +
          '                try { return yield* ctx.linkStatistics(nic, ifname); }\n' +
          '                finally { writer.release(); }\n' +
          '            })(this),',
      },
    ],
    check: inEveryOrder('kstat read, leave'),
    caughtBy: 'witness [order]',
  },
  {
    fault: 'a task that found the wrong ipsq keeps it',
    edits: [{ file: MEMBERSHIP, find: 'held.release();', replace: '' }],
    check: inEveryOrder('unplumb, leave'),
    caughtBy: 'witness',
  },
];

/** Objects that come or go in the wrong order. */
const LIVES: readonly Mutant[] = [
  {
    fault: 'the illgrp is created after its ill has become visible',
    edits: [
      {
        file: LIFECYCLE,
        find: "post(ctx, 'group-added', 'configured', {",
        replace:
          'const { grp } = group; group.grp = undefined;\n' +
          "        yield { label: 'late', begin: (waker) => waker.expireAt(\n" +
          '            waker.scheduler.nowMs + 1, () => waker.resolve()) };\n' +
          '        group.grp = grp;\n' +
          "        post(ctx, 'group-added', 'configured', {",
      },
    ],
    check: inEveryOrder('group plumb, unplumb'),
    caughtBy: 'checker',
  },
  {
    fault: 'the illgrp may be absent, for the compiler',
    edits: [
      {
        file: 'src/ipmp/object/group.ts',
        find: 'readonly grp: IllGroup = new IllGroup();',
        replace: 'grp: IllGroup | undefined = new IllGroup();',
      },
    ],
    check: undefined,
    caughtBy: 'type system',
  },
  {
    fault: 'a group is unlinked before its device is gone',
    edits: [
      {
        file: LIFECYCLE,
        find: 'yield* ctx.closeGroupDevice(group.ifname);',
        replace: 'unlinkGroup(ctx, group); yield* ctx.closeGroupDevice(group.ifname);',
      },
      {
        file: LIFECYCLE,
        find: 'yield* group.references.drained();\n    unlinkGroup(ctx, group);',
        replace: '',
      },
    ],
    check: lifecycle('the device of a group goes before the group: it is never visible without it'),
    caughtBy: 'checker',
  },
  {
    fault: 'a group that is being joined is destroyed before it is drained',
    edits: [
      { file: LIFECYCLE, find: 'refuseGroupInUse(group);', replace: '' },
      { file: LIFECYCLE, find: 'yield* group.references.drained();', replace: '' },
    ],
    check: inEveryOrder('join, group delete'),
    caughtBy: 'checker',
  },
  {
    fault: 'an interface is destroyed before it is drained',
    edits: [{ file: LIFECYCLE, find: 'yield* tracked.phyint.references.drained();', replace: '' }],
    check: inEveryOrder('kstat read, unplumb'),
    caughtBy: 'witness [early-free]',
  },
  {
    fault: 'a condemned interface gets new references',
    edits: [
      {
        file: TRACKED,
        find: '(phyint.references.condemned ? undefined : ',
        replace: '(',
      },
    ],
    check: inEveryOrder('two readers, unplumb'),
    caughtBy: 'witness [condemned]',
  },
  {
    fault: 'a reader takes no references',
    edits: [
      {
        file: GROUP,
        find: "reference: phyint.references.hold('kstat')",
        replace: 'reference: { release: () => undefined }',
      },
    ],
    check: inEveryOrder('kstat read, unplumb'),
    caughtBy: 'checker',
  },
  {
    fault: 'a reader forgets its references',
    edits: [{ file: COLLECTOR, find: 'member.reference.release();', replace: 'member.reference;' }],
    check: inEveryOrder('kstat read, unplumb'),
    caughtBy: 'checker',
  },
  {
    fault: 'a join forgets its reference',
    edits: [
      {
        file: MEMBERSHIP,
        find: "__addDisposableResource(env_1, tracked.phyint.references.hold('join'), false)",
        replace: "tracked.phyint.references.hold('join')",
      },
    ],
    check: inEveryOrder('join, leave'),
    caughtBy: 'checker',
  },
  {
    fault: 'a reader releases its references twice',
    edits: [
      {
        file: COLLECTOR,
        find: 'member.reference.release();',
        replace: 'member.reference.release(), member.reference.release();',
      },
    ],
    check: inEveryOrder('kstat read, leave'),
    caughtBy: 'witness [double-release]',
  },
];

/** Counters that do not add up. */
const COUNTING: readonly Mutant[] = [
  {
    fault: 'the generation check is left out',
    edits: [
      {
        file: COLLECTOR,
        find: 'if (counters.generation !== snapshot.generation)',
        replace: 'if (false)',
      },
    ],
    check: collector('a member that joins while a read asks is asked too'),
    caughtBy: 'checker',
  },
  {
    fault: 'a leave does not heed the high-water mark',
    edits: [
      {
        file: COUNTERS,
        find: 'const contribution = linkCountersSubtract(member.seen, member.kstats0);',
        replace:
          'const contribution = linkCountersSubtract(value ?? member.kstats0, member.kstats0);',
      },
    ],
    check: collector('a leave commits what was published, not less'),
    caughtBy: 'checker',
  },
  {
    fault: 'what a member had counted before its join is counted',
    edits: [
      {
        file: COUNTERS,
        find: 'new MemberCounters(value)',
        replace: 'new MemberCounters(LINK_COUNTERS_ZERO)',
      },
    ],
    check: collector(
      '[contract 6.1] a group counts from the join on and keeps what a leaver counted',
    ),
    caughtBy: 'checker',
  },
  {
    fault: 'a leave adds all that the NIC has ever counted',
    edits: [
      {
        file: COUNTERS,
        find: 'this.#baseline = linkCountersAdd(this.#baseline, contribution);',
        replace: 'this.#baseline = linkCountersAdd(this.#baseline, member.seen);',
      },
    ],
    check: collector(
      '[contract 6.1] a group counts from the join on and keeps what a leaver counted',
    ),
    caughtBy: 'checker',
  },
  {
    fault: 'a NIC that has left still counts as a member',
    edits: [
      {
        file: COUNTERS,
        find: 'this.#members.delete(member)',
        replace: 'this.#members.has(member)',
      },
    ],
    check: collector(
      '[contract 6.1] a group counts from the join on and keeps what a leaver counted',
    ),
    caughtBy: 'checker',
  },
];

/** What would cost time instead of truth. */
const SPEED: readonly Mutant[] = [
  {
    fault: 'the forwarder makes an object for each frame',
    edits: [
      {
        file: 'src/datapath/forwarder.js',
        find: 'this.#outPort[i] = verdict >= 0 ? verdict : DONE;',
        replace: 'this.#outPort[i] = verdict >= 0 ? verdict : DONE; this.last = { i, verdict };',
      },
    ],
    check: { file: 'unit/datapath/heap', title: 'no way through the forwarder allocates' },
    caughtBy: 'checker',
  },
];

/** All mutants. */
export const MUTANTS: readonly Mutant[] = [
  ...UNDER_THE_LOCK,
  ...LIVES,
  ...COUNTING,
  ...WAITING,
  ...SPEED,
];
