/** Who is measured: the kernel's own path, the relay in C, and ipmpd in its wirings. */

import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { TX_QUEUE_LENGTH } from '../../src/host/attach.ts';
import { configurationFor, GROUP } from '../../src/lab/configuration.ts';
import { LabDaemon, socketOf } from '../../src/lab/daemon-process.ts';
import { until } from '../../src/lab/until.ts';
import { compiled } from './compile.ts';
import { Field, HOST_PREFIX } from './field.ts';
import { openVSwitch } from './open-vswitch.ts';

export const DIRECT = 'direct';
export const RELAY = 'C relay';
export const IPMPD = 'ipmpd 1 NIC';
export const IPMPD_TWO = 'ipmpd 2 NICs';
export const OPEN_VSWITCH = 'Open vSwitch';

/** A candidate: how its field is made, and what is started in it. */
export interface Candidate {
  readonly name: string;
  readonly what: string;
  /** Why it cannot take part on this machine; undefined if it can. */
  whyNot?(): Promise<string | undefined>;
  field(): Field;
  /** Returns the process that carries the frames, if it is not the kernel alone. */
  raise(field: Field): Promise<number | undefined>;
}

/**
 * All candidates, in the order of their first round. `builds` are folders of other checkouts,
 * compiled: each joins in with one NIC on macvtap, to be compared with this one.
 */
export function candidates(builds: readonly string[]): Candidate[] {
  return [
    {
      name: DIRECT,
      what: 'a veth pair between the namespaces, nothing else',
      field: () => new Field('none', 1),
      raise: raiseDirect,
    },
    {
      name: RELAY,
      what: 'TAP <-> macvtap, the smallest relay in C (test/bench/relay.c, -O2)',
      field: () => new Field('macvtap', 1),
      raise: raiseRelay,
    },
    daemon(IPMPD, 'macvtap', () => new Field('macvtap', 1)),
    daemon(IPMPD_TWO, 'macvtap', () => new Field('macvtap', 2)),
    daemon('ipmpd bridge', 'one NIC, TAP in a bridge', () => new Field('bridge', 1)),
    {
      name: OPEN_VSWITCH,
      what: 'userspace datapath, active-backup bond of two NICs, address on its own port',
      whyNot: () => openVSwitch.whyNot(),
      field: () => new Field('none', 2),
      raise: (field) => openVSwitch.raise(field),
    },
    ...builds.map((build) =>
      daemon(`build ${basename(build)}`, build, () => new Field('macvtap', 1), build),
    ),
  ];
}

async function raiseDirect(field: Field): Promise<undefined> {
  await field.build({ isBare: true });
  await field.workspace.ip('host', [`address add ${HOST_PREFIX} dev eth0`]);
}

/** The relay has queues as long as the daemon's, and its kernel is as silent below. */
async function raiseRelay(field: Field): Promise<number | undefined> {
  const { workspace } = field;
  await field.build();
  await workspace.ip('host', [
    'link set eth0 arp off',
    `link add link eth0 name net0 txqueuelen ${TX_QUEUE_LENGTH} type macvtap mode passthru`,
    'link set net0 up',
  ]);
  const shell = (script: string): Promise<string> => workspace.runIn('host', ['sh', '-c', script]);
  const mac = (await shell('cat /sys/class/net/net0/address')).trim();
  const [major = '', minor = ''] = (await shell('cat /sys/class/net/net0/tap*/dev')).split(':');
  const node = join(workspace.folder, 'net0');
  await workspace.run(['mknod', node, 'c', major, minor.trim()]);
  const relay = workspace.start([await compiled('relay'), GROUP, node], { role: 'host' });
  await until('the relay has made its TAP', 5000, () => shell(`test -e /sys/class/net/${GROUP}`));
  await workspace.ip('host', [
    `link set ${GROUP} address ${mac} txqueuelen ${TX_QUEUE_LENGTH}`,
    `address add ${HOST_PREFIX} dev ${GROUP}`,
    `link set ${GROUP} up`,
  ]);
  return relay.pid;
}

function daemon(name: string, what: string, field: () => Field, build?: string): Candidate {
  return {
    name,
    what,
    field,
    async raise(ground) {
      await ground.build();
      const socket = socketOf(ground.workspace);
      const text = configurationFor(ground, { socket, addresses: [HOST_PREFIX] });
      const started = await (await daemonOf(build)).start(ground.workspace, text);
      await started.waitUntilOk();
      return started.process.pid;
    },
  };
}

/** The class that starts the daemon of its own build. */
async function daemonOf(build: string | undefined): Promise<typeof LabDaemon> {
  if (build === undefined) return LabDaemon;
  const file = join(resolve(build), 'dist/src/lab/daemon-process.js');
  const module = (await import(pathToFileURL(file).href)) as { LabDaemon: typeof LabDaemon };
  return module.LabDaemon;
}
