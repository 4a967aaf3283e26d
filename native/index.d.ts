/**
 * The addon's functions as C registers them. Errors are thrown as NativeError, unless the comment
 * of a function states that it returns them. Handles belong to the thread that made them,
 * descriptors to the process.
 */

/** What a failed system call throws: `code` is the errno's name ('EBUSY'), `errno` positive. */
export interface NativeError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
}

/** Numbers of errnos by name: all that the addon knows, and those that src compares. */
export interface ErrnoNumbers {
  readonly [name: string]: number;
  readonly EAGAIN: number;
  readonly EBADF: number;
  readonly EBADFD: number;
  readonly EFAULT: number;
  readonly EIO: number;
  readonly EMSGSIZE: number;
  readonly ENOBUFS: number;
  readonly ENODEV: number;
  readonly ENOMEM: number;
  readonly ENXIO: number;
}

/** An interface behind a descriptor: its name, and IFF_* of linux/if_tun.h. */
export interface TapInterface {
  readonly name: string;
  readonly flags: number;
}

/** A device node as a path shows it. */
export interface DeviceNode {
  readonly isCharacter: boolean;
  readonly major: number;
  readonly minor: number;
}

declare const kind: unique symbol;

/** A burst bound to its memory; freed by the garbage collector. */
export interface BurstHandle {
  readonly [kind]: 'burst';
}

/** A netlink socket on the event loop of this thread. */
export interface NetlinkHandle {
  readonly [kind]: 'netlink';
}

/** The two threads that watch the carrier of NICs. */
export interface CarrierHandle {
  readonly [kind]: 'carrier';
}

/** The peer of a Unix socket, as the kernel recorded it at connect. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
}

/**
 * Calls that may wait for the kernel's configuration lock, for a driver or for a file system:
 * seconds, or for ever. Each comes in two forms (operation.h): `native.name()` is made at once, for
 * threads and tests that have nothing else to do; `native.later.name()` is made on a thread of its
 * own, and is the only form for a thread that serves others.
 */
export interface WaitingCalls {
  // Devices (device.c)

  /** Opens a character device: read and write, non-blocking, closed on exec. */
  deviceOpen(path: string): number;
  deviceClose(fd: number): void;
  /** ENOENT: nothing lies there. */
  deviceNode(path: string): DeviceNode;
  /** mknod of a character device with mode 0600. */
  deviceMakeNode(path: string, major: number, minor: number): void;
  /** TUNSETIFF: makes `fd` a queue of `name`. EINVAL: flags do not match the interface's. */
  tapAttach(fd: number, name: string, flags: number): TapInterface;
  /** TUNGETIFF. EBADFD (TAP) or ENOLINK (macvtap): the interface is gone. */
  tapQuery(fd: number): TapInterface;
  tapSetVnetHeaderLength(fd: number, length: number): void;
  /** TUN_F_* that we accept in what we read. EINVAL: the kernel lacks one of them. */
  tapSetOffload(fd: number, mask: number): void;
  /** Sets the carrier of a TAP. Only tests call it: they change it faster than `ip` can. */
  tapSetCarrier(fd: number, on: boolean): void;
  /** Hardware address of the interface behind a TAP or macvtap, as a 48-bit number. */
  tapHardwareAddress(fd: number): number;
  /** The same of an interface of this network namespace; asks the kernel, not sysfs. */
  interfaceHardwareAddress(name: string): number;

  // Files of /sys and /proc (file.c)

  /**
   * The texts of the files `names` (separated by blanks, relative to `folder`), one after another
   * as they are, newlines included. At most 4096 octets each (EFBIG).
   */
  filesRead(folder: string, names: string): string;
  /** Writes `text` by one system call into a file that exists. */
  fileWrite(path: string, text: string): void;
  /** The names in a folder, each followed by a newline. */
  folderList(path: string): string;

  // Requests (request.c)

  /** A netlink socket for requests: strict checking, extended acknowledgements. */
  requestOpen(protocol: number, receiveBufferBytes: number): number;
  /** Sends messages to the kernel; the result is all it answers, each message aligned to 4. */
  requestExchange(fd: number, messages: Uint8Array): Buffer;
  /** A socket that is a member of a multicast group on an interface until it is closed. */
  multicastJoin(address: string, ifindex: number): number;
}

/** The same calls, each on a thread of its own; the Promise fails as the call would throw. */
export type LaterCalls = {
  readonly [Name in keyof WaitingCalls]: (
    ...args: Parameters<WaitingCalls[Name]>
  ) => Promise<ReturnType<WaitingCalls[Name]>>;
};

