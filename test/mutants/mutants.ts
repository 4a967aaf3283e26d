/**
 * Mutants: the faults that the rules of locks and lifetimes exclude, and an object for each frame;
 * each as an edit of the real code, with the test that must fail and what in it notices.
 *
 * Edits of `.js` are made in the compiled code, and a test runs over it. Edits of `.ts` are made
 * in the source, and the compiler must refuse it.
 */

import { type Patch, patchesOf } from '../tools/patches.ts';

/** A test file below test/, and which of its tests (an exact title). */
export interface Check {
  readonly file: string;
  readonly title: string;
}

export interface Mutant extends Patch {
  /** Below the root of the compiled code (`src/…js`) or of the project (`src/…ts`). */
  readonly file: string;
  /** undefined: the compiler checks the edited file. */
  readonly check: Check | undefined;
  /**
   * What notices the fault: `witness` (src/base/witness.ts) with the kind of its report,
   * `checker` (an expectation of the test), or `type system`.
   */
  readonly caughtBy: string;
}

const DEVICE_FIRST =
  'unit/system/lifecycle: ' +
  'the device of a group goes before the group: it is never visible without it';
const COUNTS =
  'unit/stats/collector: ' +
  '[contract 6.1] a group counts from the join on and keeps what a leaver counted';

