/**
 * Mutants of the models: one rule left out each, as edits of the model's text. Every one must be
 * caught; should one pass, the model proves less than it seems.
 */

import { type Patch, patchesOf } from '../tools/patches.ts';
import type { Search } from './spin.ts';

/** A model with one rule left out. */
export interface Mutant extends Patch {
  readonly model: string;
  readonly defines: readonly string[];
  readonly search: Search;
  /** The outcome of the search. */
  readonly by: string;
}

/** Under weak fairness there is a run in which a waiter is never served. */
const NEVER = 'a task is never served';

/** The fact of a block: the model with its parameters, and the outcome of the search. */
const TABLE = `
# Locks.

the kstat is deleted inside the region
new-order.pml NICS=1 -> assert (inside!=_pid)
-     listed[GROUP_KSTAT] = false;
-   END_REGION
-   destroy_kstat(GROUP_KSTAT);
+     listed[GROUP_KSTAT] = false;
+     destroy_kstat(GROUP_KSTAT);
+   END_REGION

the drivers are asked inside the region
new-order.pml NICS=1 -> assert (inside!=_pid)
-        n = 0;
-      END_REGION
-      ask_drivers();
+        ask_drivers();
+      END_REGION

a reader of the kstat takes the ipsq, which the remover keeps
new-order.pml NICS=1 -> a task is never served
- -> collect_group()
+ -> acquire(GROUP_IPSQ); collect_group(); release(GROUP_IPSQ)
-   destroy_kstat(GROUP_KSTAT);
+   acquire(GROUP_IPSQ); destroy_kstat(GROUP_KSTAT); release(GROUP_IPSQ);

a waiter that gives up stays in the queue
new-order.pml NICS=1 -> assert (owner[i]==255)
- -> queue[lock] ?? eval(_pid) }
+ -> skip }

a driver call has no deadline
new-order.pml NICS=1 -> a task is never served
- atomic { boundary(); assert(!freed[n]) };
-   assert(!freed[n])
+ atomic { boundary(); assert(!freed[n]) };
+   if
+   :: skip
+   :: skip; false
+   fi;
+   assert(!freed[n])

a writer does not look again which lock it needs
new-order.pml NICS=1 MEMBERS=0 JOINERS=1 -> assert (lock==0)
-      if
-      :: lock == WRITER_LOCK(n) -> break
-      :: else -> release(lock)
-      fi
+      break

# Lifetimes.

a reader takes no reference
new-order.pml NICS=1 -> assert (!(mine[n])||!(freed[n]))
- -> hold(n); mine[n] = true
+ -> mine[n] = true
- -> give(n); mine[n] = false
+ -> mine[n] = false

a reader takes its reference after the region
new-order.pml NICS=1 LINK_READERS=1 -> assert !(condemned[n])
- :: !condemned[n] -> hold(n); mine = true
+ :: !condemned[n] -> mine = true
- :: mine -> ask_driver(n)
+ :: mine -> hold(n); ask_driver(n)

a reference is forgotten
new-order.pml NICS=1 -> assert (refs[n]<20)
- -> give(n); mine[n] = false
+ -> mine[n] = false

a reference is released twice
new-order.pml NICS=1 -> assert (refs[n]>0)
- -> give(n); mine[n] = false
+ -> give(n); give(n); mine[n] = false

an interface is freed before it is drained
new-order.pml NICS=1 -> assert (refs[n]==0)
-   refs[n] == 0;             /* drained, with no lock held */

an interface is freed before it is unlinked
new-order.pml NICS=1 -> assert (!(linked[n])||!(freed[n]))
-   REGION
-     linked[n] = false;
+   free(n);
+   REGION
+     linked[n] = false;
-   free(n);
- refused:
+   skip;
+ refused:

a reader does not ask whether its interface is condemned
new-order.pml NICS=1 LINK_READERS=1 -> assert !(condemned[n])
- :: !condemned[n] -> hold(n); mine = true
+ :: hold(n); mine = true

an interface is condemned a turn after it has left
new-order.pml NICS=1 JOINERS=1 -> assert !(condemned[n])
- cut_membership(n); condemn(n) };
+ cut_membership(n) };
-   :: else -> condemn(n)
-   fi;
-   release(lock);
+   :: else
+   fi;
+   condemn(n);
+   release(lock);

what is deleted already is deleted again
new-order.pml NICS=1 RIVALS=1 -> assert !(condemned[n])
-   :: condemned[n] -> release(lock); goto refused
+
- :: !condemned[n] && joining[n]
+ :: joining[n]

a kstat is retired without waiting for its reader
new-order.pml NICS=1 -> assert !(freed[1])
-   acquire(kstat);
-   retired[kstat] = true;
-   release(kstat)
+   retired[kstat] = true

a group is freed with its kstat in the chain
new-order.pml NICS=1 -> assert !(freed[1])
-     listed[GROUP_KSTAT] = false;
+
-   destroy_kstat(GROUP_KSTAT);

a group is deleted while an interface is joining
new-order.pml NICS=1 MEMBERS=0 JOINERS=1 -> assert ((members==0)&&(pending_joins==0))
- :: members > 0 || pending_joins > 0 ->
+ :: members > 0 ->

a condemned group accepts a join
new-order.pml NICS=1 MEMBERS=0 JOINERS=1 -> assert !(condemned[1])
- :: !visible || condemned[GROUP] ->
+ :: !visible ->

a joining interface is deleted
new-order.pml NICS=1 MEMBERS=0 JOINERS=1 -> assert !(condemned[n])
-  && joining[n] -> release(lock)
+  && false -> release(lock)

the illgrp comes after its ill
new-order.pml NICS=1 -> assert (!(visible)||illgrp)
-     visible = true;
+     visible = true;
+   END_REGION
+   REGION

the illgrp goes before its ill
new-order.pml NICS=1 -> assert (!(visible)||illgrp)
-     visible = false;
-     illgrp = false;
+     illgrp = false;
+   END_REGION
+   REGION
+     visible = false;

# Counters.

a naive snapshot: no generation, no mark
group-counters.pml -> assert ((stale||!(member[n]))||asked[n])
- byte n, reads, round, snapshot, sum;
+ byte n, reads, round, snapshot, sum, base, zero[NICS];
- snapshot = generation;
+ snapshot = generation; base = baseline; zero[0] = kstats0[0];
-           total(sum);
+           sum = base;
+           if
+           :: answered[0] -> sum = sum + answer[0] - zero[0]
+           :: !answered[0] && mine[0] > 0 ->
+              sum = MAX(sum + seen[0] - kstats0[0], published)
+           :: else
+           fi;
- :: generation != snapshot -> round++
+ :: false -> round++
-     seen[n] = MAX(seen[n], value);
-     baseline
+     seen[n] = MAX(value, kstats0[n]);
+     baseline

the generation alone: a leave commits its own value
group-counters.pml -> assert (sum>=published)
-     seen[n] = MAX(seen[n], value);
-     baseline
+     seen[n] = MAX(value, kstats0[n]);
+     baseline

the mark alone: the generation is not checked
group-counters.pml -> assert ((stale||!(member[n]))||asked[n])
- :: generation != snapshot -> round++
+ :: false -> round++

a reader does not note what it publishes
group-counters.pml -> assert (sum>=published)
- -> seen[n] = MAX(seen[n], answer[n])
+ -> sum = 0
-           total(sum);
+           total(sum);
+           if
+           :: answered[0] && member[0] -> sum = sum + answer[0] - seen[0]
+           :: else
+           fi;

a mark follows a device that was reset
group-counters.pml RESETS=1 PACKETS=2 -> assert (sum<=counted)
- -> seen[n] = MAX(seen[n], answer[n])
+ -> seen[n] = answer[n]

a member counts from nothing, not from its join
group-counters.pml -> assert (sum<=counted)
-     kstats0[n] = value;
+     kstats0[n] = 0;

a join whose driver is silent is accepted
group-counters.pml -> assert (sum<=counted)
- :: break               /* the deadline: the join is refused */
+ :: atomic { counts[n] = true }; join_region(0)

a leaver stays in the sum
group-counters.pml -> assert (sum<=counted)
-     member[n] = false;
-     counts
+     counts

# The main thread.

a request is made on the main thread
main-thread.pml -> assert (processor!=_pid)
-   run ChangeThread();
+   kernel_call();

a request is made on the main thread, and nothing watches it
main-thread.pml -> deadlock
-   run ChangeThread();
+   kernel_call();
- inline boundary() { assert(processor != _pid) }
+ inline boundary() { skip }

a driver is called on the main thread, and nothing watches it
main-thread.pml -> deadlock
-   run DriverThread(nic);
+   driver_call(nic);
- inline boundary() { assert(processor != _pid) }
+ inline boundary() { skip }

all calls share one thread, which a driver keeps
main-thread.pml -> a task is never served
- #define TAKE_THREAD
+ #define TAKE_THREAD atomic { worker == NO_TASK -> worker = _pid };
`;

export const MUTANTS: readonly Mutant[] = patchesOf(TABLE).map((patch) => {
  const [run = '', by = ''] = patch.facts[0]?.split(' -> ') ?? [];
  const [model = '', ...defines] = run.split(' ');
  return { ...patch, model, defines, search: by === NEVER ? 'served' : 'safety', by };
});
