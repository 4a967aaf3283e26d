/**
 * The numbers that several rooms share, each declared once: sizes of the tables that all threads
 * share, what a configuration may ask for, and how much text from outside is read. The schema in
 * config/ repeats the second for editors; test/unit/model/limits.test.ts compares the two.
 */

// Ours: sizes of the shared tables. Each is a bound that the control plane refuses to exceed.

/** NIC ports are 0 .. MAX_NICS - 1. */
export const MAX_NICS = 512;
/** A group's device has port GROUP_PORT_BASE + the number of the group. */
export const GROUP_PORT_BASE = MAX_NICS;
/** Groups are 0 .. MAX_GROUPS - 1. */
export const MAX_GROUPS = 64;
/** Ordinals of members within a group: two words of an active mask. */
export const MAX_GROUP_MEMBERS = 64;
/** Data and test addresses of all groups: twice 16 groups of 256 addresses. */
export const MAX_ADDRESSES = 8192;
/** Neighbours whose new MAC the host has not learnt yet; each lasts some seconds. */
export const MAX_REDIRECTS = 1024;
/** Workers: a queue of each device for each of them, and no machine gains from more. */
export const MAX_WORKERS = 16;

// What a configuration may ask for.

/** Linux: IFNAMSIZ less the terminating zero. */
export const DEVICE_NAME_LENGTH_MAX = 15;
/** Bytes of the socket's path: unix(7) has 108 with the end, and a name beside it must fit too. */
export const SOCKET_PATH_MAX = 90;
/** RFC 8200 section 5. With less the kernel destroys the IPv6 side of a group's device. */
export const GROUP_MTU_MIN = 1280;
/** A length of IPv4 has 16 bits. */
export const GROUP_MTU_MAX = 65_535;
/** Entries of a neighbour cache (contract 3.10). */
export const NEIGHBOR_LIMIT_MIN = 64;
export const NEIGHBOR_LIMIT_MAX = 65_536;
/** Failure detection time (contract 3.20). */
export const FAILURE_DETECTION_MIN_MS = 50;
export const FAILURE_DETECTION_MAX_MS = 3_600_000;
/** Ours: link-ups remembered per interface, above any sensible setting. */
export const FLAP_UPS_MAX = 1000;
/** Ours: each multicast membership of a group costs the daemon a descriptor. */
export const MULTICAST_MAX = 64;

// Text from outside: each of these is checked before anything is built from the text.

/** Bytes of a configuration file (T26). */
export const FILE_BYTES_MAX = 256 * 1024;
/** Bytes of a main file and its drop-ins together: four times what the largest host needs. */
export const FILES_BYTES_MAX = 8 * 1024 * 1024;
/** Drop-ins that are read: a directory by mistake (/usr) must not be. */
export const DROP_INS_MAX = 256;
/** Nesting of a configuration file and of the body of a request: the schema needs five levels. */
export const DEPTH_MAX = 16;
/** Values in one file: the addresses that fit into its size are fewer. */
export const FILE_VALUES_MAX = 50_000;
/** Words of YAML in one file, without spaces and comments: each value with what divides it. */
export const FILE_WORDS_MAX = 2 * FILE_VALUES_MAX;
/** Characters of one text or key in a file: a host name, the longest that is allowed, has 253. */
export const TEXT_LENGTH_MAX = 1024;
/** Bytes of the body of a request. */
export const BODY_BYTES_MAX = 64 * 1024;
/** Bytes of a reply: 64 groups of 8192 addresses of 300 bytes. */
export const REPLY_BYTES_MAX = 256 * 1024 * 1024;
/** Bytes of one event in a stream: far above any. */
export const EVENT_BYTES_MAX = 64 * 1024;
