/**
 * Mutants of the models: one rule left out each, as replacements in the model's text. Every one
 * must be caught; `by` is what catches it. Should one pass, the model proves less than it seems.
 */

import type { Search } from './spin.ts';

/** One piece of text that is replaced; it must occur exactly once. */
export interface Replacement {
  readonly find: string;
  readonly put: string;
}

/** A model with one rule left out. */
export interface Mutant {
  /** The rule that is left out, as a sentence about the mutant. */
  readonly name: string;
  readonly model: string;
  readonly defines: readonly string[];
  readonly search: Search;
  readonly replace: readonly Replacement[];
  /** The outcome of the search. */
  readonly by: string;
}

/** Under weak fairness there is a run in which a waiter is never served. */
const NEVER = 'a task is never served';
const ONE_NIC = ['NICS=1'];
const JOINING = ['NICS=1', 'MEMBERS=0', 'JOINERS=1'];
const MEMBER_JOINING = ['NICS=1', 'JOINERS=1'];
const LINK_READER = ['NICS=1', 'LINK_READERS=1'];

function mutant(
  name: string,
  by: string,
  replace: readonly Replacement[],
  options: { model?: string; defines?: readonly string[]; search?: Search } = {},
): Mutant {
  const { model = 'new-order.pml', defines = ONE_NIC, search = 'safety' } = options;
  return { name, by, replace, model, defines, search };
}

const replacement = (find: string, put: string): Replacement => ({ find, put });

const LOCKS: readonly Mutant[] = [
  mutant('the kstat is deleted inside the region', 'assert (inside!=_pid)', [
    replacement(
      '    listed[GROUP_KSTAT] = false;\n  END_REGION\n  destroy_kstat(GROUP_KSTAT);',
      '    listed[GROUP_KSTAT] = false;\n    destroy_kstat(GROUP_KSTAT);\n  END_REGION',
    ),
  ]),
  mutant('the drivers are asked inside the region', 'assert (inside!=_pid)', [
    replacement(
      '       n = 0;\n     END_REGION\n     ask_drivers();',
      '       ask_drivers();\n     END_REGION',
    ),
  ]),
  mutant(
    'a reader of the kstat takes the ipsq, which the remover keeps',
    NEVER,
    [
      replacement(
        '-> collect_group()',
        '-> acquire(GROUP_IPSQ); collect_group(); release(GROUP_IPSQ)',
      ),
      replacement(
        '  destroy_kstat(GROUP_KSTAT);',
        '  acquire(GROUP_IPSQ); destroy_kstat(GROUP_KSTAT); release(GROUP_IPSQ);',
      ),
    ],
    { search: 'served' },
  ),
  mutant('a waiter that gives up stays in the queue', 'assert (owner[i]==255)', [
    replacement('-> queue[lock] ?? eval(_pid) }', '-> skip }'),
  ]),
  mutant(
    'a driver call has no deadline',
    NEVER,
    [
      replacement(
        'atomic { boundary(); assert(!freed[n]) };\n  assert(!freed[n])',
        'atomic { boundary(); assert(!freed[n]) };\n' +
          '  if\n  :: skip\n  :: skip; false\n  fi;\n  assert(!freed[n])',
      ),
    ],
    { search: 'served' },
  ),
  mutant(
    'a writer does not look again which lock it needs',
    'assert (lock==0)',
    [
      replacement(
        '     if\n     :: lock == WRITER_LOCK(n) -> break\n     :: else -> release(lock)\n     fi',
        '     break',
      ),
    ],
    { defines: JOINING },
  ),
];

