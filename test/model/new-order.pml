/*
 * Locks and lifetimes as they are: kstat reads beside joins, leaves and deletions.
 *
 * Stands for: src/base/lock.ts (waiting locks, regions), src/base/operation.ts (turns, deadlines),
 * src/base/reference.ts (hold, condemn, drain), src/stats/collector.ts and src/stats/kstat.ts
 * (reading, removing), src/ipmp/act/lifecycle.ts and src/ipmp/act/membership.ts (create, join, leave,
 * delete), src/ipmp/object/illgrp.ts (the window of the meta-interface).
 *
 * Finer than the code: there, everything between two waits is one turn. Here a turn is taken apart
 * unless the code relies on it, which is where the model has "one turn". A driver answers or runs
 * into its deadline, at any time; one that always hangs is a special case of that.
 *
 * Checked: no deadlock; nothing used after it was freed; nothing held that is condemned; a task that finds
 * a group finds its illgrp; nothing waits inside the region; at the end nothing is held;
 * every waiter is finally served (all_served, under weak fairness, with readers that never stop).
 *
 *   NICS, MEMBERS   interfaces, and how many of them (the first) are in the group at first
 *   READERS         readers of the group's kstat; each reads again and again until it is gone
 *   LINK_READERS    1: NIC 0 has a reader of its own kstat as well
 *   JOINERS         1: every NIC, member or not, joins while it and the group are deleted
 *   RIVALS          1: every NIC is deleted by two operators at once
 *   REGION_AS_LOCK  the global ill lock as a lock held over many steps, not as one atomic step
 */
#ifndef NICS
#define NICS 1
#endif
#ifndef MEMBERS
#define MEMBERS NICS
#endif
#ifndef READERS
#define READERS 1
#endif
#ifndef LINK_READERS
#define LINK_READERS 0
#endif
#ifndef JOINERS
#define JOINERS 0
#endif
#ifndef RIVALS
#define RIVALS 0
#endif

#define NO_TASK 255
#define ROUNDS 2            /* of one reading; the code has 3 */
#define OPERATIONS (3 + READERS + LINK_READERS + (1 + JOINERS + RIVALS) * NICS)

/* Waiting locks: one owner, the others in the order of their coming. */
#define GROUP_IPSQ 0
#define GROUP_KSTAT 1
#define NIC_IPSQ(n) (2 + n)
#define LINK_KSTAT(n) (2 + NICS + n)
#define LOCKS (2 + 2 * NICS)
byte owner[LOCKS] = NO_TASK;
chan queue[LOCKS] = [OPERATIONS] of { byte };

/* Kstats, by their locks: found in the chain; read no more. */
bool listed[LOCKS];
bool retired[LOCKS];

/* Objects: the NICs, then the group. */
#define GROUP NICS
byte refs[NICS + 1];
bool condemned[NICS + 1];
bool freed[NICS + 1];

/* What the global ill lock guards. */
bool linked[NICS];
bool member[NICS];
bool joining[NICS];
byte members = 0;
byte pending_joins = 0;
byte generation = 0;
bool created = false;       /* the group has existed */
bool visible = false;       /* its meta-interface is found */
bool illgrp = false;        /* and has its group */

byte finished = 0;

byte inside = NO_TASK;       /* the task in the region of the global ill lock */
#ifdef REGION_AS_LOCK
#define REGION     atomic { inside == NO_TASK -> inside = _pid };
#define END_REGION inside = NO_TASK;
#else
#define REGION     atomic { inside = _pid;
#define END_REGION inside = NO_TASK };
#endif

#define WRITER_LOCK(n) (member[n] || joining[n] -> GROUP_IPSQ : NIC_IPSQ(n))

inline boundary() { assert(inside != _pid) }

inline hold(object)
{
  atomic { assert(!condemned[object]); assert(!freed[object]); refs[object]++;
           assert(refs[object] < 20) } /* as many as hold at once: one each */
}

inline give(object) { atomic { assert(refs[object] > 0); refs[object]-- } }

inline condemn(object) { atomic { assert(!condemned[object]); condemned[object] = true } }

inline free(object) { assert(refs[object] == 0); freed[object] = true }

