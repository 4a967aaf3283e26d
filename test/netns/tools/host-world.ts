/**
 * Tests of src/host in a network namespace of their own. A test file names its bodies; each runs
 * in a child process inside a fresh namespace (a process cannot change its own from JavaScript),
 * and its failure is the test's failure.
 */

import { deepEqual } from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Host, type HostOptions } from '../../../src/host/host.ts';
import type { HostEvent } from '../../../src/host/host-event.ts';
import type { InterfaceSpec } from '../../../src/host/port/attach.ts';
import { until } from '../../../src/lab/until.ts';
import { Workspace } from '../../../src/lab/workspace.ts';
import { native } from '../../../src/native/addon.ts';
import type { HostLog } from '../../../src/process/log.ts';
import { outputOf } from './programs.ts';

const BODY = 'IPMPD_HOST_TEST_BODY';
const FOLDER = 'IPMPD_HOST_TEST_FOLDER';
const ELSEWHERE = 'IPMPD_HOST_TEST_NOISE';
/** The kernel defers a carrier event by a second at most, and a busy machine by more. */
const CARRIER_MS = 20_000;

/** A group's device, with an address and a route. */
export const GROUP_SPEC = {
  name: 'ipmp0',
  mac: 0x06_00_00_00_00_01,
  queues: 1,
  addresses: ['192.0.2.10/24'],
  routes: [{ to: 'default', via: '192.0.2.1' }],
};

/** A test that runs inside a namespace; it may start further processes there. */
export type Body = (world: World) => Promise<void>;

/**
 * Declares one test per body; in the child, runs the named body. A name that begins with
 * 'helper:' is no test, but the body of a further process that a test starts.
 */
export function inNamespace(url: string, bodies: Readonly<Record<string, Body>>): void {
  const wanted = process.env[BODY];
  if (wanted !== undefined) {
    const body = bodies[wanted];
    if (body !== undefined) void runBody(body);
    return;
  }
  const skip = process.getuid?.() === 0 ? false : 'needs root for network namespaces';
  for (const name of Object.keys(bodies).filter((key) => !key.startsWith('helper:'))) {
    test(name, { skip }, () => runInChild(fileURLToPath(url), name));
  }
}