const LIFETIMES: readonly Mutant[] = [
  mutant('a reader takes no reference', 'assert (!(mine[n])||!(freed[n]))', [
    replacement('-> hold(n); mine[n] = true', '-> mine[n] = true'),
    replacement('-> give(n); mine[n] = false', '-> mine[n] = false'),
  ]),
  mutant(
    'a reader takes its reference after the region',
    'assert !(condemned[n])',
    [
      replacement(':: !condemned[n] -> hold(n); mine = true', ':: !condemned[n] -> mine = true'),
      replacement(':: mine -> ask_driver(n)', ':: mine -> hold(n); ask_driver(n)'),
    ],
    { defines: LINK_READER },
  ),
  mutant('a reference is forgotten', 'assert (refs[n]<20)', [
    replacement('-> give(n); mine[n] = false', '-> mine[n] = false'),
  ]),
  mutant('a reference is released twice', 'assert (refs[n]>0)', [
    replacement('-> give(n); mine[n] = false', '-> give(n); give(n); mine[n] = false'),
  ]),
  mutant('an interface is freed before it is drained', 'assert (refs[n]==0)', [
    replacement('  refs[n] == 0;             /* drained, with no lock held */\n', ''),
  ]),
  mutant('an interface is freed before it is unlinked', 'assert (!(linked[n])||!(freed[n]))', [
    replacement(
      '  REGION\n    linked[n] = false;\n',
      '  free(n);\n  REGION\n    linked[n] = false;\n',
    ),
    replacement('  free(n);\nrefused:', '  skip;\nrefused:'),
  ]),
  mutant(
    'a reader does not ask whether its interface is condemned',
    'assert !(condemned[n])',
    [replacement(':: !condemned[n] -> hold(n); mine = true', ':: hold(n); mine = true')],
    { defines: LINK_READER },
  ),
  mutant(
    'an interface is condemned a turn after it has left',
    'assert !(condemned[n])',
    [
      replacement('cut_membership(n); condemn(n) };', 'cut_membership(n) };'),
      replacement(
        '  :: else -> condemn(n)\n  fi;\n  release(lock);',
        '  :: else\n  fi;\n  condemn(n);\n  release(lock);',
      ),
    ],
    { defines: MEMBER_JOINING },
  ),
  mutant(
    'what is deleted already is deleted again',
    'assert !(condemned[n])',
    [
      replacement('  :: condemned[n] -> release(lock); goto refused\n', ''),
      replacement(':: !condemned[n] && joining[n]', ':: joining[n]'),
    ],
    { defines: ['NICS=1', 'RIVALS=1'] },
  ),
  mutant('a kstat is retired without waiting for its reader', 'assert !(freed[1])', [
    replacement(
      '  acquire(kstat);\n  retired[kstat] = true;\n  release(kstat)',
      '  retired[kstat] = true',
    ),
  ]),
  mutant('a group is freed with its kstat in the chain', 'assert !(freed[1])', [
    replacement('    listed[GROUP_KSTAT] = false;\n', ''),
    replacement('  destroy_kstat(GROUP_KSTAT);\n', ''),
  ]),
  mutant(
    'a group is deleted while an interface is joining',
    'assert ((members==0)&&(pending_joins==0))',
    [replacement(':: members > 0 || pending_joins > 0 ->', ':: members > 0 ->')],
    { defines: JOINING },
  ),
  mutant(
    'a condemned group accepts a join',
    'assert !(condemned[1])',
    [replacement(':: !visible || condemned[GROUP] ->', ':: !visible ->')],
    { defines: JOINING },
  ),
  mutant(
    'a joining interface is deleted',
    'assert !(condemned[n])',
    [replacement(' && joining[n] -> release(lock)', ' && false -> release(lock)')],
    { defines: JOINING },
  ),
  mutant('the illgrp comes after its ill', 'assert (!(visible)||illgrp)', [
    replacement('    visible = true;\n', '    visible = true;\n  END_REGION\n  REGION\n'),
  ]),
  mutant('the illgrp goes before its ill', 'assert (!(visible)||illgrp)', [
    replacement(
      '    visible = false;\n    illgrp = false;\n',
      '    illgrp = false;\n  END_REGION\n  REGION\n    visible = false;\n',
    ),
  ]),
];

const FALLS = 'assert (sum>=published)';
const EXCEEDS = 'assert (sum<=counted)';
const UNASKED = 'assert ((stale||!(member[n]))||asked[n])';
const counters = { model: 'group-counters.pml', defines: [] };

/** The naive reading: the sum over the snapshot, with the drivers' answers. */
const NAIVE_SUM = [
  replacement(
    'byte n, reads, round, snapshot, sum;',
    'byte n, reads, round, snapshot, sum, base, zero[NICS];',
  ),
  replacement(
    'snapshot = generation;',
    'snapshot = generation; base = baseline; zero[0] = kstats0[0];',
  ),
  replacement(
    '          total(sum);',
    '          sum = base;\n          if\n' +
      '          :: answered[0] -> sum = sum + answer[0] - zero[0]\n' +
      '          :: !answered[0] && mine[0] > 0 ->\n' +
      '             sum = MAX(sum + seen[0] - kstats0[0], published)\n' +
      '          :: else\n          fi;',
  ),
];
const NO_GENERATION = replacement(':: generation != snapshot -> round++', ':: false -> round++');
const NO_MARK_AT_LEAVE = replacement(
  '    seen[n] = MAX(seen[n], value);\n    baseline',
  '    seen[n] = MAX(value, kstats0[n]);\n    baseline',
);

