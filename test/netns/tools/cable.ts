/** Cables and noise made of TAPs: see programs/cable.ts for why. */

import { MeasuringChild } from '../../../src/lab/measure/child.ts';
import type { Topology } from '../../../src/lab/topology.ts';

const PROGRAM = new URL('../programs/cable.js', import.meta.url);

/** A NIC of the host at the end of such a cable. */
export class Cable {
  readonly #child: MeasuringChild;

  private constructor(child: MeasuringChild) {
    this.#child = child;
  }

  /** Puts a cable in the place of the veth pair under `uplink`. */
  static async replace(topology: Topology, uplink: string): Promise<Cable> {
    const { workspace } = topology;
    const { role, device } = topology.portOf(uplink);
    const near = `c-${uplink}`;
    await workspace.ip('host', [`link del ${uplink}`]);
    const child = new MeasuringChild(workspace, role, PROGRAM, [near, device]);
    await child.receive('ready');
    const host = workspace.namespaceOf('host');
    await workspace.ip(role, [
      `link set ${device} master lan`,
      `link set ${device} up`,
      `link set ${near} netns ${host} name ${uplink}`,
    ]);
    await workspace.ip('host', [`link set ${uplink} up`]);
    return new Cable(child);
  }

  async cut(): Promise<void> {
    await this.#child.ask({ kind: 'cut' }, 'done');
  }

  async repair(): Promise<void> {
    await this.#child.ask({ kind: 'repair' }, 'done');
  }
}

/** A device in a namespace of its own whose carrier changes all the time. */
export async function startNoise(topology: Topology): Promise<void> {
  const { workspace } = topology;
  await workspace.addNamespace('noise', { ipv6: false });
  const child = new MeasuringChild(workspace, 'noise', PROGRAM, ['noise0']);
  await child.receive('ready');
  await workspace.ip('noise', ['link set noise0 up']);
}
