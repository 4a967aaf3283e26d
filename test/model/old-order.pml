/*
 * The order that must not come back: an unplumb that deletes a group's kstat while it holds the
 * global ill lock as writer, and a reader that owns the kstat while it waits for that lock.
 *
 * Nothing in src/ works like this. The model is kept as the reason for the rules of
 * src/base/lock.ts and for the order of removal in src/stats/kstat.ts, and as proof that the
 * checker sees such a deadlock when there is one. The new order is new-order.pml.
 *
 *   READERS   readers of the kstat at the same time
 */
#ifndef READERS
#define READERS 1
#endif

byte ill_readers = 0;       /* holders of the global ill lock as reader */
bool ill_writer = false;    /* it is held by a writer */
bool kstat_owned = false;
bool kstat_exists = true;
bool group_exists = true;

active proctype Unplumb()
{
  atomic {
    !ill_writer && ill_readers == 0 -> ill_writer = true;
    printf("unplumb holds the global ill lock as writer; next it deletes the kstat, as owner\n")
  };
  atomic {
    !kstat_owned -> kstat_owned = true;
    printf("unplumb owns the kstat\n")
  };
  kstat_exists = false;
  kstat_owned = false;
  group_exists = false;
  ill_writer = false
}

active [READERS] proctype Reader()
{
  if
  :: atomic {
       kstat_exists && !kstat_owned -> kstat_owned = true;
       printf("a reader owns the kstat; next it needs the ill lock, for the list of members\n")
     };
     assert(group_exists);
     atomic {
       !ill_writer -> ill_readers++;
       printf("a reader holds the global ill lock\n")
     };
     skip;                  /* the drivers are asked, with the lock held */
     ill_readers--;
     kstat_owned = false
  :: !kstat_exists          /* the reader gets: it is gone */
  fi
}