export interface Native extends WaitingCalls {
  /** Version of this interface; src/native/addon.ts refuses another. */
  readonly abi: number;
  /** Octets of the virtio net header before each frame: 10. */
  readonly vnetHeaderLength: number;
  /** Octets of a slot: the largest frame with its headers and one more; a full slot was cut. */
  readonly slotLength: number;
  /** Frames that one system call writes: a burst that is longer takes several. */
  readonly burstMax: number;
  /** Int32 words per NIC that the carrier watch writes: [down 0 or 1, changes, spare, spare]. */
  readonly carrierWordsPerNic: number;
  /** The nice value that the datapath's threads ask for. */
  readonly datapathNice: number;
  /** From the platform's errno.h. */
  readonly errno: ErrnoNumbers;

  /** The calls that may wait, made elsewhere; see WaitingCalls. */
  readonly later: LaterCalls;
  /** From now on a call under way, which may never be answered, keeps no process alive. */
  laterAbandon(): void;

  // Bursts (burst.c)

  /**
   * Binds a burst: entry i is slot `slots[i]` of `slab`, `lengths[i]` octets long with the vnet
   * header, `status[i]` its fate. The buffers must never be transferred to another thread.
   */
  burstCreate(
    slab: Uint8Array,
    slots: Int32Array,
    lengths: Int32Array,
    status: Int32Array,
    slotLength: number,
  ): BurstHandle;
  /**
   * Reads into entries `from` to `from + count - 1` and sets their lengths. Returns how many, 0
   * if nothing waits, or -errno if the first read failed. The status of the entry after the last
   * one, if it was asked for too, is 0 (nothing waited) or the errno with which its read failed.
   */
  readBurst(burst: BurstHandle, fd: number, from: number, count: number): number;
  /**
   * Writes these entries in their order, each with status 0 or the errno it met (EAGAIN: no room).
   * Several are written by one system call where the kernel offers io_uring.
   */
  writeBurst(burst: BurstHandle, fd: number, from: number, count: number): void;

  // Waiting (wait.c)

  epollCreate(): number;
  /** Reports `token` while `fd` is readable or broken (level-triggered). */
  epollAdd(epoll: number, fd: number, token: number): void;
  epollDelete(epoll: number, fd: number): void;
  /**
   * Stays awake for `spinUs` microseconds, then sleeps for at most `timeoutMs` (-1: for ever; 0: no
   * wait at all), until a descriptor is ready; fills `tokens`, returns how many (at most 128).
   */
  epollWait(epoll: number, spinUs: number, timeoutMs: number, tokens: Int32Array): number;
  eventfdCreate(): number;
  eventfdRing(fd: number): void;
  /** True if it had been rung since it was last cleared. */
  eventfdClear(fd: number): boolean;

  // Netlink (netlink.c): used through src/native/notifications.ts

  /**
   * Opens a socket of a netlink protocol and joins multicast groups by number. `onReadable` is
   * called from the event loop while messages or an error wait.
   */
  netlinkOpen(
    protocol: number,
    groups: Int32Array,
    receiveBufferBytes: number,
    onReadable: () => void,
  ): NetlinkHandle;
  /**
   * Octets of whole messages from the kernel put into `buffer` (at least 65,536 long); 0 if none
   * wait; -ENOBUFS once after the kernel dropped messages, -EMSGSIZE for one that is too long.
   */
  netlinkReceive(handle: NetlinkHandle, buffer: Uint8Array): number;
  netlinkClose(handle: NetlinkHandle): void;

  // Carrier (carrier.c): used through src/native/carrier-watch.ts

  carrierCreate(
    words: Int32Array,
    wakeFds: Int32Array,
    onChange: (nic: number) => void,
  ): CarrierHandle;
  /**
   * `paths`: carrier_changes and carrier of each device in turn; `states`: 1 if it had carrier, and
   * its count of changes then. EEXIST: watched already; ENOENT: none of the devices is there.
   */
  carrierAdd(
    handle: CarrierHandle,
    nic: number,
    paths: readonly string[],
    states: Int32Array,
  ): void;
  carrierRemove(handle: CarrierHandle, nic: number): boolean;
  carrierRefresh(handle: CarrierHandle, nic: number): boolean;
  carrierClose(handle: CarrierHandle): void;

  // Peers (peer.c)

  peerCredentials(fd: number): PeerCredentials;

  // Service manager (notify.c)

  /**
   * Sends `text` (1 to 4095 octets) as one datagram to the Unix socket at `path`; `@name` is one of
   * the abstract namespace. Never waits. ENOENT, ECONNREFUSED: no listener; EAGAIN: queue full.
   */
  datagramSend(path: string, text: string): void;

  // Priority (priority.c)

  /**
   * Makes the calling thread one of the datapath: gives it a name (1 to 15 octets), and the nice
   * value `datapathNice` if that is higher and allowed. Returns its nice value.
   */
  threadRaise(name: string): number;

  // Locks (lock.c)

  /**
   * Locks an open file against every other open of it, in whatever namespace; false if another one
   * holds the lock. The kernel releases it when the descriptor is closed. Never waits.
   */
  fileLock(fd: number): boolean;
}

declare const native: Native;
export default native;
