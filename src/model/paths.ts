/** Paths on a host, unless the configuration or the command line names others. */

/** The administrator's configuration; its drop-ins are in ipmpd.d beside it. */
export const CONFIG_FILE = '/etc/ipmpd/ipmpd.yaml';
export const CONTROL_SOCKET = '/run/ipmpd/ipmpd.sock';
