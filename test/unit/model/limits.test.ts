/**
 * Every number of the schema of the configuration against the program: what a file may ask for is
 * what the program can do, and the words of each key have the same numbers.
 */

import { deepEqual, doesNotThrow, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { OperatorError } from '../../../src/base/errors.ts';
import { durationParse } from '../../../src/base/text/duration.ts';
import { configFromSources, configSchema } from '../../../src/config/load.ts';
import { controlMemoryCreate } from '../../../src/datapath/tables/layout.ts';
import { checkGroupSettings } from '../../../src/ipmp/object/spec.ts';
import {
  DEVICE_NAME_LENGTH_MAX,
  FAILURE_DETECTION_MAX_MS,
  FAILURE_DETECTION_MIN_MS,
  FLAP_UPS_MAX,
  GROUP_MTU_MAX,
  GROUP_MTU_MIN,
  MAX_GROUP_MEMBERS,
  MAX_GROUPS,
  MAX_NICS,
  MAX_WORKERS,
  MULTICAST_MAX,
  NEIGHBOR_LIMIT_MAX,
  NEIGHBOR_LIMIT_MIN,
  SOCKET_PATH_MAX,
} from '../../../src/model/limits.ts';
import { checkName } from '../../../src/model/names.ts';

/** Keywords of a schema that hold a number. */
const NUMERIC = [
  'minimum',
  'maximum',
  'maxItems',
  'maxProperties',
  'maxLength',
  'minLength',
  'x-duration',
];

type Node = Readonly<Record<string, unknown>>;

const GROUP = 'definitions.group.properties';
const INTERFACE = 'definitions.interface.properties';

/** The program's number for each of them. */
const BY_PROGRAM: Readonly<Record<string, unknown>> = {
  'properties.control.properties.socket.maxLength': SOCKET_PATH_MAX,
  'properties.datapath.properties.workers.minimum': 1,
  'properties.datapath.properties.workers.maximum': MAX_WORKERS,
  'properties.interfaces.maxProperties': MAX_NICS,
  'properties.groups.maxProperties': MAX_GROUPS,
  [`${GROUP}.interfaces.maxItems`]: MAX_GROUP_MEMBERS,
  [`${GROUP}.multicast.maxItems`]: MULTICAST_MAX,
  [`${GROUP}.neighbors.minimum`]: NEIGHBOR_LIMIT_MIN,
  [`${GROUP}.neighbors.maximum`]: NEIGHBOR_LIMIT_MAX,
  [`${GROUP}.mtu.minimum`]: GROUP_MTU_MIN,
  [`${GROUP}.mtu.maximum`]: GROUP_MTU_MAX,
  [`${GROUP}.flap-damping.properties.ups.minimum`]: 1,
  [`${GROUP}.flap-damping.properties.ups.maximum`]: FLAP_UPS_MAX,
};

/** Durations, in milliseconds. */
const DURATIONS: Readonly<Record<string, readonly [number, number]>> = {
  [`${GROUP}.failure-detection-time.x-duration`]: [
    FAILURE_DETECTION_MIN_MS,
    FAILURE_DETECTION_MAX_MS,
  ],
  // The program takes any time from 1 ms.
  [`${GROUP}.flap-damping.properties.within.x-duration`]: [1000, 3_600_000],
};

/** Lengths of lists for which the program has no table: each entry costs memory alone. */
const SCHEMA_ALONE = [
  'properties.metrics.properties.hosts.maxItems',
  `${INTERFACE}.test-addresses.maxItems`,
  `${GROUP}.addresses.maxItems`,
  `${GROUP}.routes.maxItems`,
  `${GROUP}.static-neighbors.maxItems`,
  `${GROUP}.probe-targets.maxItems`,
];

function numbersOf(node: unknown, path: string, found: Map<string, unknown>): Map<string, unknown> {
  if (typeof node !== 'object' || node === null) return found;
  for (const [key, value] of Object.entries(node)) {
    const below = path === '' ? key : `${path}.${key}`;
    if (NUMERIC.includes(key)) found.set(below, value);
    else numbersOf(value, below, found);
  }
  return found;
}

const schema = configSchema();
const numbers = numbersOf(schema, '', new Map());

function nodeAt(path: string): Node {
  let node = schema as Node;
  for (const key of path.split('.')) node = node[key] as Node;
  return node;
}

test('each number of the schema is one of the program, or named as the schema’s alone', () => {
  const known = [...Object.keys(BY_PROGRAM), ...Object.keys(DURATIONS), ...SCHEMA_ALONE];
  deepEqual([...numbers.keys()].sort(), known.sort());
  for (const [path, value] of Object.entries(BY_PROGRAM)) equal(numbers.get(path), value, path);
  for (const [path, limits] of Object.entries(DURATIONS)) {
    deepEqual((numbers.get(path) as string[]).map(durationParse), limits, path);
  }
});

test('the words of each key have the numbers of its schema', () => {
  for (const [path, value] of numbers) {
    const above = path.slice(0, path.lastIndexOf('.'));
    const { 'x-allowed': words } = nodeAt(above) as { 'x-allowed': string };
    for (const number of Array.isArray(value) ? value : [value]) {
      ok(new RegExp(`\\b${number}\\b`).test(words), `${above}: "${words}" does not have ${number}`);
    }
  }
  const name = nodeAt('definitions.deviceName') as { pattern: string; 'x-allowed': string };
  ok(name.pattern.endsWith(`{0,${DEVICE_NAME_LENGTH_MAX - 1}}$`));
  ok(name['x-allowed'].includes(`up to ${DEVICE_NAME_LENGTH_MAX - 1} letters`));
});

function isTaken(text: string): boolean {
  return !('errors' in configFromSources([{ file: 'f', text }]));
}

test('the limits of the schema are those of the program', () => {
  ok(isTaken(`datapath: { workers: ${MAX_WORKERS} }`));
  doesNotThrow(() => controlMemoryCreate(MAX_WORKERS));
  ok(!isTaken(`datapath: { workers: ${MAX_WORKERS + 1} }`));
  throws(() => controlMemoryCreate(MAX_WORKERS + 1), /1 to 16 workers/);
  const usual = {
    failureDetectionTimeMs: 1000,
    failback: true,
    flapDamping: null,
    neighbors: 1024,
    spreading: 'flow',
    forwarding: true,
    mtu: 'auto',
  } as const;
  const keys = [
    ['neighbors', 'neighbors', [NEIGHBOR_LIMIT_MIN, NEIGHBOR_LIMIT_MAX]],
    ['mtu', 'mtu', [GROUP_MTU_MIN, GROUP_MTU_MAX]],
  ] as const;
  for (const [key, setting, [least, most]] of keys) {
    for (const value of [least - 1, least, most, most + 1]) {
      const isRight = value >= least && value <= most;
      equal(isTaken(`groups: { g: { ${key}: ${value} } }`), isRight, `${key} ${value}`);
      const check = () => checkGroupSettings('g', { ...usual, [setting]: value });
      if (isRight) doesNotThrow(check);
      else throws(check, OperatorError);
    }
  }
  const name = 'n'.repeat(DEVICE_NAME_LENGTH_MAX);
  ok(isTaken(`groups: { ${name}: {} }`));
  doesNotThrow(() => checkName('group', name));
  ok(!isTaken(`groups: { ${name}n: {} }`));
  throws(() => checkName('group', `${name}n`), OperatorError);
});
