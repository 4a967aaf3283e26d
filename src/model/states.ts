/** States and modes as operators see them: closed lists, each word once. */

/** Group: failed without a usable member, ok when all are usable, else degraded. */
export const GROUP_STATES = ['ok', 'degraded', 'failed'] as const;
export type GroupState = (typeof GROUP_STATES)[number];

export const INTERFACE_STATES = ['ok', 'failed', 'offline', 'unknown', 'absent'] as const;
export type InterfaceState = (typeof INTERFACE_STATES)[number];

/** A standby is used only while another member has failed. */
export const INTERFACE_TYPES = ['normal', 'standby'] as const;
export type InterfaceType = (typeof INTERFACE_TYPES)[number];

export const LINK_STATES = ['up', 'down', 'unknown'] as const;
export type LinkState = (typeof LINK_STATES)[number];

/** The result of probes of an interface. */
export const PROBE_STATES = ['ok', 'failed', 'unknown', 'disabled'] as const;

export const ADDRESS_TYPES = ['data', 'test'] as const;

/** An address is tentative during detection, duplicate while another station has it. */
export const ADDRESS_STATES = ['up', 'down', 'tentative', 'duplicate'] as const;
export type IpifState = (typeof ADDRESS_STATES)[number];

/** What chooses the active member for a unicast frame: flow, destination, or the source address. */
export const SPREADINGS = ['flow', 'destination', 'address'] as const;
export type Spreading = (typeof SPREADINGS)[number];
