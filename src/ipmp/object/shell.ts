/**
 * What the group layer asks of the shell around it (the daemon, the simulator, a test), and the
 * context made of that.
 */

import { DeadlineQueue } from '../../base/deadline.ts';
import { Region } from '../../base/lock.ts';
import type { Operation, Scheduler } from '../../base/operation.ts';
import type { Rng } from '../../base/rng.ts';
import type { LinkStatistics } from '../../stats/collector.ts';
import type { KstatChain } from '../../stats/kstat.ts';
import type { Mac } from '../../wire/addr.ts';
import { Fifo } from '../view/event.ts';
import type {
  CloseGroupDevice,
  IpmpContext,
  SetGroupForwarding,
  SetGroupMulticast,
} from './context.ts';
import { FrameCounts } from './frame-counts.ts';
import { OwnMacs } from './own-macs.ts';
import type { Steering } from './steering.ts';

// Ours: queues towards the shell. It drains them after every call, so they fill only if one call
// makes that much; then the newest are lost and counted.
const EVENTS_MAX = 65_536;
const TRANSMISSIONS_MAX = 65_536;
const HOST_REQUESTS_MAX = 1_024;

/** Services of the shell. */
export interface ShellServices {
  readonly rng: Rng;
  /** Asks the driver of a NIC for its counters; may be late, fail, or never return. */
  readonly linkStatistics: LinkStatistics;
  /** Takes a group's device from the host before the group itself goes; default: nothing to do. */
  readonly closeGroupDevice?: CloseGroupDevice;
  /** Has the host's kernel forward, or not; default: nothing to do. */
  readonly setGroupForwarding?: SetGroupForwarding;
  /** Has the host's kernel listen to multicast, or not; default: nothing to do. */
  readonly setGroupMulticast?: SetGroupMulticast;
  /** True for the MAC of any device of this host; default: the system knows all that matter. */
  readonly isHostMac?: (mac: Mac) => boolean;
  /** Monotonic milliseconds for measuring how long the global ill lock is held; default: not. */
  readonly lockClock?: () => number;
}

/** Parts of the system itself that its group layer works with. */
export interface SystemParts {
  readonly scheduler: Scheduler;
  readonly steering: Steering;
  readonly kstats: KstatChain;
  /** Monotonic milliseconds as last told by the shell. */
  readonly toldMs: () => number;
}

/** The context of a group layer without interfaces and groups. */
export function createContext(services: ShellServices, parts: SystemParts): IpmpContext {
  const { scheduler, steering, kstats, toldMs } = parts;
  return {
    illGlobalLock: new Region('illGlobalLock', services.lockClock),
    interfaces: new Map(),
    interfacesByNic: new Map(),
    groups: new Map(),
    groupsByPort: new Map(),
    incompleteGroups: new Set(),
    ownMacs: new OwnMacs(),
    isHostMac: services.isHostMac ?? (() => false),
    events: new Fifo('event', EVENTS_MAX),
    transmissions: new Fifo('transmission', TRANSMISSIONS_MAX),
    hostRequests: new Fifo('request to the host', HOST_REQUESTS_MAX),
    failovers: new Map(),
    frames: new FrameCounts(),
    drops: new Map(),
    dampingDeadlines: new DeadlineQueue(),
    steering,
    scheduler,
    linkStatistics: services.linkStatistics,
    closeGroupDevice: services.closeGroupDevice ?? nothingToDo,
    setGroupForwarding: services.setGroupForwarding ?? nothingToDo,
    setGroupMulticast: services.setGroupMulticast ?? nothingToDo,
    kstats,
    rng: services.rng,
    get nowMs() {
      return Math.max(toldMs(), scheduler.nowMs);
    },
  };
}

function* nothingToDo(): Operation<void> {}