const COUNTERS: readonly Mutant[] = [
  mutant(
    'a naive snapshot: no generation, no mark',
    UNASKED,
    [...NAIVE_SUM, NO_GENERATION, NO_MARK_AT_LEAVE],
    counters,
  ),
  mutant(
    'the generation alone: a leave commits its own value',
    FALLS,
    [NO_MARK_AT_LEAVE],
    counters,
  ),
  mutant('the mark alone: the generation is not checked', UNASKED, [NO_GENERATION], counters),
  mutant(
    'a reader does not note what it publishes',
    FALLS,
    [
      replacement('-> seen[n] = MAX(seen[n], answer[n])', '-> sum = 0'),
      replacement(
        '          total(sum);',
        '          total(sum);\n          if\n' +
          '          :: answered[0] && member[0] -> sum = sum + answer[0] - seen[0]\n' +
          '          :: else\n          fi;',
      ),
    ],
    counters,
  ),
  mutant(
    'a mark follows a device that was reset',
    EXCEEDS,
    [replacement('-> seen[n] = MAX(seen[n], answer[n])', '-> seen[n] = answer[n]')],
    { ...counters, defines: ['RESETS=1', 'PACKETS=2'] },
  ),
  mutant(
    'a member counts from nothing, not from its join',
    EXCEEDS,
    [replacement('    kstats0[n] = value;\n', '    kstats0[n] = 0;\n')],
    counters,
  ),
  mutant(
    'a join whose driver is silent is accepted',
    EXCEEDS,
    [
      replacement(
        ':: break               /* the deadline: the join is refused */',
        ':: atomic { counts[n] = true }; join_region(0)',
      ),
    ],
    counters,
  ),
  mutant(
    'a leaver stays in the sum',
    EXCEEDS,
    [replacement('    member[n] = false;\n    counts', '    counts')],
    counters,
  ),
];

/** All of them, by what they are about. */
/** A boundary that is not watched: what follows from the fault itself. */
const UNWATCHED = replacement(
  'inline boundary() { assert(processor != _pid) }',
  'inline boundary() { skip }',
);
const REQUEST_INLINE = replacement('  run ChangeThread();\n', '  kernel_call();\n');
const ON_MAIN = { model: 'main-thread.pml', defines: [] };

const MAIN_THREAD: readonly Mutant[] = [
  mutant(
    'a request is made on the main thread',
    'assert (processor!=_pid)',
    [REQUEST_INLINE],
    ON_MAIN,
  ),
  mutant(
    'a request is made on the main thread, and nothing watches it',
    'deadlock',
    [REQUEST_INLINE, UNWATCHED],
    ON_MAIN,
  ),
  mutant(
    'a driver is called on the main thread, and nothing watches it',
    'deadlock',
    [replacement('  run DriverThread(nic);\n', '  driver_call(nic);\n'), UNWATCHED],
    ON_MAIN,
  ),
  mutant(
    'all calls share one thread, which a driver keeps',
    NEVER,
    [
      replacement(
        '#define TAKE_THREAD\n',
        '#define TAKE_THREAD atomic { worker == NO_TASK -> worker = _pid };\n',
      ),
    ],
    { ...ON_MAIN, search: 'served' },
  ),
];

export const MUTANTS: readonly Mutant[] = [...LOCKS, ...LIFETIMES, ...COUNTERS, ...MAIN_THREAD];

/** The text of a mutant. Fails if the model no longer has what the mutant leaves out. */
export function mutate(text: string, { name, replace }: Mutant): string {
  return replace.reduce((before, { find, put }) => {
    const parts = before.split(find);
    if (parts.length !== 2) {
      throw new Error(`'${name}': found ${parts.length - 1} times, not once: ${find}`);
    }
    return parts.join(put);
  }, text);
}
