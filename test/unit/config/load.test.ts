/** Good configurations: defaults, drop-ins, the shipped example, and what broken files do. */
import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { parse } from 'yaml';
import type { EffectiveConfig } from '../../../src/config/layers.ts';
import { configFromSources, loadConfig } from '../../../src/config/load.ts';
import { configOf, errorsOf, Files, good } from './files.ts';

const EXAMPLE = 'config/ipmpd.yaml';

const SCHEMA = JSON.parse(readFileSync('config/ipmpd.schema.json', 'utf8'));

test('[contract 3.3] an empty file is a configuration: every default is filled in', () => {
  deepEqual(configOf(''), {
    control: { socket: '/run/ipmpd/ipmpd.sock', group: 'ipmp' },
    metrics: { listen: { host: '127.0.0.1', port: 9437 }, hosts: [] },
    log: { level: 'info' },
    datapath: { workers: 'auto' },
    interfaces: [],
    groups: [],
    tracking: 'groups',
  });
});

test('empty sections are sections: "groups:" alone is no error', () => {
  deepEqual(configOf('groups:\ninterfaces:\nlog:\ncontrol:\nmetrics:\ndatapath:\n'), configOf(''));
});

test('[contract 3.3] a group without settings has the defaults of the contract', () => {
  const [group] = configOf('groups: { ipmp0: }').groups;
  deepEqual(group, {
    name: 'ipmp0',
    groupName: 'ipmp0',
    interfaces: [],
    addresses: [],
    routes: [],
    staticNeighbors: [],
    multicast: [],
    failureDetectionTimeMs: 1000,
    failback: true,
    flapDamping: { ups: 2, withinMs: 60_000 },
    neighbors: 1024,
    probeTargets: [],
    transitiveProbing: true,
    spreading: 'flow',
    forwarding: true,
    mtu: 'auto',
  });
});

test('the kind of an interface follows from what is below it', () => {
  const { interfaces } = configOf(
    'interfaces: { a0: { uplink: eth0 }, b0: { bridge: br0 }, c0: , d0: { standby: true } }',
  );
  deepEqual(
    interfaces.map((nic) => [nic.name, nic.kind, nic.uplink, nic.bridge, nic.standby]),
    [
      ['a0', 'macvtap', 'eth0', null, false],
      ['b0', 'bridged-tap', null, 'br0', false],
      ['c0', 'tap', null, null, false],
      ['d0', 'tap', null, null, true],
    ],
  );
});

test('addresses come out canonical, routes with their family', () => {
  const [group] = configOf(`
groups:
  ipmp0:
    addresses: [192.0.2.10/24, 2001:DB8:0:0::10/64]
    routes:
      - { to: default, via: 192.0.2.1 }
      - { to: default, via: 2001:DB8::1 }
      - { to: 198.51.100.0/24 }
      - { to: "2001:db8:1::/48" }
      - { to: 203.0.113.0/24, via: "FE80::1" }
      - { to: 0.0.0.0/0, via: "fe80::1" }
      - { to: "::/0", via: "fe80::1" }
      - { to: 0.0.0.0/0 }
    probe-targets: [2001:DB8::0:1]
    flap-damping: off
    mtu: 9000
`).groups;
  deepEqual(group?.addresses, ['192.0.2.10/24', '2001:db8::10/64']);
  deepEqual(group?.routes, [
    { family: 4, to: 'default', via: '192.0.2.1', onlink: false },
    { family: 6, to: 'default', via: '2001:db8::1', onlink: false },
    { family: 4, to: '198.51.100.0/24', via: null, onlink: false },
    { family: 6, to: '2001:db8:1::/48', via: null, onlink: false },
    { family: 4, to: '203.0.113.0/24', via: 'fe80::1', onlink: false },
    { family: 4, to: '0.0.0.0/0', via: 'fe80::1', onlink: false },
    { family: 6, to: 'default', via: 'fe80::1', onlink: false },
    { family: 4, to: 'default', via: null, onlink: false },
  ]);
  deepEqual(group?.probeTargets, ['2001:db8::1']);
  equal(group?.flapDamping, null);
  equal(group?.mtu, 9000);
});

test('a link-local router is on the link, whatever the addresses of the group', () => {
  const group = (via: string): string =>
    `groups: { g: { addresses: ['2001:db8::10/64'], routes: [{ to: default, via: '${via}' }] } }`;
  for (const via of ['fe80::1', 'febf:ffff::1']) {
    equal(configOf(group(via)).groups[0]?.routes[0]?.via, via);
  }
  throws(() => configOf(group('fec0::1')), /no network of the group/);
});

test('[contract 3.1] drop-ins merge by key; lists and values are replaced whole', () => {
  const config = configOf(
    'interfaces: { net0: , net1: }\ngroups: { ipmp0: { interfaces: [net0, net1], mtu: 1400 } }',
    'groups: { ipmp0: { interfaces: [net1], failback: false }, ipmp1: { interfaces: [net0] } }',
    'interfaces:\nlog: { level: debug }',
  );
  const [first, second] = config.groups;
  deepEqual([first?.interfaces, first?.mtu, first?.failback], [['net1'], 1400, false]);
  deepEqual([second?.name, second?.interfaces], ['ipmp1', ['net0']]);
  equal(config.log.level, 'debug');
});

