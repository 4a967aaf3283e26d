/**
 * The network around a host: two independent switches with a link between them, stations behind
 * them, and sockets for the host's NICs. Every cable can be broken.
 *
 *      NICs ──── switch A ═══ link ═══ switch B ──── NICs
 *                   │                     │
 *               stations               stations
 */

import { assert } from '../../base/assert.ts';
import type { Rng } from '../../base/rng.ts';
import type { Ipv6, Mac } from '../../wire/addr.ts';
import type { Agenda } from '../agenda.ts';
import { Cable, type Tap } from './cable.ts';
import { SimNic } from './nic.ts';
import { Station, type StationAddress } from './station.ts';
import { Station6 } from './station6.ts';
import { Switch } from './switch.ts';

/** Which switch something is plugged into. */
export type Side = 'A' | 'B';

/** A station of the network. */
export interface StationSpec {
  readonly name: string;
  readonly mac: Mac;
  readonly side: Side;
  readonly addresses: readonly StationAddress[];
  /** Of IPv6; they are in use from the start. */
  readonly addresses6?: readonly StationAddress6[];
}

/** An IPv6 address of a station. */
export interface StationAddress6 {
  readonly address: Ipv6;
  readonly prefixLength: number;
}

/** Two switches and what is plugged in. */
export class Network {
  readonly agenda: Agenda;
  readonly switches: Record<Side, Switch>;
  /** The link between the switches. */
  readonly link: Cable;
  readonly cables = new Map<string, Cable>();
  readonly stations = new Map<string, Station>();
  /** The IPv6 side of the same stations. */
  readonly stations6 = new Map<string, Station6>();
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

  /** A station of both families behind a switch; its cable has its name. */
  addStation(spec: StationSpec): Station {
    const cable = this.#cable(spec.name);
    const { name, mac, side, addresses, addresses6 = [] } = spec;
    const fixed = { name, mac, agenda: this.agenda };
    const send = (frame: Uint8Array): void => cable.transmit('a', frame);
    const station = new Station({ ...fixed, addresses, send });
    const station6 = new Station6({ ...fixed, send });
    this.switches[side].connect(cable, 'b');
    cable.plug('a', {
      handleFrame: (frame) => {
        station.handleFrame(frame);
        station6.handleFrame(frame);
      },
      handleCarrier: () => undefined,
    });
    for (const { address, prefixLength } of addresses6) {
      station6.addAddress(address, prefixLength, true);
    }
    this.stations.set(name, station);
    this.stations6.set(name, station6);
    return station;
  }

  /** The IPv6 side of the station `name`. */
  station6(name: string): Station6 {
    const station = this.stations6.get(name);
    assert(station !== undefined, `there is no station ${name}`);
    return station;
  }

  #cable(name: string): Cable {
    const cable = new Cable(name, this.agenda, this.#rng.fork(), this.taps);
    this.cables.set(name, cable);
    return cable;
  }
}