async function runInChild(file: string, body: string): Promise<void> {
  const workspace = new Workspace();
  try {
    await workspace.addNamespace('t', { ipv6: true });
    await workspace.addNamespace('noise', { ipv6: false });
    const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
    const child = spawn(
      'ip',
      ['netns', 'exec', workspace.namespaceOf('t'), process.execPath, file],
      {
        env: {
          ...environment,
          [BODY]: body,
          [FOLDER]: workspace.folder,
          [ELSEWHERE]: workspace.namespaceOf('noise'),
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    const output = outputOf(child);
    const [code, signal] = await once(child, 'close');
    if (code !== 0) throw new Error(`${body}: ${signal ?? code}\n${output()}`);
  } finally {
    await workspace.close();
  }
}

async function runBody(body: Body): Promise<void> {
  const world = new World();
  try {
    await body(world);
    await world.end();
    process.exit(0);
  } catch (error) {
    const events = world.events.map(({ atMs, event }) => `${atMs.toFixed(1)} ${text(event)}`);
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    process.stderr.write(`${[...events, ...world.log].join('\n')}\n`);
    process.exit(1);
  }
}

/** What the body of a test works with. */
export class World {
  readonly events: { readonly atMs: number; readonly event: HostEvent }[] = [];
  readonly log: string[] = [];
  readonly folder = process.env[FOLDER] ?? '/tmp';
  /** The namespace beside the own one. */
  readonly elsewhere = process.env[ELSEWHERE] ?? '';
  /** The body expects lines in the log. */
  mayLog = false;
  readonly #hosts = new Set<Host>();

  /** Runs `ip` with these words. */
  ip(...words: string[]): string {
    return execFileSync('ip', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** Runs any other program. */
  run(program: string, ...words: string[]): string {
    return execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** A pair of veth devices, both up: a NIC and the far end of its cable. */
  cable(nic: string, far: string): void {
    this.ip('link', 'add', nic, 'type', 'veth', 'peer', 'name', far);
    this.ip('link', 'set', far, 'up');
    this.ip('link', 'set', nic, 'up');
    this.#waitForCarrier(nic);
    this.#waitForCarrier(far);
  }

  /** The kernel reports a carrier later than it answers the command that brings it about. */
  #waitForCarrier(name: string): void {
    const giveUpAtMs = performance.now() + CARRIER_MS;
    while (!/ state UP /.test(this.ip('link', 'show', name))) {
      if (performance.now() > giveUpAtMs) throw new Error(`${name} has no carrier`);
    }
  }

  bridge(name: string, ...ports: string[]): void {
    this.ip('link', 'add', name, 'type', 'bridge', 'mcast_snooping', '0');
    for (const port of ports) this.ip('link', 'set', port, 'master', name);
    this.ip('link', 'set', name, 'up');
  }

  /** A host whose events and warnings are recorded; it is stopped after the body at the latest. */
  newHost(options: Partial<HostOptions> = {}): Host {
    const write = (fields: Record<string, unknown>, message: string): void => {
      this.log.push(`${message} ${text(fields)}`);
    };
    const log: HostLog = { info: write, warn: write };
    const host = new Host({
      journalPath: join(this.folder, 'journal'),
      machineId: 'test-machine',
      log,
      onEvent: (event) => this.events.push({ atMs: performance.now(), event }),
      ...options,
    });
    this.#hosts.add(host);
    return host;
  }

  /** The same, started. */
  async start(options: Partial<HostOptions> = {}): Promise<Host> {
    const host = this.newHost(options);
    await host.start();
    return host;
  }

  /** Stops a host. */
  async stop(host: Host): ReturnType<Host['stop']> {
    this.#hosts.delete(host);
    return await host.stop();
  }

  /** A started host with the group's device. */
  async startWithGroup(options: Partial<HostOptions> = {}, group = GROUP_SPEC): Promise<Host> {
    const host = await this.start(options);
    deepEqual((await host.createGroupDevice(group)).problems, []);
    return host;
  }

  /** The end of a body: stops its hosts; the log must be empty unless lines are expected. */
  async end(): Promise<void> {
    for (const host of this.#hosts) await host.stop();
    if (!this.mayLog) deepEqual(this.log, []);
  }

  /** Waits for an event that `isWanted`, from the `since`-th on; returns it with its time. */
  async event(
    what: string,
    isWanted: (event: HostEvent) => boolean,
    options: { withinMs?: number; since?: number } = {},
  ): Promise<{ atMs: number; event: HostEvent }> {
    const { withinMs = 2000, since = 0 } = options;
    const giveUpAt = performance.now() + withinMs;
    for (;;) {
      const found = this.events.slice(since).find((entry) => isWanted(entry.event));
      if (found !== undefined) return found;
      if (performance.now() > giveUpAt) throw new Error(`${what}: not within ${withinMs} ms`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Everything that must be as it was: devices, addresses, routes, settings, rules. */
  snapshot(): Record<string, unknown> {
    const list = (...words: string[]): unknown => stable(JSON.parse(this.ip('-j', ...words)));
    return {
      links: list('-d', 'link'),
      addresses: list('addr'),
      routes4: list('-4', 'route', 'show', 'table', 'all'),
      routes6: list('-6', 'route', 'show', 'table', 'all'),
      rules: rulesOf(),
      settings: settingsOf('/proc/sys/net'),
    };
  }

  /** The snapshot once it no longer changes by itself (duplicate detection, bridge timers). */
  async settledSnapshot(): Promise<Record<string, unknown>> {
    await until('no tentative address', 5000, () => !this.ip('addr').includes('tentative'));
    return this.snapshot();
  }
}

export function isLost(ifname: string) {
  return (event: HostEvent): boolean =>
    event.kind === 'device' && event.ifname === ifname && !event.present;
}

export function isLink(ifname: string, link: string) {
  return (event: HostEvent): boolean =>
    event.kind === 'link' && event.ifname === ifname && event.link === link;
}

/** A NIC of the three wirings, by what is given. */
export function nic(
  name: string,
  number: number,
  lower: { uplink?: string; bridge?: string } = {},
): InterfaceSpec {
  return { name, nic: number, uplink: lower.uplink ?? null, bridge: lower.bridge ?? null };
}

/** Opens a TAP that behaves like a NIC: its carrier is set by hand. */
export function openFakeNic(name: string): number {
  const fd = native.deviceOpen('/dev/net/tun');
  native.tapAttach(fd, name, 0x1002);
  return fd;
}

/** Counters and timers that run by themselves, and lists that have no order. */
function stable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((row) => text(stable(row))).sort();
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([key]) => !/timer|_lft|^stats/.test(key));
  return Object.fromEntries(kept.map(([key, inner]) => [key, stable(inner)]));
}

/** What differs between two snapshots, line by line; empty if nothing does. */
export function differences(
  before: Record<string, unknown>,
  after: Record<string, unknown>,
): string[] {
  return Object.keys(before).flatMap((part) => {
    const was = linesOf(before[part]);
    const is = linesOf(after[part]);
    const gone = was.filter((line) => !is.includes(line)).map((line) => `${part} - ${line}`);
    return [...gone, ...is.filter((line) => !was.includes(line)).map((l) => `${part} + ${l}`)];
  });
}

function linesOf(value: unknown): string[] {
  if (typeof value === 'string') return value.split('\n');
  return Object.entries(value ?? {}).map(([key, row]) =>
    Array.isArray(value) ? String(row) : `${key} ${row}`,
  );
}

function rulesOf(): string {
  const rules = execFileSync('nft', ['list', 'ruleset'], { encoding: 'utf8' });
  return rules.replace(/packets \d+ bytes \d+/g, '');
}

/** Values of all readable settings of devices. */
function settingsOf(root: string): Record<string, string> {
  const files = execFileSync('find', [`${root}/ipv4/conf`, `${root}/ipv6/conf`, '-type', 'f']);
  const paths = files.toString().trim().split('\n').sort();
  return Object.fromEntries(
    paths.filter((path) => !path.includes('stable_secret')).map((path) => [path, read(path)]),
  );
}

function read(path: string): string {
  return readFileSync(path, 'latin1').trim();
}

function text(value: unknown): string {
  return JSON.stringify(value);
}
