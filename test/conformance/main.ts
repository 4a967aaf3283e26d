/**
 * `npm run conformance`: what `implementation6` of thc-ipv6 finds about a data address, a test
 * address and a plain Linux host, row by row. Each difference must be a row of docs/conformance.md,
 * and each row there a difference; the exit status is 1 otherwise. It takes three minutes.
 *
 * The three are asked at the same time by the gateway of the lab, from an address of its own each:
 * the program takes what comes to its address for an answer. The Linux host is the second gateway,
 * which forwards nothing here.
 */

import { readFileSync } from 'node:fs';
import { LAN6 } from '../../src/lab/topology.ts';
import { TestHost } from '../netns/tools/harness.ts';
import { extracted } from '../tools/extracted.ts';

const PROGRAM = 'atk6-implementation6';
const PAGE = new URL('../../../docs/conformance.md', import.meta.url);
const TEST_ADDRESS = '2001:db8::21';
const TARGETS = {
  Linux: { address: LAN6.gateways[1], from: '2001:db8::51' },
  data: { address: LAN6.data[0], from: '2001:db8::52' },
  test: { address: TEST_ADDRESS, from: '2001:db8::53' },
} as const;
type Target = keyof typeof TARGETS;
const NAMES: readonly Target[] = ['Linux', 'data', 'test'];

/** Tests that version 3.8 has. */
const TESTS = 59;

/** What came back in each test, by its number. */
function outcomes(text: string): Map<number, string> {
  const rows = text.matchAll(/^Test +(\d+): .*?(?:PASSED|FAILED) - (.*?)\s*$/gm);
  return new Map(
    [...rows].map(([, number, what = '']) => {
      return [Number(number), what === 'we got a reply' ? 'reply' : what];
    }),
  );
}

/** `3 data: error reply [4:1] / no reply`: one for each difference that the page has. */
function expected(): string[] {
  const rows = readFileSync(PAGE, 'utf8').matchAll(
    /^\| ([\d, ]+) \| [^|]+ \| ([a-z, ]+) \| ([^|]+) \| ([^|]+) \|/gm,
  );
  return [...rows].flatMap(([, numbers = '', targets = '', linux, here]) =>
    numbers.split(', ').flatMap((number) => {
      return targets.split(', ').map((target) => difference(Number(number), target, linux, here));
    }),
  );
}

function difference(test: number, target: string, linux = '', here = ''): string {
  return `${test} ${target}: ${linux} / ${here}`;
}

async function ask(host: TestHost, program: string, target: Target): Promise<Map<number, string>> {
  const { address, from } = TARGETS[target];
  const found = outcomes(await host.attempt('gw', [program, '-s', from, 'eth0', address]));
  if (found.size !== TESTS) throw new Error(`${found.size} of ${TESTS} tests of ${target}`);
  return found;
}

async function differences(host: TestHost, program: string): Promise<string[]> {
  const files = ['all', 'eth0'].map((name) => `/proc/sys/net/ipv6/conf/${name}/forwarding`);
  await host.run('gw2', ['sh', '-ec', files.map((file) => `echo 0 > ${file}`).join('\n')]);
  const added = NAMES.map((name) => `address add ${TARGETS[name].from}/64 dev eth0 nodad`);
  await host.workspace.ip('gw', added);
  await host.waitForAddress(TEST_ADDRESS);
  const [linux, ...ours] = await Promise.all(NAMES.map((name) => ask(host, program, name)));
  return ours.flatMap((found, at) =>
    [...found].flatMap(([test, here]) => {
      const there = linux?.get(test) ?? '';
      return here === there ? [] : [difference(test, NAMES[at + 1] ?? '', there, here)];
    }),
  );
}

async function main(): Promise<number> {
  const program = extracted(PROGRAM);
  if (program === undefined) throw new Error(`${PROGRAM} is missing`);
  const interfaces = { net0: { 'test-addresses': [`${TEST_ADDRESS}/64`] } };
  const host = await TestHost.raise({ wiring: 'macvtap', gateways: 2, ipv6: true, interfaces });
  try {
    const found = await differences(host, program);
    const wanted = expected();
    const lines = [
      ...found.filter((one) => !wanted.includes(one)).map((one) => `not on the page: ${one}`),
      ...wanted.filter((one) => !found.includes(one)).map((one) => `on the page alone: ${one}`),
    ];
    for (const line of lines) process.stdout.write(`${line}\n`);
    process.stdout.write(`${found.length} differences, ${lines.length} that are not as written\n`);
    return lines.length === 0 ? 0 : 1;
  } finally {
    await host.lower();
  }
}

process.exitCode = await main();