inline enqueue(lock)
{
  atomic {
    boundary();
    if
    :: owner[lock] == NO_TASK -> owner[lock] = _pid
    :: else -> queue[lock] ! _pid
    fi
  }
}

inline acquire(lock) { enqueue(lock); owner[lock] == _pid }

/* The deadline of a wait for a lock. */
inline give_up(lock)
{
  atomic { queue[lock] ?? [eval(_pid)] -> queue[lock] ?? eval(_pid) }
}

inline release(lock)
{
  atomic {
    assert(owner[lock] == _pid);
    if
    :: nempty(queue[lock]) -> queue[lock] ? owner[lock]
    :: empty(queue[lock]) -> owner[lock] = NO_TASK
    fi
  }
}

/* Becomes writer on a NIC, whatever lock that is by the time it is ours. */
inline become_writer(n, lock)
{
  do
  :: atomic { lock = WRITER_LOCK(n); enqueue(lock) };
     owner[lock] == _pid;
     if
     :: lock == WRITER_LOCK(n) -> break
     :: else -> release(lock)
     fi
  od
}

/* A call of a driver: a wait, which ends with the answer or at the deadline. */
inline ask_driver(n)
{
  atomic { boundary(); assert(!freed[n]) };
  assert(!freed[n])
}

/* All drivers at once: the calls, then the last answer or the deadline. */
inline ask_drivers()
{
  atomic {
    boundary();
    for (n : 0 .. NICS - 1) { assert(!mine[n] || !freed[n]) };
    n = 0
  };
  atomic {
    for (n : 0 .. NICS - 1) { assert(!mine[n] || !freed[n]) };
    n = 0
  }
}

/* The remover waits for the reader of what is found no more. */
inline destroy_kstat(kstat)
{
  acquire(kstat);
  retired[kstat] = true;
  release(kstat)
}

inline cut_membership(n)
{
  member[n] = false;
  members--;
  generation++
}

/* One reading of the group as the owner of its kstat. */
inline collect_group()
{
  do
  :: round < ROUNDS ->
     REGION
       assert(!freed[GROUP]);
       snapshot = generation;
       for (n : 0 .. NICS - 1) {
         if
         :: member[n] -> hold(n); mine[n] = true
         :: else
         fi
       };
       n = 0;
     END_REGION
     ask_drivers();
     REGION
       assert(!freed[GROUP]);
       if
       :: generation == snapshot -> round = ROUNDS
       :: else -> round++
       fi;
       snapshot = 0;
     END_REGION
     atomic {
       for (n : 0 .. NICS - 1) {
         if
         :: mine[n] -> give(n); mine[n] = false
         :: else
         fi
       };
       n = 0
     }
  :: else -> break
  od;
  round = 0
}

proctype GroupReader()
{
  byte n, round, snapshot;
  bool mine[NICS];
  created;
  do
  :: listed[GROUP_KSTAT] ->
     enqueue(GROUP_KSTAT);
     if
     :: owner[GROUP_KSTAT] == _pid ->
        if
        :: !retired[GROUP_KSTAT] -> collect_group()
        :: else
        fi;
        release(GROUP_KSTAT)
     :: give_up(GROUP_KSTAT) /* the last reading, stale */
     fi
  :: !listed[GROUP_KSTAT] -> break
  od;
  finished++
}

proctype LinkReader(byte n)
{
  bool mine;
  do
  :: listed[LINK_KSTAT(n)] ->
     enqueue(LINK_KSTAT(n));
     if
     :: owner[LINK_KSTAT(n)] == _pid ->
        if
        :: !retired[LINK_KSTAT(n)] ->
           REGION
             assert(!freed[n]);
             if
             :: !condemned[n] -> hold(n); mine = true
             :: else
             fi;
           END_REGION
           if
           :: mine -> ask_driver(n); give(n)
           :: else
           fi;
           mine = false
        :: else
        fi;
        release(LINK_KSTAT(n))
     :: give_up(LINK_KSTAT(n))
     fi
  :: !listed[LINK_KSTAT(n)] -> break
  od;
  finished++
}

