/**
 * A walk through what can happen to the NICs of a group: each step takes one out, or brings one
 * back in the way in which it went. NICs may be out together, but one always stays. The seed
 * decides the order alone, so that it can be walked again.
 */

import { equal } from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { OperatorError } from '../../src/base/errors.ts';
import { Rng } from '../../src/base/rng.ts';
import { ControlClient } from '../../src/ctl/client.ts';
import { GROUP } from '../../src/lab/configuration.ts';
import { until } from '../../src/lab/until.ts';
import type { TestHost } from '../netns/tools/harness.ts';

const MOST_PAUSE_MS = 200;
/** Without its counters, which a driver may give late, a NIC is refused. */
const JOINED_WITHIN_MS = 20_000;

const WAYS = { fail: 'repair', offline: 'online', leave: 'join' } as const;
type Out = keyof typeof WAYS;
const OUTS: readonly Out[] = ['fail', 'offline', 'leave'];
/** What is done to a NIC. */
export type Action = Out | (typeof WAYS)[Out];

/** One walk on one host. */
export class Walk {
  readonly #host: TestHost;
  readonly #client: ControlClient;
  readonly #rng: Rng;
  /** How each NIC that is out went. */
  readonly #out = new Map<string, Out>();
  /** How often each thing was done. */
  readonly tally: Record<string, number> = {};

  constructor(host: TestHost, seed: number) {
    this.#host = host;
    this.#client = new ControlClient(host.daemon.socket);
    this.#rng = new Rng(seed);
  }

  /** One step after a short while, to its end; what it was. */
  async step(): Promise<string> {
    await sleep(this.#rng.uniform(0, MOST_PAUSE_MS));
    const { members } = this.#host.topology;
    const isLast = this.#out.size === members.length - 1;
    const choice = isLast ? [...this.#out.keys()] : members;
    const member = choice[this.#rng.below(choice.length)]!;
    const way = OUTS[this.#rng.below(OUTS.length)]!;
    return await (this.#out.has(member) ? this.#bringBack(member) : this.#takeOut(member, way));
  }

  /** Brings all back that are out. */
  async end(): Promise<void> {
    for (const member of [...this.#out.keys()]) await this.#bringBack(member);
    await this.#host.daemon.waitUntilOk();
  }

  async #takeOut(member: string, way: Out): Promise<string> {
    await this.act(way, member);
    this.#out.set(member, way);
    return `${way} ${member}`;
  }

  async #bringBack(member: string): Promise<string> {
    const way = WAYS[this.#out.get(member)!];
    this.#out.delete(member);
    await this.act(way, member);
    return `${way} ${member}`;
  }

  /** Does it, and waits for the state that it leads to. */
  async act(action: Action, member: string): Promise<void> {
    this.tally[action] = (this.tally[action] ?? 0) + 1;
    const path = `/v1/groups/${GROUP}/interfaces/${member}`;
    switch (action) {
      case 'fail':
      case 'repair':
        await this.#setLink(member, action);
        break;
      case 'offline':
      case 'online':
        await this.#client.request('POST', `/v1/interfaces/${member}/${action}`);
        break;
      case 'leave':
        await this.#client.request('DELETE', path);
        return;
      case 'join':
        await until(`${member} joins`, JOINED_WITHIN_MS, () => this.#hasJoined(path));
        break;
    }
    const states = { fail: 'failed', offline: 'offline', repair: 'ok', online: 'ok', join: 'ok' };
    await this.#host.waitForState(member, states[action]);
  }

  /** No bridge reports its cable to a TAP of another program: that one is set down itself. */
  async #setLink(member: string, action: 'fail' | 'repair'): Promise<void> {
    const { topology, workspace } = this.#host;
    if (topology.options.wiring === 'tap') {
      await workspace.ip('host', [`link set ${member} ${action === 'fail' ? 'down' : 'up'}`]);
      return;
    }
    const uplink = topology.uplinks[topology.members.indexOf(member)] ?? '';
    await (action === 'fail' ? topology.cut(uplink) : topology.repair(uplink));
  }

  async #hasJoined(path: string): Promise<boolean> {
    try {
      await this.#client.request('PUT', path);
      return true;
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      equal(error.code, 'ETIMEDOUT');
      return false;
    }
  }
}