test('[contract 3.15] a drop-in can take away an interface, a group, and a key of one', () => {
  const main = [
    'interfaces: { net0: { uplink: eth0, standby: true }, net1: { uplink: eth1 } }',
    'groups: { ipmp0: { interfaces: [net0], mtu: 1400 }, ipmp1: {} }',
  ].join('\n');
  const config = configOf(
    main,
    'interfaces: { net0: { uplink: removed }, net1: removed }',
    'groups: { ipmp0: { mtu: removed }, ipmp1: removed, ipmp9: removed }',
  );
  deepEqual(
    config.interfaces.map(({ name, kind, standby }) => ({ name, kind, standby })),
    [{ name: 'net0', kind: 'tap', standby: true }],
  );
  deepEqual(
    config.groups.map(({ name, mtu, interfaces }) => ({ name, mtu, interfaces })),
    [{ name: 'ipmp0', mtu: 'auto', interfaces: ['net0'] }],
  );
});

test('a removed entry begins anew in a later drop-in', () => {
  const config = configOf(
    'groups: { ipmp0: { mtu: 1400 } }',
    'groups: { ipmp0: removed }',
    'groups: { ipmp0: { failback: false } }',
  );
  deepEqual([config.groups[0]?.mtu, config.groups[0]?.failback], ['auto', false]);
});

test('[contract 8.1] an error in a drop-in is reported with the drop-in’s own line', () => {
  const result = configFromSources([
    { file: 'main.yaml', text: 'groups:\n  ipmp0:\n    mtu: 1400\n' },
    { file: 'drop.yaml', text: '# one\n# two\ngroups:\n  ipmp0:\n    mtu: 9\n' },
  ]);
  deepEqual(errorsOf(result), [
    'drop.yaml:5: groups.ipmp0.mtu: 9 is not valid (auto, or a whole number from 1280 to 65535)',
  ]);
});

test('[contract 2.6, 8.1] a mistake in a file is reported, overridden or not', () => {
  const sources = [
    { file: 'main.yaml', text: 'groups: 7\nlog:\n  level: loud\n' },
    { file: '1.yaml', text: 'groups:\n  ipmp0: { mtu: 9, flap-damping: { ups: 3 } }\n' },
    { file: '2.yaml', text: 'groups:\n  ipmp0: { mtu: 1400, flap-damping: { within: 9s } }\n' },
    { file: '3.yaml', text: 'log: { level: info }\n' },
  ];
  deepEqual(errorsOf(configFromSources(sources)), [
    'main.yaml:1: groups: 7 is not valid (a mapping from at most 64 device names to groups)',
    'main.yaml:3: log.level: "loud" is not valid ' +
      '(one of trace, debug, info, warn, error, fatal)',
    '1.yaml:2: groups.ipmp0.mtu: 9 is not valid (auto, or a whole number from 1280 to 65535)',
  ]);
  const parts = ['flap-damping: { ups: 3 }', 'flap-damping: { within: 9s }'];
  const [group] = configOf(...parts.map((part) => `groups: { ipmp0: { ${part} } }`)).groups;
  deepEqual(group?.flapDamping, { ups: 3, withinMs: 9000 }, 'what is missing may be in another');
});

test('drop-ins are bounded in number, each in its size, and all of them together', async () => {
  using files = new Files('');
  const read = async (): Promise<string[]> =>
    errorsOf(await loadConfig(files.main)).map((line) => line.replaceAll(`${files.folder}/`, ''));
  for (let n = 10; n < 42; n++) files.dropIn(`${n}.yaml`, `#${' '.repeat(256 * 1024 - 1)}`);
  deepEqual(await read(), []);
  files.dropIn('90.yaml', '#');
  deepEqual(await read(), [
    'ipmpd.d/90.yaml: this and the files before it are too large (at most 8 MiB together)',
  ]);
  for (let n = 0; n < 256; n++) files.dropIn(`x${n}.yaml`, '');
  deepEqual(await read(), ['ipmpd.d: has 289 files (at most 256)']);
});

test('[contract 3.1] drop-ins are read in name order, other files are left alone', async () => {
  using files = new Files('log: { level: error }\n');
  files.dropIn('20-b.yaml', 'log: { level: debug }\n');
  files.dropIn('10-a.yaml', 'log: { level: warn }\ntracking: all\n');
  files.dropIn('30-c.yaml.bak', 'no: [');
  const { config } = good<EffectiveConfig>(await loadConfig(files.main));
  deepEqual([config.log.level, config.tracking], ['debug', 'all']);
  rmSync(files.dropIns, { recursive: true });
  deepEqual(errorsOf(await loadConfig(files.main)), [], 'there need be no drop-ins');
});

test('an unreadable file is an error, not an exception', async () => {
  for (const file of ['/nonexistent/ipmpd.yaml', '/tmp', '/dev/zero']) {
    const [error] = errorsOf(await loadConfig(file));
    ok(error?.startsWith(`${file}: cannot be read: E`), error);
  }
});

