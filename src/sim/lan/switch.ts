/**
 * A switch that learns: frames for a station go to the port from which it sent last; frames for
 * a group of stations, or for an unknown one, go everywhere but back (IEEE 802.1D 7).
 *
 * No spanning tree: the world wires its switches as a tree.
 */

import { type Mac, macIsGroup } from '../../wire/addr.ts';
import { ethernetDestination, ethernetIsValid, ethernetSource } from '../../wire/ethernet.ts';
import type { Agenda } from '../agenda.ts';
import type { Cable, End, Plug } from './cable.ts';

/** How long a switch remembers where a station is: 802.1D 7.9.2, the recommended value. */
const AGEING_MS = 300_000;

/** Stations that a switch remembers at most; a flood of false ones costs the oldest (ours). */
const STATIONS_MAX = 4096;

/** A socket of the switch. */
interface Socket {
  readonly cable: Cable;
  readonly end: End;
}

/** A switch. Sockets are made by plugging cables in. */
export class Switch {
  readonly name: string;
  /** How long a silent station is remembered; a small switch, or a hurried one. */
  ageingMs = AGEING_MS;
  readonly #agenda: Agenda;
  #sockets: Socket[] = [];
  readonly #stations = new Map<Mac, { socket: Socket; heardMs: number }>();
  #isOn = true;

  constructor(name: string, agenda: Agenda) {
    this.name = name;
    this.#agenda = agenda;
  }

  /** Plugs `end` of `cable` in. */
  connect(cable: Cable, end: End): void {
    const socket: Socket = { cable, end };
    this.#sockets.push(socket);
    const plug: Plug = {
      handleFrame: (frame) => this.#forward(socket, frame),
      handleCarrier: (isUp) => {
        if (!isUp) this.#forget(socket);
      },
    };
    cable.plug(end, plug);
  }

  /** True if `cable` is plugged in. */
  isConnected(cable: Cable): boolean {
    return this.#sockets.some((socket) => socket.cable === cable);
  }

  /** Takes `cable` out, and forgets the stations behind it. */
  disconnect(cable: Cable): void {
    for (const socket of this.#sockets) {
      if (socket.cable === cable) {
        cable.unplug(socket.end);
        this.#forget(socket);
      }
    }
    this.#sockets = this.#sockets.filter((socket) => socket.cable !== cable);
  }

  /** Switches the whole thing off: every cable loses its carrier and every station is forgotten. */
  turnOff(): void {
    this.#isOn = false;
    this.#stations.clear();
    for (const { cable } of this.#sockets) cable.cut();
  }

  /** Switches it on again, with healthy cables. */
  turnOn(): void {
    this.#isOn = true;
    for (const { cable } of this.#sockets) cable.repair();
  }

  /** Forgets every station at once, as after a change of topology (802.1D 17.11). */
  forgetStations(): void {
    this.#stations.clear();
  }

  /** The cable behind which `mac` sent last; undefined if it did not, or too long ago. */
  whereIs(mac: Mac): Cable | undefined {
    return this.#lookUp(mac)?.cable;
  }

  #forward(from: Socket, frame: Uint8Array): void {
    if (!this.#isOn || !ethernetIsValid(frame, 0, frame.length)) return;
    const source = ethernetSource(frame, 0);
    if (!macIsGroup(source)) this.#learn(source, from);
    const destination = ethernetDestination(frame, 0);
    const known = macIsGroup(destination) ? undefined : this.#lookUp(destination);
    if (known !== undefined) {
      if (known !== from) known.cable.transmit(known.end, frame);
      return;
    }
    for (const socket of this.#sockets) {
      if (socket !== from) socket.cable.transmit(socket.end, frame);
    }
  }

  #learn(mac: Mac, socket: Socket): void {
    this.#stations.delete(mac);
    this.#stations.set(mac, { socket, heardMs: this.#agenda.nowMs });
    if (this.#stations.size <= STATIONS_MAX) return;
    for (const oldest of this.#stations.keys()) {
      this.#stations.delete(oldest);
      return;
    }
  }

  #lookUp(mac: Mac): Socket | undefined {
    const station = this.#stations.get(mac);
    if (station === undefined) return undefined;
    return this.#agenda.nowMs - station.heardMs > this.ageingMs ? undefined : station.socket;
  }

  #forget(socket: Socket): void {
    for (const [mac, station] of this.#stations) {
      if (station.socket === socket) this.#stations.delete(mac);
    }
  }
}
