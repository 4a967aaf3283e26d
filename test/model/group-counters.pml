/*
 * What a group has counted: a reader publishes sums while members leave and join, drivers answer
 * late or not at all, and a device's own counters are reset.
 *
 * Stands for: src/stats/group-counters.ts (baseline, mark, generation, sum), `collect`, `#note`
 * and `publish` of src/stats/collector.ts, and the counters in src/ipmp/act/membership.ts (`#ask`,
 * `joinGroup`, `leave`). One counter of the fifteen; one reader, because a kstat has one owner
 * (new-order.pml).
 *
 * Checked: the published value never falls; it never exceeds what was sent while the NICs were
 * members; a reading that is not stale has asked every NIC that is a member when it is published.
 *
 *   NICS, PACKETS   NICs, and what each of them sends at most
 *   CYCLES          times that a NIC leaves and joins again
 *   READS           readings one after the other
 *   RESETS          1: the counters of NIC 0 fall to nothing, once, at any time
 */
#ifndef NICS
#define NICS 1
#endif
#ifndef PACKETS
#define PACKETS 4
#endif
#ifndef CYCLES
#define CYCLES 2
#endif
#ifndef READS
#define READS 3
#endif
#ifndef RESETS
#define RESETS 0
#endif
#define ROUNDS 2            /* of one reading; the code has 3 */
#define MAX(a, b) (a > b -> a : b)

byte device[NICS];          /* the driver's answer */
bool member[NICS];
byte membership[NICS];      /* its number: a NIC that joins anew is counted anew */
byte kstats0[NICS];         /* of the present membership */
byte seen[NICS];            /* the high-water mark */
byte baseline = 0;
byte generation = 0;
byte published = 0;

/* For the checks alone. */
byte counted = 0;           /* sent by NICs from the beginning of a join to the end of a leave */
bool counts[NICS];          /* between those two */
bool asked[NICS];           /* the present membership, by the present reading */

proctype Wire(byte n)
{
  byte sent, resets;
  do
  :: atomic { sent < PACKETS -> sent++; device[n]++; counted = counted + counts[n] }
  :: atomic { n == 0 && resets < RESETS -> resets++; device[n] = 0 }
  :: break
  od
}

inline join_region(value)
{
  atomic {
    kstats0[n] = value;
    seen[n] = value;
    asked[n] = false;
    membership[n]++;
    member[n] = true;
    generation++
  }
}

inline leave_region(value)
{
  atomic {
    seen[n] = MAX(seen[n], value);
    baseline = baseline + (seen[n] - kstats0[n]);
    member[n] = false;
    counts[n] = false;
    generation++
  }
}

proctype Operator(byte n)
{
  byte cycle, value;
  do
  :: cycle < CYCLES ->
     if
     :: value = device[n]   /* the driver's answer */
     :: value = 0           /* the deadline: the mark is used */
     fi;
     leave_region(value);
     value = 0;
     if
     :: atomic { counts[n] = true; value = device[n] };
        join_region(value)
     :: break               /* the deadline: the join is refused */
     fi;
     value = 0;
     cycle++
  :: else -> break
  od
}

inline total(sum)
{
  sum = baseline;
  for (n : 0 .. NICS - 1) {
    if
    :: member[n] -> sum = sum + (seen[n] - kstats0[n])
    :: else
    fi
  }
}

inline publish(sum)
{
  assert(sum >= published);
  assert(sum <= counted);
  for (n : 0 .. NICS - 1) { assert(stale || !member[n] || asked[n]) };
  published = sum
}

proctype Reader()
{
  byte n, reads, round, snapshot, sum;
  bool answered[NICS], stale;
  byte mine[NICS], answer[NICS]; /* the membership that is asked, 0 none */
  do
  :: reads < READS ->
     atomic {               /* region: the snapshot */
       snapshot = generation;
       for (n : 0 .. NICS - 1) { mine[n] = (member[n] -> membership[n] : 0) };
       n = 0
     };
     do
     :: n < NICS && mine[n] > 0 ->
        if
        :: atomic { answer[n] = device[n]; answered[n] = true; asked[n] = true }
        :: skip             /* the deadline */
        fi;
        n++
     :: n < NICS && mine[n] == 0 -> n++
     :: n == NICS -> break
     od;
     atomic {               /* region: check, note, publish */
       stale = false;
       if
       :: generation != snapshot -> round++
       :: else ->
          for (n : 0 .. NICS - 1) {
            if
            :: answered[n] && membership[n] == mine[n] -> seen[n] = MAX(seen[n], answer[n])
            :: answered[n] && membership[n] != mine[n] -> skip
            :: else -> stale = stale || mine[n] > 0
            fi
          };
          total(sum);
          publish(sum);
          round = ROUNDS
       fi;
       for (n : 0 .. NICS - 1) {
         mine[n] = 0; answered[n] = false; asked[n] = false; answer[n] = 0
       };
       if
       :: round < ROUNDS
       :: else -> round = 0; reads++
       fi;
       n = 0; sum = 0; snapshot = 0; stale = false
     }
  :: else -> break
  od
}

init
{
  byte i;
  atomic {
    for (i : 0 .. NICS - 1) {
      member[i] = true;
      membership[i] = 1;
      counts[i] = true;
      run Wire(i);
      run Operator(i)
    };
    i = 0;
    run Reader()
  }
}