/** The facts of a block: the file and what notices; then the test, unless it is the compiler. */
const TABLE = `
# The lock is held where something waits or leaves the process.

the global ill lock is held over the calls of drivers
src/stats/collector.js -> witness [region]
sim/order/all-interleavings: every order of: kstat read, unplumb
- allOf(snapshot.members.map((member) => this.#ask(member, deadlineMs)))
+ region.read(() => allOf(snapshot.members.map((member) => this.#ask(member, deadlineMs))))

the global ill lock is held over a driver call, for the compiler
src/stats/collector.ts -> type system
- const reference = region.read(() => this.source.hold());
+ const reference = region.read(() => this.source.hold());
+ yield* region.read(() => this.linkStatistics(nic, this.name));

the event of a join is posted under the global ill lock
src/ipmp/act/membership.js -> witness [boundary]
sim/order/all-interleavings: every order of: join, leave
- group.grp.addMember(tracked);
+ group.grp.addMember(tracked); post(ctx, 'member-added', 'joined', {});

a frame is sent under the global ill lock
src/ipmp/act/membership.js -> witness [boundary]
sim/order/all-interleavings: every order of: kstat read, leave
- group.grp.removeMember(tracked);
+ group.grp.removeMember(tracked);
+ ctx.transmissions.push({ port: tracked.nic, frame: new Uint8Array(60) });

the kstat is deleted under the global ill lock
src/ipmp/act/lifecycle.js -> witness [region]
sim/order/all-interleavings: every order of: kstat read, group delete
- group.references.unlink();
+ group.references.unlink(); return kstats.destroy(group.kstat);

the kstat is deleted under the global ill lock, for the compiler
src/ipmp/act/lifecycle.ts -> type system
- group.references.unlink();
+ group.references.unlink();
+ return kstats.destroy(group.kstat);

the owner of a kstat waits for an ipsq
src/ipmp/object/group.js -> witness [order]
sim/order/all-interleavings: every order of: kstat read, leave
- import { WaitLock }
+ import { acquire, WaitLock }
- linkStatistics: ctx.linkStatistics,
+ linkStatistics: ((group) => function* (nic, ifname) {
+   const writer = yield* acquire(group.ipsq);
+   try { return yield* ctx.linkStatistics(nic, ifname); }
+   finally { writer.release(); }
+ })(this),

a task that found the wrong ipsq keeps it
src/ipmp/act/membership.js -> witness
sim/order/all-interleavings: every order of: unplumb, leave
- held.release();

# Objects come or go in the wrong order.

the illgrp is created after its ill has become visible
src/ipmp/act/lifecycle.js -> checker
sim/order/all-interleavings: every order of: group plumb, unplumb
- post(ctx, 'group-added', 'configured', {
+ const { grp } = group; group.grp = undefined;
+ yield { label: 'late', begin: (waker) => waker.expireAt(
+   waker.scheduler.nowMs + 1, () => waker.resolve()) };
+ group.grp = grp;
+ post(ctx, 'group-added', 'configured', {

the illgrp may be absent, for the compiler
src/ipmp/object/group.ts -> type system
- readonly grp: IllGroup = new IllGroup();
+ grp: IllGroup | undefined = new IllGroup();

a group is unlinked before its device is gone
src/ipmp/act/lifecycle.js -> checker
${DEVICE_FIRST}
- yield* ctx.closeGroupDevice(group.ifname);
+ unlinkGroup(ctx, group); yield* ctx.closeGroupDevice(group.ifname);
- yield* group.references.drained();
-     unlinkGroup(ctx, group);

a group that is being joined is destroyed before it is drained
src/ipmp/act/lifecycle.js -> checker
sim/order/all-interleavings: every order of: join, group delete
- refuseGroupInUse(ctx, group);
+
- yield* group.references.drained();

an interface is destroyed before it is drained
src/ipmp/act/lifecycle.js -> witness [early-free]
sim/order/all-interleavings: every order of: kstat read, unplumb
- yield* tracked.phyint.references.drained();

a condemned interface gets new references
src/ipmp/object/tracked.js -> witness [condemned]
sim/order/all-interleavings: every order of: two readers, unplumb
- (phyint.references.condemned ? undefined :
+ (false ? undefined :

a reader takes no references
src/ipmp/object/group.js -> checker
sim/order/all-interleavings: every order of: kstat read, unplumb
- reference: phyint.references.hold('kstat')
+ reference: { release: () => undefined }

a reader forgets its references
src/stats/collector.js -> checker
sim/order/all-interleavings: every order of: kstat read, unplumb
- member.reference.release();
+ member.reference;

a join forgets its reference
src/ipmp/act/membership.js -> checker
sim/order/all-interleavings: every order of: join, leave
- __addDisposableResource(env_1, tracked.phyint.references.hold('join'), false)
+ tracked.phyint.references.hold('join')

a reader releases its references twice
src/stats/collector.js -> witness [double-release]
sim/order/all-interleavings: every order of: kstat read, leave
- member.reference.release();
+ member.reference.release(), member.reference.release();

# Counters do not add up.

the generation check is left out
src/stats/collector.js -> checker
unit/stats/collector: a member that joins while a read asks is asked too
- if (counters.generation !== snapshot.generation)
+ if (false)

a leave does not heed the high-water mark
src/stats/group-counters.js -> checker
unit/stats/collector: a leave commits what was published, not less
- const contribution = linkCountersSubtract(member.seen, member.kstats0);
+ const contribution = linkCountersSubtract(value ?? member.kstats0, member.kstats0);

what a member had counted before its join is counted
src/stats/group-counters.js -> checker
${COUNTS}
- new MemberCounters(value)
+ new MemberCounters(LINK_COUNTERS_ZERO)

a leave adds all that the NIC has ever counted
src/stats/group-counters.js -> checker
${COUNTS}
- this.#baseline = linkCountersAdd(this.#baseline, contribution);
+ this.#baseline = linkCountersAdd(this.#baseline, member.seen);

a NIC that has left still counts as a member
src/stats/group-counters.js -> checker
${COUNTS}
- this.#members.delete(member)
+ this.#members.has(member)

# A call that may wait is made on the thread that serves (src/base/serving.ts).

a driver is called on the main thread
src/sim/drivers.js -> witness [blocking]
sim/group: a driver that keeps its caller keeps a thread, and its own kstat stale
- onAnotherThread(() => this.#call(ifname, mood));
+ this.#call(ifname, mood);

the counters of a device are read on the main thread
src/host/counters.js -> witness [blocking]
unit/host/counters: a thread that serves reads counters elsewhere
- native.later.filesRead(
+ native.filesRead(

a setting of the kernel is written on the main thread
src/host/silence/sysctl.js -> witness [blocking]
unit/host/counters: a thread that serves writes settings elsewhere
- native.later.fileWrite(
+ native.fileWrite(

# Nothing is wrong but the cost.

the forwarder makes an object for each frame
src/datapath/forwarder.js -> checker
unit/datapath/heap: no way through the forwarder allocates
- this.#outPort[i] = verdict >= 0 ? verdict : DONE;
+ this.#outPort[i] = verdict >= 0 ? verdict : DONE; this.last = { i, verdict };
`;

/** All mutants. */
export const MUTANTS: readonly Mutant[] = patchesOf(TABLE).map((patch) => {
  const [where = '', test] = patch.facts;
  const [file = '', caughtBy = ''] = where.split(' -> ');
  const [, path = '', title = ''] = /^(\S+): (.*)$/.exec(test ?? '') ?? [];
  return {
    ...patch,
    file,
    caughtBy,
    check: test === undefined ? undefined : { file: path, title },
  };
});