/* Any request that finds something by its name: forwarding, neighbours, multicast. */
proctype Request()
{
  byte n;
  REGION
    assert(!visible || illgrp);
    for (n : 0 .. NICS - 1) { assert(!linked[n] || !freed[n]) };
  END_REGION
  finished++
}

proctype CreateGroup()
{
  byte n;
  REGION
    visible = true;
    illgrp = true;
    listed[GROUP_KSTAT] = true;
    for (n : 0 .. MEMBERS - 1) { member[n] = true; members++ };
    created = true;
  END_REGION
  finished++
}

proctype Join(byte n)
{
  byte lock;
  bool accepted;
  become_writer(n, lock);
  atomic {                  /* one turn: accepted, and held */
    if
    :: condemned[n] || member[n] || joining[n] -> skip
    :: !visible || condemned[GROUP] -> skip
    :: else ->
       joining[n] = true;
       pending_joins++;
       hold(GROUP);
       hold(n);
       accepted = true
    fi;
    release(lock);
    lock = 0
  };
  if
  :: accepted ->
     acquire(GROUP_IPSQ);
     ask_driver(n);
     if
     :: REGION              /* the driver has answered */
          member[n] = true;
          members++;
          joining[n] = false;
          pending_joins--;
          generation++;
        END_REGION
        release(GROUP_IPSQ)
     :: release(GROUP_IPSQ); /* refused: no honest baseline */
        atomic { joining[n] = false; pending_joins-- }
     fi;
     give(n);
     atomic { give(GROUP); finished++ }
  :: else -> finished++
  fi
}

proctype DeleteInterface(byte n)
{
  byte lock;
  created;
  do
  :: become_writer(n, lock);
     if
     :: condemned[n] -> release(lock); goto refused
     :: !condemned[n] && joining[n] -> release(lock)
     :: else -> break
     fi;
     !joining[n]            /* EBUSY: the operator tries again */
  od;
  if
  :: member[n] ->
     atomic { assert(lock == GROUP_IPSQ); hold(n) };
     ask_driver(n);
     give(n);
     REGION
       atomic { cut_membership(n); condemn(n) }; /* one turn: gone, and condemned */
     END_REGION
  :: else -> condemn(n)
  fi;
  release(lock);
  refs[n] == 0;             /* drained, with no lock held */
  REGION
    linked[n] = false;
    listed[LINK_KSTAT(n)] = false;
  END_REGION
  destroy_kstat(LINK_KSTAT(n));
  free(n);
refused:
  finished++
}

proctype DeleteGroup()
{
  created;
  do
  :: acquire(GROUP_IPSQ);
     atomic {               /* one turn: refused, or condemned */
       if
       :: members > 0 || pending_joins > 0 -> release(GROUP_IPSQ)
       :: else -> condemn(GROUP); break
       fi
     };
     members == 0 && pending_joins == 0 /* EBUSY: the operator tries again */
  od;
  release(GROUP_IPSQ);
  refs[GROUP] == 0;         /* drained, with no lock held; so goes the device */
  REGION
    assert(members == 0 && pending_joins == 0);
    visible = false;
    illgrp = false;
    listed[GROUP_KSTAT] = false;
  END_REGION
  destroy_kstat(GROUP_KSTAT);
  free(GROUP);
  finished++
}

inline audit()
{
  for (i : 0 .. NICS) { assert(refs[i] == 0); assert(freed[i]) };
  for (i : 0 .. LOCKS - 1) { assert(owner[i] == NO_TASK); assert(empty(queue[i])) };
  assert(inside == NO_TASK)
}

init
{
  byte i;
  atomic {
    for (i : 0 .. NICS - 1) {
      linked[i] = true;
      listed[LINK_KSTAT(i)] = true;
      run DeleteInterface(i);
#if RIVALS
      run DeleteInterface(i);
#endif
#if JOINERS
      run Join(i);
#endif
    };
    run CreateGroup();
    run DeleteGroup();
    run Request();
    for (i : 1 .. READERS) { run GroupReader() };
#if LINK_READERS
    run LinkReader(0);
#endif
    i = 0
  };
  atomic { finished == OPERATIONS -> audit() }
}

ltl all_served { <> (finished == OPERATIONS) }
