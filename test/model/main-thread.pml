/*
 * The main thread beside calls that wait for the kernel or for a driver, perhaps for ever.
 *
 * Stands for: src/base/serving.ts (the boundary), src/host/kernel/netlink.ts (requests under the kernel's
 * configuration lock), src/daemon/driver.ts (questions to drivers). The threads are those of
 * native/later.c.
 *
 * In new-order.pml a driver that does not answer always gives the processor back, as an operation
 * that waits does. Here the call itself does not return: what it keeps is the thread that makes it.
 * The main thread is a processor that one task has at a time. Others of the machine hold the
 * kernel's lock as long as they like; one driver answers at once, the other one never.
 *
 * Checked: no call that may wait is made on the main thread; no deadlock; each question of the wire
 * and both readers are served, although the lock and the hung driver may never come back
 * (all_served, under weak fairness). A change that waits for the lock is served when it is free.
 *
 *   QUESTIONS   of the wire, one after the other
 *   HOLDS       how often others take the kernel's lock; each time they may keep it
 */
#ifndef QUESTIONS
#define QUESTIONS 1
#endif
#ifndef HOLDS
#define HOLDS 1
#endif

#define NO_TASK 255
#define PROMPT 0
#define HUNG 1

byte processor = NO_TASK;    /* the task that runs on the main thread */
byte kernel_lock = NO_TASK;
byte worker = NO_TASK;       /* of a mutant, in which all calls share one thread */

byte questions_answered = 0;
bool driver_answered[2];
bool reader_served[2];
bool lock_answered = false;
bool changed = false;

#define TURN      atomic { processor == NO_TASK -> processor = _pid };
#define END_TURN  processor = NO_TASK;

/* A thread of its own for each call. */
#define TAKE_THREAD

inline boundary() { assert(processor != _pid) }

/* A request under the kernel's lock: it does not return before it has had the lock. */
inline kernel_call()
{
  boundary();
end_kept_waiting:
  atomic { kernel_lock == NO_TASK -> kernel_lock = _pid };
  kernel_lock = NO_TASK;
  lock_answered = true
}

/* A driver asked for its counters; one that hangs does not return. */
inline driver_call(nic)
{
  boundary();
  if
  :: nic == PROMPT -> driver_answered[nic] = true
  :: nic == HUNG ->
end_hung:
     false
  fi
}

proctype ChangeThread() { TAKE_THREAD kernel_call() }
proctype DriverThread(byte nic) { TAKE_THREAD driver_call(nic) }

/* Others of the machine: another namespace that deletes its devices, for example. */
active proctype Others()
{
  byte n = 0;
  do
  :: n < HOLDS ->
     atomic { kernel_lock == NO_TASK -> kernel_lock = _pid };
     if
     :: kernel_lock = NO_TASK
     :: skip;
end_keeps_it:
        false
     fi;
     n++
  :: n >= HOLDS -> break
  od
}

/* Questions from the wire, such as ARP. */
active proctype Wire()
{
  do
  :: questions_answered < QUESTIONS -> TURN questions_answered++; END_TURN
  :: else -> break
  od
}

/* A change of the host. */
active proctype Change()
{
  TURN
  run ChangeThread();
  END_TURN
end_unanswered:
  lock_answered;
  TURN
  changed = true;
  END_TURN
}

/* Readers of counters: the deadline ends the wait for a driver that hangs. */
active [2] proctype Reader()
{
  byte nic = (_pid % 2 == 0 -> PROMPT : HUNG);
  TURN
  run DriverThread(nic);
  END_TURN
  if
  :: driver_answered[nic]
  :: nic == HUNG
  fi;
  TURN
  reader_served[nic] = true;
  END_TURN
}

ltl all_served {
  <> (questions_answered == QUESTIONS && reader_served[PROMPT] && reader_served[HUNG])
}
