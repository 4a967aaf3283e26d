/**
 * Open vSwitch as a candidate: its userspace datapath, an active-backup bond over two NICs, and
 * the host's address on the bridge's own port, a TAP.
 *
 * Nothing of the system's is touched: database, sockets and logs lie in the folder of the field,
 * the daemons run in its namespace and end with it. The programs are the installed ones, or those
 * that set-up has taken out of their package.
 *
 * This datapath carries frames of the MTU with finished checksums. So checksum offload, and
 * segmentation with it, is off on every port and on the far ends; no setting spares that in a build
 * without DPDK.
 */

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TX_QUEUE_LENGTH } from '../../../src/host/port/wiring.ts';
import { environment, execute } from '../../../src/lab/command.ts';
import { GROUP } from '../../../src/lab/configuration.ts';
import { until } from '../../../src/lab/until.ts';
import type { Workspace } from '../../../src/lab/workspace.ts';
import { addressLines, type Field } from './field.ts';

/** Where set-up puts what it takes out of the package. */
const EXTRACTED = fileURLToPath(new URL('../../../../build/tools/openvswitch', import.meta.url));
const PROGRAMS = ['ovsdb-tool', 'ovsdb-server', 'ovs-vsctl', 'ovs-vswitchd'];
/** Ours: seconds until the daemon must have carried out a command. */
const CONFIGURE_S = 10;

const root = existsSync(EXTRACTED) ? EXTRACTED : '';

/** `env` with what finds the programs and their libraries, and keeps their files in `folder`. */
function inFolder(folder: string): string[] {
  const places = ['usr/bin', 'usr/sbin', 'usr/lib/openvswitch-switch'];
  const folders = places.map((place) => `${root}/${place}`);
  const own = ['OVS_RUNDIR', 'OVS_LOGDIR', 'OVS_DBDIR', 'OVS_SYSCONFDIR'];
  return [
    'env',
    `PATH=${[...folders, environment().PATH].join(':')}`,
    ...(root === '' ? [] : [`LD_LIBRARY_PATH=${libraries().join(':')}`]),
    ...own.map((name) => `${name}=${folder}`),
  ];
}

/** Debian has libraries in a folder for each architecture. */
function libraries(): string[] {
  const folder = join(root, 'usr/lib');
  return readdirSync(folder).map((name) => join(folder, name));
}

/** The candidate. */
export const openVSwitch = {
  /** Why it cannot run here; undefined if it can. */
  async whyNot(): Promise<string | undefined> {
    for (const program of [...PROGRAMS, 'ethtool']) {
      const { status, stderr } = await execute([...inFolder('/nonexistent'), program, '--version']);
      if (status !== 0) return `${program}: ${stderr.trim()}`;
    }
    return undefined;
  },

  /** Builds it and returns the process that carries the frames. @throws CommandError */
  async raise(field: Field): Promise<number | undefined> {
    const { workspace, members } = field;
    await field.build();
    const nics = members.map((_, nic) => `eth${nic}`);
    for (const nic of nics) await withoutOffload(workspace, 'host', nic);
    for (const nic of members.keys()) await withoutOffload(workspace, 'peer', `p${nic}`);
    const database = await startDatabase(workspace);
    const env = inFolder(workspace.folder);
    const daemon = workspace.start([...env, 'ovs-vswitchd', database, ...quiet('vswitchd')], {
      role: 'host',
    });
    const configure = ['ovs-vsctl', `--db=${database}`, `--timeout=${CONFIGURE_S}`];
    await workspace.run([
      ...env,
      ...configure,
      ...['add-br', GROUP, '--', 'set', 'bridge', GROUP, 'datapath_type=netdev', '--'],
      ...['add-bond', GROUP, 'bond0', ...nics, 'bond_mode=active-backup'],
    ]);
    await withoutOffload(workspace, 'host', GROUP);
    await workspace.ip('host', [
      `link set ${GROUP} txqueuelen ${TX_QUEUE_LENGTH}`,
      ...addressLines(GROUP, 'host'),
      `link set ${GROUP} up`,
    ]);
    return daemon.pid;
  },
};

/** Starts the server of the configuration; returns how it is called. */
async function startDatabase(workspace: Workspace): Promise<string> {
  const env = inFolder(workspace.folder);
  const file = join(workspace.folder, 'conf.db');
  const socket = join(workspace.folder, 'db.sock');
  const schema = `${root}/usr/share/openvswitch/vswitch.ovsschema`;
  await workspace.run([...env, 'ovsdb-tool', 'create', file, schema]);
  const options = [`--remote=punix:${socket}`, ...quiet('ovsdb')];
  workspace.start([...env, 'ovsdb-server', file, ...options], { role: 'host' });
  await until('the database of Open vSwitch answers', 5000, () => existsSync(socket));
  await workspace.run([...env, 'ovs-vsctl', `--db=unix:${socket}`, '--no-wait', 'init']);
  return `unix:${socket}`;
}

/** Files in the folder of the field, and nothing on the pipes, which are not read. */
function quiet(name: string): string[] {
  return [`--pidfile`, `--log-file`, `--unixctl=${name}.ctl`, '-vconsole:off'];
}

async function withoutOffload(workspace: Workspace, role: string, device: string): Promise<void> {
  await workspace.runIn(role, ['ethtool', '-K', device, 'tx', 'off']);
}
