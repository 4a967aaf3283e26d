/** What a missing program of the distribution leaves out, and how its installation is refused. */

import { deepEqual, ok } from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { root } from '../../tidy/source.ts';

interface Stage {
  readonly name: string;
  readonly folder: string;
  readonly programs?: readonly string[];
  readonly scans?: boolean;
}

const { STAGES, testFiles, programsOf } = (await import(join(root, 'scripts/test-files.mjs'))) as {
  STAGES: readonly Stage[];
  testFiles: (folder: string) => { source: string }[];
  programsOf: (source: string, programs: readonly string[]) => string[];
};
const { BENCH_PROGRAMS, TEST_PROGRAMS, installMissing } = (await import(
  join(root, 'scripts/packages.mjs')
)) as {
  BENCH_PROGRAMS: readonly string[];
  TEST_PROGRAMS: readonly string[];
  installMissing: (
    purpose: string,
    say: (line: string) => void,
    isThere: (program: string) => boolean,
  ) => { program: string }[];
};

const folder = mkdtempSync(join(tmpdir(), 'ipmpd-programs-'));
after(() => rmSync(folder, { recursive: true }));

/** Files that run a program, of the stages that are read for it. */
function filesThatRun(program: string): string[] {
  const files = STAGES.filter(({ scans }) => scans).flatMap((stage) => testFiles(stage.folder));
  return files
    .map(({ source }) => source)
    .filter((source) => programsOf(source, [program]).length > 0);
}

test('every stage has test files', () => {
  for (const { name, folder } of STAGES) ok(testFiles(folder).length > 0, name);
});

test('a missing program leaves out the files that run it, and no others', () => {
  deepEqual(filesThatRun('dhclient'), [
    'test/netns/group/dhcp.test.ts',
    'test/netns/group/routers.test.ts',
  ]);
  deepEqual(filesThatRun('traceroute'), ['test/netns/frames/path.test.ts']);
  // By a helper of theirs: test/netns/tools/sniffer.ts.
  const sniffing = filesThatRun('tcpdump');
  ok(sniffing.includes('test/netns/arp/arp.test.ts'), sniffing.join(' '));
  ok(!sniffing.includes('test/netns/control/reload.test.ts'), sniffing.join(' '));
  // In a comment of a helper of nearly all.
  ok(filesThatRun('curl').length < 10);
});

test('every program that is installed for the tests is run by one', () => {
  const named = STAGES.flatMap(({ programs = [] }) => programs);
  // A stage of its own skips by itself without it.
  const others = ['spin', ...named];
  const idle = TEST_PROGRAMS.filter((program) => !others.includes(program)).filter(
    (program) => filesThatRun(program).length === 0,
  );
  deepEqual(idle, []);
});

test('the benchmarks install what they run, and nothing else', () => {
  const all = [...new Set([...TEST_PROGRAMS, ...BENCH_PROGRAMS])].sort();
  deepEqual(programsOf('test/bench/main.ts', all), [...BENCH_PROGRAMS].sort());
});

/** An apt-get that logs its arguments, and installs anything but a client for DHCP. */
const FAKE_APT = `#!/bin/sh
echo "$*" >> ${folder}/asked
case "$*" in
*install*dhcp*) echo "E: no dhcp here" >&2; exit 100 ;;
*install*) touch ${folder}/tcpdump ;;
esac
`;

function install(isThere: (program: string) => boolean) {
  const said: string[] = [];
  const missing = installMissing('test', (line) => said.push(line), isThere);
  return { said, missing: missing.map(({ program }) => program) };
}

test('IPMPD_NO_INSTALL leaves the packages of the distribution alone', () => {
  process.env.IPMPD_NO_INSTALL = '1';
  try {
    const { said, missing } = install((program) => program !== 'tcpdump');
    deepEqual(said, ['nothing is installed: IPMPD_NO_INSTALL is set']);
    deepEqual(missing, ['tcpdump']);
    deepEqual(
      install(() => true),
      { said: [], missing: [] },
    );
  } finally {
    delete process.env.IPMPD_NO_INSTALL;
  }
});

const skip = process.getuid?.() === 0 ? false : 'apt-get is asked only as root';

test('a package that cannot be installed holds up no other, and all is reported', { skip }, () => {
  writeFileSync(join(folder, 'apt-get'), FAKE_APT, { mode: 0o755 });
  const before = process.env.PATH;
  process.env.PATH = `${folder}:${before}`;
  try {
    const { said, missing } = install((program) => {
      if (program === 'tcpdump') return existsSync(join(folder, program));
      return program !== 'dhclient';
    });
    deepEqual(missing, ['dhclient']);
    deepEqual(said, [
      'the tests cannot do without: dhclient, tcpdump',
      'installing Debian packages: isc-dhcp-client tcpdump (IPMPD_NO_INSTALL=1 refuses)',
      'apt-get install failed:\nE: no dhcp here',
    ]);
    const asked = readFileSync(join(folder, 'asked'), 'utf8').trim().split('\n');
    deepEqual(
      asked.map((line) => line.replace(/^.*?(update|install)/, '$1')),
      [
        'update',
        'install -y --no-install-recommends isc-dhcp-client tcpdump',
        'install -y --no-install-recommends isc-dhcp-client',
        'install -y --no-install-recommends tcpdump',
      ],
    );
  } finally {
    process.env.PATH = before;
  }
});
