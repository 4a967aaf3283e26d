/**
 * Bad configurations, each with exactly what is said about it. One row: the text, then, after `->`
 * or indented, every message without file name (`LINE: key.path: what is wrong (allowed)`). `\n`
 * stands for a line break of the text, a deeper indented line continues a message.
 */
import { deepEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { configFromSources } from '../../../src/config/load.ts';
import { errorsOf } from './files.ts';

const NAME =
  'a letter, then up to 14 letters, digits, ., _ or -; and not all, default, lo or removed';
const PREFIX =
  'an IPv4 or IPv6 address with its prefix length, such as 192.0.2.10/24 or 2001:db8::10/64';
const FDT = 'a duration from 50ms to 60m, with its unit ms, s or m';
const ADDRESS = 'an IPv4 or IPv6 address without prefix length';
const NETWORK = 'default, or a network such as 198.51.100.0/24 or 2001:db8:1::/48';
const LISTEN = 'off, or ADDRESS:PORT such as 127.0.0.1:9437 or [::1]:9437';
const MTU = 'auto, or a whole number from 1280 to 65535';
const SECTIONS = 'one of control, metrics, log, datapath, interfaces, groups, tracking';
const GROUP_KEYS =
  'one of name, interfaces, addresses, routes, static-neighbors, multicast, ' +
  'failure-detection-time, failback, flap-damping, neighbors, probe-targets, ' +
  'transitive-probing, spreading, forwarding, mtu';
const DAMPING = 'off, or { ups: 2, within: 60s }';
const HOST = 'the address of a host';

/** A group with one line of settings, on line 1. */
const group = (settings: string): string => `groups: { ipmp0: { ${settings} } }`;
const at = 'groups.ipmp0';
const local = group('interfaces: [net0], addresses: ["fe80::1/64"]');
const neighbor = (dst: string): string => `{ dst: "${dst}", lladdr: "02:00:00:00:00:01" }`;
const M = '(224.0.0.0/4 or ff00::/8)';

const BAD = String.raw`
# The file as a whole.
just words -> 1: "just words" is not valid (a mapping of sections)
- a\n- b -> 1: a list is not valid (a mapping of sections)
a: 1\na: 2 -> 2: a: is given twice (each key once)
${'{'.repeat(3000)} -> 1: is nested too deeply (at most 16 levels)
${'['.repeat(3000)} -> 1: is nested too deeply (at most 16 levels)
${'- '.repeat(3000)} -> 1: is nested too deeply (at most 16 levels)
--- {}\n--- {} -> 2: is not valid YAML: Source contains multiple documents; please use YAML.parse...
log: !secret x -> 1: is not valid YAML: Unresolved tag: !secret
? [a]\n: b -> 1: has a key that is not text (a name)
log: &a { level: *b } -> 1: log.level: is an alias (one whose anchor comes before it)
tracking: ${'x'.repeat(1025)} -> 1: tracking: is too long (at most 1024 characters)
? ${'x'.repeat(1025)}\n: 1 -> 1: has a key that is too long (at most 1024 characters)
groups:\n  a:\n  b:\n  a: -> 4: groups.a: is given twice (each key once)
log: !!binary aGk= -> 1: log: is of a kind that a configuration has not (text or a number)
# Unknown keys.
grups: {} -> 1: grups: unknown key, did you mean groups? (${SECTIONS})
zebra: 1 -> 1: zebra: unknown key (${SECTIONS})
__proto__: { a: 1 } -> 1: __proto__: unknown key (${SECTIONS})
log: { constructor: x } -> 1: log.constructor: unknown key (one of level)
log:\n  levle: info -> 2: log.levle: unknown key, did you mean level? (one of level)
${group('failbak: true')} -> 1: ${at}.failbak: unknown key, did you mean failback? (${GROUP_KEYS})
interfaces: { net0: { upliink: eth0 } }
  1: interfaces.net0.upliink: unknown key, did you mean uplink? (one of uplink, bridge, standby,
    test-addresses)
${group('routes: [{ to: default, gateway: 192.0.2.1 }]')}
  1: ${at}.routes[0].gateway: unknown key (one of to, via, onlink)
# control, metrics, log, datapath, tracking.
control: { socket: run/x }
  1: control.socket: "run/x" is not valid (an absolute path of at most 90 characters)
control: { socket: /${'x'.repeat(90)} }
  1: control.socket: "/${'x'.repeat(56)}..." is not valid (an absolute path of at most 90
    characters)
control: { socket: /${'ä'.repeat(45)} } -> 1: control.socket: has 91 bytes (at most 90)
control: { socket: "/run/\x85" }
  1: control.socket: "/run/\u{85}" is not valid (an absolute path of at most 90 characters)
control: { group: 7 } -> 1: control.group: 7 is not valid (the name of a system group)
control: here -> 1: control: "here" is not valid (a mapping)
metrics: { listen: on } -> 1: metrics.listen: "on" is not valid (${LISTEN})
metrics: { listen: 9437 } -> 1: metrics.listen: 9437 is not valid (${LISTEN})
metrics: { listen: "127.0.0.1:70000" }
  1: metrics.listen: "127.0.0.1:70000" is not valid (${LISTEN})
metrics: { listen: "::1:9437" } -> 1: metrics.listen: "::1:9437" is not valid (${LISTEN})
metrics: { hosts: ["a b"] } -> 1: metrics.hosts[0]: "a b" is not valid (a host name, without port)
log: { level: loud }
  1: log.level: "loud" is not valid (one of trace, debug, info, warn, error, fatal)
datapath: { workers: 0 }
  1: datapath.workers: 0 is not valid (auto, or a whole number from 1 to 16)
datapath: { workers: many }
  1: datapath.workers: "many" is not valid (auto, or a whole number from 1 to 16)
tracking: some -> 1: tracking: "some" is not valid (groups or all)
# Names of devices.
interfaces: { net/0: {} } -> 1: interfaces.net/0: is not a valid name (${NAME})
interfaces: { "a b": {} } -> 1: interfaces.a b: is not a valid name (${NAME})
interfaces: { abcdefghijklmnop: {} }
  1: interfaces.abcdefghijklmnop: is not a valid name (${NAME})
groups: { lo: {} } -> 1: groups.lo: is not a valid name (${NAME})
interfaces: { 0: {} } -> 1: interfaces.0: is not a valid name (${NAME})
groups: { all: {} } -> 1: groups.all: is not a valid name (${NAME})
interfaces: { net0: { uplink: "../x" } } -> 1: interfaces.net0.uplink: "../x" is not valid (${NAME})
interfaces: { net0: { uplink: }} -> 1: interfaces.net0.uplink: nothing is not valid (${NAME})
interfaces: [net0]
  1: interfaces: a list is not valid (a mapping from at most 512 device names to interfaces)
# Interfaces.
interfaces: { net0: { standby: yes } }
  1: interfaces.net0.standby: "yes" is not valid (true or false)
interfaces: { net0: { test-addresses: [192.0.2.1] } }
  1: interfaces.net0.test-addresses[0]: "192.0.2.1" is not valid (${PREFIX})
interfaces: { net0: eth0 }
  1: interfaces.net0: "eth0" is not valid (a mapping, {} for a TAP that another program wires,
    or removed)
interfaces:\n  net0:\n    uplink: eth0\n    bridge: br0
  4: interfaces.net0.bridge: is given beside uplink (either uplink or bridge)
interfaces:\n  net0: { uplink: eth0 }\n  net1: { uplink: eth0 }
  3: interfaces.net1.uplink: eth0 is the uplink of net0 already (one interface for each uplink)
interfaces: { net0: { uplink: net1 }, net1: }
  1: interfaces.net0.uplink: net1 is an interface of this configuration (a device of the host)
interfaces: { net0: { bridge: ipmp0 } }\ngroups: { ipmp0: }
  1: interfaces.net0.bridge: ipmp0 is a group of this configuration (a device of the host)
interfaces: { net0: { uplink: br0 }, net1: { bridge: br0 } }
  1: interfaces.net0.uplink: br0 is the bridge of another interface (a NIC)
interfaces: { x0: }\ngroups: { x0: }
  2: groups.x0: is the name of an interface too (a name of its own)
# Groups: settings.
${group('failure-detection-time: 10')} -> 1: ${at}.failure-detection-time: 10 is not valid (${FDT})
${group('failure-detection-time: 49ms')}
  1: ${at}.failure-detection-time: "49ms" is not valid (${FDT})
${group('failure-detection-time: 61m')}
  1: ${at}.failure-detection-time: "61m" is not valid (${FDT})
${group('failure-detection-time: 1h')}
  1: ${at}.failure-detection-time: "1h" is not valid (${FDT})
${group('failure-detection-time: 1 s')}
  1: ${at}.failure-detection-time: "1 s" is not valid (${FDT})
${group('failback: 1')} -> 1: ${at}.failback: 1 is not valid (true or false)
${group('flap-damping: on')} -> 1: ${at}.flap-damping: "on" is not valid (${DAMPING})
${group('flap-damping: { ups: 2 }')} -> 1: ${at}.flap-damping.within: is missing (${DAMPING})
${group('flap-damping: { ups: 0, within: 60s }')}
  1: ${at}.flap-damping.ups: 0 is not valid (a whole number from 1 to 1000)
${group('flap-damping: { ups: 2, within: 60 }')}
  1: ${at}.flap-damping.within: 60 is not valid (a duration from 1s to 60m, with its unit ms, s or
    m)
${group('neighbors: 63')} -> 1: ${at}.neighbors: 63 is not valid (a whole number from 64 to 65536)
${group('neighbors: 1e9')}
  1: ${at}.neighbors: 1000000000 is not valid (a whole number from 64 to 65536)
${group('spreading: random')}
  1: ${at}.spreading: "random" is not valid (one of flow, destination, address)
${group('mtu: 1279')} -> 1: ${at}.mtu: 1279 is not valid (${MTU})
${group('mtu: 1500.5')} -> 1: ${at}.mtu: 1500.5 is not valid (${MTU})
${group('mtu: big')} -> 1: ${at}.mtu: "big" is not valid (${MTU})
${group('probe-targets: [192.0.2.0/24]')}
  1: ${at}.probe-targets[0]: "192.0.2.0/24" is not valid (${ADDRESS})
${group('probe-targets: [192.0.2.1, 192.0.2.1]')}
  1: ${at}.probe-targets: names one of its entries twice (a list of at most 64 different addresses)
${group('probe-targets: [224.0.0.1]')}
  1: ${at}.probe-targets[0]: 224.0.0.1 is a multicast address (${HOST})
# Groups: members.
${group('interfaces: [net0]')}
  1: ${at}.interfaces[0]: there is no interface net0 (a key of interfaces)
interfaces: { net0: , net1: }\n${group('interfaces: [net0, nte1]')}
  2: ${at}.interfaces[1]: there is no interface nte1, did you mean net1? (one of net0, net1)
interfaces: { net0: }\n${group('interfaces: [net0, net0]')}
  2: ${at}.interfaces[1]: net0 is named twice (each name once)
interfaces: { net0: }\ngroups:\n  ipmp0: { interfaces: [net0] }\n  ipmp1: { interfaces: [net0] }
  4: groups.ipmp1.interfaces[0]: net0 is in group ipmp0 already (one group for each interface)
${group(`interfaces: [${Array.from({ length: 65 }, (_, n) => `n${n}`).join(', ')}]`)}
  1: ${at}.interfaces: has 65 entries (a list of at most 64 names of interfaces)
groups: { ${Array.from({ length: 65 }, (_, n) => `g${n}: `).join(', ')} }
  1: groups: has 65 entries (a mapping from at most 64 device names to groups)
# Groups: addresses.
${group('addresses: 192.0.2.1/24')}
  1: ${at}.addresses: "192.0.2.1/24" is not valid (a list of at most 1024 addresses with prefix
    length)
${group('addresses: [192.0.2.256/24]')}
  1: ${at}.addresses[0]: "192.0.2.256/24" is not valid (${PREFIX})
${group('addresses: [192.0.2.1/33]')}
  1: ${at}.addresses[0]: "192.0.2.1/33" is not valid (${PREFIX})
${group('addresses: ["2001:db8::1"]')}
  1: ${at}.addresses[0]: "2001:db8::1" is not valid (${PREFIX})
${group('addresses: ["2001:db8::g/64"]')}
  1: ${at}.addresses[0]: "2001:db8::g/64" is not valid (${PREFIX})
${group('addresses: [0.0.0.0/8]')}
  1: ${at}.addresses[0]: 0.0.0.0 is the unspecified address (${HOST})
${group('addresses: [127.0.0.1/8]')}
  1: ${at}.addresses[0]: 127.0.0.1 is a loopback address (${HOST})
${group('addresses: [224.0.0.1/24]')}
  1: ${at}.addresses[0]: 224.0.0.1 is a multicast address (${HOST})
${group('addresses: [250.0.0.1/24]')}
  1: ${at}.addresses[0]: 250.0.0.1 is a reserved address (${HOST})
${group('addresses: [192.0.2.0/24]')}
  1: ${at}.addresses[0]: 192.0.2.0 is the address of the network itself (${HOST})
${group('addresses: [192.0.2.255/24]')}
  1: ${at}.addresses[0]: 192.0.2.255 is the broadcast address of its network (${HOST})
${group('addresses: ["ff02::1/64"]')}
  1: ${at}.addresses[0]: ff02::1 is a multicast address (${HOST})
${group('addresses: ["::1/128"]')} -> 1: ${at}.addresses[0]: ::1 is the loopback address (${HOST})
${group('addresses: [192.0.2.1/24, 192.0.2.1/25]')}
  1: ${at}.addresses[1]: 192.0.2.1 is an address of group ipmp0 already (each address once)
interfaces:\n  net0:
    { test-addresses: ["2001:DB8::1/64"] }\n${group('addresses: ["2001:db8:0::1/64"]')}
  2: interfaces.net0.test-addresses[0]: 2001:db8::1 is an address of group ipmp0 already (each
    address once)
${group('addresses: ["::ffff:192.0.2.1/128"]')}
  1: ${at}.addresses[0]: ::ffff:192.0.2.1 stands for an IPv4 address within a program
    (::ffff:0:0/96) (${HOST})
# Groups: link-local addresses are of one link.
${group('addresses: ["fe80::1/64", "fe80::0:1/10"]')}
  1: ${at}.addresses[1]: fe80::1 is an address of group ipmp0 already (each address once)
interfaces: { net0: { test-addresses: ["fe80::1/64"] } }\n${local}
  1: interfaces.net0.test-addresses[0]: fe80::1 is an address of group ipmp0 already (each
    address once)
# Groups: neighbours and multicast.
${group('static-neighbors: [{ dst: 192.0.2.300, lladdr: "02:00:00:00:00:01" }]')}
  1: ${at}.static-neighbors[0].dst: "192.0.2.300" is not valid (${ADDRESS})
${group('static-neighbors: [{ dst: 224.0.0.1, lladdr: "02:00:00:00:00:01" }]')}
  1: ${at}.static-neighbors[0].dst: 224.0.0.1 is a multicast address (${HOST})
${group('static-neighbors: [{ dst: "ff02::1", lladdr: "02:00:00:00:00:01" }]')}
  1: ${at}.static-neighbors[0].dst: ff02::1 is a multicast address (${HOST})
${group('static-neighbors: [{ dst: "::", lladdr: "02:00:00:00:00:01" }]')}
  1: ${at}.static-neighbors[0].dst: :: is the unspecified address (${HOST})
${group(`static-neighbors: [${['2001:DB8::9', '2001:db8:0::9'].map(neighbor).join(', ')}]`)}
  1: ${at}.static-neighbors[1]: 2001:db8::9 is given already (each neighbour once)
${group('multicast: [192.0.2.1]')} -> 1: ${at}.multicast[0]: 192.0.2.1 is no multicast address ${M}
${group('multicast: ["fe80::1"]')} -> 1: ${at}.multicast[0]: fe80::1 is no multicast address ${M}
${group('multicast: ["ff05::2", "FF05::0:2"]')}
  1: ${at}.multicast[1]: ff05::2 is given already (each address once)
${group('multicast: [239.1.2]')}
  1: ${at}.multicast[0]: "239.1.2" is not valid (a multicast address, such as 239.1.2.3 or
    ff05::1:3)
# Groups: routes.
${group('routes: [{ via: 192.0.2.1 }]')}
  1: ${at}.routes[0].to: is missing (a route, such as { to: default, via: 192.0.2.1 })
${group('routes: [default]')}
  1: ${at}.routes[0]: "default" is not valid (a route, such as { to: default, via: 192.0.2.1 })
${group('routes: [{ to: 192.0.2.1/24 }]')}
  1: ${at}.routes[0].to: "192.0.2.1/24" is not valid (${NETWORK})
${group('routes: [{ to: default, via: gw }]')}
  1: ${at}.routes[0].via: "gw" is not valid (${ADDRESS})
${group('routes: [{ to: "2001:db8::/32", via: 192.0.2.1 }]')}
  1: ${at}.routes[0].via: 192.0.2.1 is no gateway for 2001:db8::/32: the kernel refuses IPv6 via
    IPv4 (an IPv6 address)
${group('addresses: [192.0.2.10/32], routes: [{ to: default, via: 192.0.2.1 }]')}
  1: ${at}.routes[0].via: 192.0.2.1 is on no network of the group (a router on the network of an
    address; or a route to it without via; or onlink: true)
${group('routes: [{ to: default, via: 192.0.2.1, onlink: 1 }]')}
  1: ${at}.routes[0].onlink: 1 is not valid (true or false)
${group('routes: [{ to: default, via: 224.0.0.1 }]')}
  1: ${at}.routes[0].via: 224.0.0.1 is a multicast address (the address of a router)
${group('routes: [{ to: default, via: 192.0.2.1 }, { to: default, via: 192.0.2.1 }]')}
  1: ${at}.routes[1]: is a route that is given already (each route once)
# Several mistakes are told at once, in the order of the file.
log:\n  level: x\ntracking: y\n
  2: log.level: "x" is not valid (one of trace, debug, info, warn, error, fatal)
  3: tracking: "y" is not valid (groups or all)
# What is shown of the file carries no control characters.
tracking: "a\e[2Jb" -> 1: tracking: "a\u{1b}[2Jb" is not valid (groups or all)
`;

/** The rows of BAD. */
function badRows(): (readonly [text: string, ...messages: string[]])[] {
  const lines = BAD.replaceAll('\n    ', ' ').split('\n');
  const rows = lines.filter((line) => line !== '' && !line.startsWith('#')).join('\n');
  return rows.split(/\n(?! )/).map((row) => {
    const [text = '', ...messages] = row.split(/\n {2}| -> /);
    return [text.replaceAll('\\n', '\n'), ...messages];
  });
}

for (const [text, ...messages] of badRows()) {
  const title = text.length > 70 ? `${text.slice(0, 67)}...` : text;
  test(`[contract 3.2, 8.1] refused: ${title.replaceAll('\n', '; ')}`, () => {
    ok(messages.length > 0);
    deepEqual(
      errorsOf(configFromSources([{ file: 'ipmpd.yaml', text }])),
      messages.map((message) => `ipmpd.yaml:${message}`),
    );
  });
}