test('link-local addresses of IPv6 may be the same on several links', () => {
  const text = `
    interfaces:
      net0: { test-addresses: ['fe80::1/64'] }
      net1: { test-addresses: ['fe80::2/64'] }
      net2: { test-addresses: ['fe80::1/64'] }
    groups:
      a: { addresses: ['fe80::2/64'], interfaces: [net0] }
      b: { addresses: ['fe80::1/64'], interfaces: [net1] }`;
  deepEqual(errorsOf(configFromSources([{ file: 'f.yaml', text }])), []);
});

test('neighbours and memberships of IPv6 are read in canonical form', () => {
  const { groups } = configOf(`
    groups:
      g:
        static-neighbors: [{ dst: 'FE80::0:1', lladdr: '02:00:00:00:00:0A' }]
        multicast: ['FF05::0:2', 239.1.2.3]`);
  deepEqual(groups[0]?.staticNeighbors, [
    { dst: 'fe80::1', lladdr: '02:00:00:00:00:0a', proxy: false },
  ]);
  deepEqual(groups[0]?.multicast, ['ff05::2', '239.1.2.3']);
});

test('[contract 3.3] the shipped example is good, and shows every key of the schema', async () => {
  deepEqual(errorsOf(await loadConfig(EXAMPLE)), []);
  const text = readFileSync(EXAMPLE, 'utf8');
  const sections = Object.values<{ properties?: object }>(SCHEMA.properties);
  const keys = [
    ...Object.keys(SCHEMA.properties),
    ...sections.flatMap((section) => Object.keys(section.properties ?? {})),
    ...Object.keys(SCHEMA.definitions.interface.properties),
    ...Object.keys(SCHEMA.definitions.group.properties),
  ];
  deepEqual(
    keys.filter((key) => !new RegExp(`^\\s*${key}:`, 'm').test(text)),
    [],
  );
});

test('[contract 3.3] the schema is one by the draft that it names', () => {
  const ajv = new Ajv({ strict: false });
  equal(ajv.validateSchema(SCHEMA), true, ajv.errorsText());
  equal(ajv.validateSchema({ ...SCHEMA, properties: { control: { type: 'text' } } }), false);
});

test('[contract 3.3] the defaults in the schema are those that are filled in', () => {
  const written: Record<string, Record<string, unknown>> = {};
  for (const name of ['control', 'metrics', 'log', 'datapath']) {
    written[name] = defaultsOf(SCHEMA.properties[name]);
  }
  const explicit = {
    ...written,
    tracking: SCHEMA.properties.tracking.default,
    interfaces: { net0: defaultsOf(SCHEMA.definitions.interface) },
    groups: { ipmp0: defaultsOf(SCHEMA.definitions.group) },
  };
  deepEqual(
    configOf(JSON.stringify(explicit)),
    configOf('interfaces: { net0: }\ngroups: { ipmp0: }'),
  );
});

function defaultsOf(schema: { properties: Record<string, { default?: unknown }> }) {
  const entries = Object.entries(schema.properties).filter(
    ([, part]) => part.default !== undefined,
  );
  return Object.fromEntries(entries.map(([key, part]) => [key, part.default]));
}

test('JSON is YAML: what parses alike configures alike', () => {
  const text = readFileSync(EXAMPLE, 'utf8');
  deepEqual(configOf(JSON.stringify(parse(text))), configOf(text));
});

test('[contract 8.1] no mutation of the example throws: it is accepted, or refused', () => {
  const bytes = readFileSync(EXAMPLE);
  const edit = fc.record({
    at: fc.nat(bytes.length - 1),
    remove: fc.nat(40),
    insert: fc.oneof(
      fc.constantFrom('[', '{', ':', '- ', '&a ', '*a', '!!set ', '"', '\t', '\0', '\n', '<<: '),
      fc.string({ maxLength: 12 }),
    ),
  });
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
      let text = bytes.toString('utf8');
      for (const { at, remove, insert } of edits) {
        text = text.slice(0, at) + insert + text.slice(at + remove);
      }
      const result = configFromSources([{ file: 'f', text }]);
      const lines = errorsOf(result);
      ok('config' in result || lines.length > 0);
      for (const line of lines) {
        ok(/^f(:\d+)?: ./.test(line), line);
        ok(!/\p{Cc}/u.test(line), JSON.stringify(line));
      }
    }),
    { numRuns: 1000 },
  );
});

test('bombs are refused: depth, size, aliases', () => {
  const aliases = 'a: &a [x, x, x, x, x, x, x, x, x, x]\n'.concat(
    ...Array.from({ length: 9 }, (_, at) => {
      const [name, below] = [String.fromCharCode(98 + at), String.fromCharCode(97 + at)];
      return `${name}: &${name} [${Array(10).fill(`*${below}`).join(', ')}]\n`;
    }),
  );
  const bombs = ['['.repeat(200_000), `# ${'x'.repeat(300_000)}`, aliases, 'a: &a { b: *a }'];
  for (const text of bombs) {
    const { length } = errorsOf(configFromSources([{ file: 'f', text }]));
    ok(length > 0 && length < 100, `${length} errors`);
  }
});
