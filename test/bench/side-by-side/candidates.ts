/** What is measured: the kernel's own path, the relay in C, and ipmpd in its wirings. */

import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { TX_QUEUE_LENGTH } from '../../../src/host/port/wiring.ts';
import { configurationFor, GROUP } from '../../../src/lab/configuration.ts';
import { LabDaemon, socketOf } from '../../../src/lab/daemon-process.ts';
import type { Wiring } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { compiled } from './compile.ts';
import { addressLines, type Closable, Field, HOST_PREFIXES } from './field.ts';
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

/** Candidates beside the usual ones. */
export interface Guests {
  /** Folders of other checkouts, compiled, to be compared with this one. */
  readonly builds?: readonly string[];
  /** Other ways to carry frames, which were not taken, for the reasons in docs/performance.md. */
  readonly hasAlternatives?: boolean;
}

/** All candidates, in the order of their first round. */
export function candidates({ builds = [], hasAlternatives = false }: Guests): Candidate[] {
  return [
    {
      name: DIRECT,
      what: 'a veth pair between the namespaces, nothing else',
      field: () => new Field('none', 1),
      raise: raiseDirect,
    },
    {
      name: RELAY,
      what: 'TAP <-> macvtap, the smallest relay in C (test/bench/side-by-side/relay.c, -O2)',
      field: () => new Field('macvtap', 1),
      raise: (field) => raiseRelay(field, 'relay'),
    },
    daemon(IPMPD, { what: 'macvtap' }),
    daemon(IPMPD_TWO, { what: 'macvtap', nics: 2 }),
    daemon('ipmpd bridge', { what: 'one NIC, TAP in a bridge', wiring: 'bridge' }),
    {
      name: OPEN_VSWITCH,
      what: 'userspace datapath, active-backup bond of two NICs, address on its own port',
      whyNot: () => openVSwitch.whyNot(),
      field: () => new Field('none', 2),
      raise: (field) => openVSwitch.raise(field),
    },
    ...(hasAlternatives ? alternatives() : []),
    ...builds.map((build) => daemon(`build ${basename(build)}`, { what: build, build })),
  ];
}

/** The daemon with one NIC alone; `open` gets what must be closed. @throws CommandError */
export async function raiseOne(open: Closable[]): Promise<{ field: Field; pid: number }> {
  const candidate = daemon(IPMPD, { what: 'macvtap' });
  const field = candidate.field();
  open.push(field);
  const pid = await candidate.raise(field);
  if (pid === undefined) throw new Error(`${IPMPD} has no process`);
  return { field, pid };
}

function alternatives(): Candidate[] {
  return [
    {
      name: 'C relay, io_uring',
      what: 'TAP <-> macvtap (test/bench/side-by-side/relay-uring.c, -O2)',
      field: () => new Field('macvtap', 1),
      raise: (field) => raiseRelay(field, 'relay-uring'),
    },
    daemon('ipmpd 2 workers', { what: 'macvtap, one NIC', workers: 2 }),
  ];
}

async function raiseDirect(field: Field): Promise<undefined> {
  await field.build({ isBare: true });
  await field.workspace.ip('host', addressLines('eth0', 'host'));
}

/** The relay has queues as long as the daemon's, and its kernel is as silent below. */
async function raiseRelay(field: Field, program: string): Promise<number | undefined> {
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
  const relay = workspace.start([await compiled(program), GROUP, node], { role: 'host' });
  await until('the relay has made its TAP', 5000, () => shell(`test -e /sys/class/net/${GROUP}`));
  await workspace.ip('host', [
    `link set ${GROUP} address ${mac} txqueuelen ${TX_QUEUE_LENGTH}`,
    ...addressLines(GROUP, 'host'),
    `link set ${GROUP} up`,
  ]);
  return relay.pid;
}

/** How a daemon is wired, and to which candidate it belongs. */
interface DaemonOptions {
  readonly what: string;
  readonly wiring?: Wiring;
  readonly nics?: number;
  readonly workers?: number;
  readonly build?: string;
}

function daemon(name: string, options: DaemonOptions): Candidate {
  const { what, wiring = 'macvtap', nics = 1, workers, build } = options;
  const top = workers === undefined ? {} : { datapath: { workers } };
  return {
    name,
    what,
    field: () => new Field(wiring, nics),
    async raise(ground) {
      await ground.build();
      const socket = socketOf(ground.workspace);
      const text = configurationFor(ground, { socket, addresses: HOST_PREFIXES, top });
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
