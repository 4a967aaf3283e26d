/**
 * The network around a host: two independent switches with a link between them, stations behind
 * them, and sockets for the host's NICs. Every cable can be broken.
 *
 *      NICs ──── switch A ═══ link ═══ switch B ──── NICs
 *                   │                     │
 *               stations               stations
 */

import type { Rng } from '../../base/rng.ts';
import type { Mac } from '../../wire/addr.ts';
import type { Agenda } from '../agenda.ts';
import { Cable, type Tap } from './cable.ts';
import { SimNic } from './nic.ts';
import { Station, type StationAddress } from './station.ts';
import { Switch } from './switch.ts';

/** Which switch something is plugged into. */
export type Side = 'A' | 'B';

/** A station of the network. */
export interface StationSpec {
  readonly name: string;
  readonly mac: Mac;
  readonly side: Side;
  readonly addresses: readonly StationAddress[];
}

/** Two switches and what is plugged in. */
export class Network {
  readonly agenda: Agenda;
  readonly switches: Record<Side, Switch>;
  /** The link between the switches. */
  readonly link: Cable;
  readonly cables = new Map<string, Cable>();
  readonly stations = new Map<string, Station>();
  /** Each gets every frame that is put into any cable. */
  readonly taps: Tap[] = [];
  readonly #rng: Rng;

  constructor(agenda: Agenda, rng: Rng) {
    this.agenda = agenda;
    this.#rng = rng;
    this.switches = { A: new Switch('A', agenda), B: new Switch('B', agenda) };
    this.link = this.#cable('link');
    this.switches.A.connect(this.link, 'a');
    this.switches.B.connect(this.link, 'b');
  }

  /** The switch that a NIC is plugged into. */
  sideOf(nic: SimNic): Side {
    return this.switches.A.isConnected(nic.cable) ? 'A' : 'B';
  }

  /** A NIC of the host at `side`; its cable has its name. */
  addNic(name: string, mac: Mac, side: Side): SimNic {
    const cable = this.#cable(name);
    const nic = new SimNic(name, mac, cable, 'a');
    this.switches[side].connect(cable, 'b');
    return nic;
  }

  /** Takes a NIC out: both ends of its cable are free, and the cable goes. */
  removeNic(nic: SimNic): void {
    nic.remove();
    this.switches[this.sideOf(nic)].disconnect(nic.cable);
    this.cables.delete(nic.name);
  }

  /** A station behind a switch; its cable has its name. */
  addStation(spec: StationSpec): Station {
    const cable = this.#cable(spec.name);
    const station = new Station({
      name: spec.name,
      mac: spec.mac,
      agenda: this.agenda,
      addresses: spec.addresses,
      send: (frame) => cable.transmit('a', frame),
    });
    cable.plug('a', {
      handleFrame: (frame) => station.handleFrame(frame),
      handleCarrier: () => undefined,
    });
    this.switches[spec.side].connect(cable, 'b');
    this.stations.set(spec.name, station);
    return station;
  }

  #cable(name: string): Cable {
    const cable = new Cable(name, this.agenda, this.#rng.fork(), this.taps);
    this.cables.set(name, cable);
    return cable;
  }
}
