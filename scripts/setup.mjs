/**
 * Set-up of a checkout, by itself or before any other command: npm packages, the native addon,
 * TypeScript, programs of the distribution. Each step is done only when its inputs have changed.
 *
 *   node scripts/setup.mjs [build|start|test|bench|soak]
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { nodeHeaders } from './headers.mjs';
import { installMissing, isProgram } from './packages.mjs';
import { digest, readStamps, root, withLock, writeStamp } from './stamps.mjs';
import { extractTools } from './tools.mjs';

/** Oldest Node.js with what the code uses; also `engines` in package.json. */
const OLDEST_NODE = [20, 19];

/** Programs that build, with the Debian package that brings each. */
const BUILD_TOOLS = { npm: 'npm', make: 'make', cc: 'gcc', 'c++': 'g++' };

/**
 * What the user has set for other projects does not hold here: NODE_ENV=production and `omit` would
 * leave out the compiler of TypeScript, and an npm without .npmrc would run scripts.
 */
const NPM_CI = [
  'ci',
  '--include=dev',
  '--include=optional',
  '--ignore-scripts',
  '--no-audit',
  '--no-fund',
];

/** The package that the lab and the tests send ICMP with; the daemon does without it. */
const RAW_SOCKET = 'node_modules/raw-socket';

/** Something is missing that set-up cannot bring by itself; the message has what to do. */
export class SetUpError extends Error {}

function say(text) {
  process.stderr.write(`set-up: ${text}\n`);
}

function needHeaders() {
  const headers = nodeHeaders();
  if (headers !== undefined) return headers;
  throw new SetUpError(
    `the header files of Node.js ${process.version} are missing (include/node beside ` +
      `${process.execPath}); install libnode-dev, or the complete Node.js archive`,
  );
}

function needExactHeaders() {
  const { include, isExact } = needHeaders();
  if (isExact) return include;
  throw new SetUpError(
    `the header files in ${include} are not those of Node.js ${process.version}`,
  );
}

function needTools(...programs) {
  const missing = programs.filter((program) => !isProgram(program));
  if (missing.length === 0) return;
  const names = missing.map((program) => `${program} (Debian: ${BUILD_TOOLS[program]})`);
  throw new SetUpError(`needed for building and not found: ${names.join(', ')}`);
}

function needNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [oldMajor, oldMinor] = OLDEST_NODE;
  if (major > oldMajor || (major === oldMajor && minor >= oldMinor)) return;
  throw new SetUpError(
    `Node.js ${OLDEST_NODE.join('.')} or later is needed, not ${process.version}`,
  );
}

/** Runs a build program; its output is shown only when it fails. */
function build(what, program, args, env = {}) {
  say(what);
  const done = spawnSync(program, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    env: { ...process.env, ...env },
  });
  if (done.error) throw new SetUpError(`${program}: ${done.error.message}`);
  if (done.status === 0) return;
  throw new SetUpError(`${what}: failed\n${`${done.stdout}${done.stderr}`.trim().slice(-6000)}`);
}

/**
 * The steps in their order: name, digest of the inputs, a file that must exist, what to do. A step
 * with `purposes` is done for those alone; what it lacks is printed, and the others go on.
 */
function steps() {
  const node = `${process.version} ${process.arch}`;
  return [
    {
      name: 'packages',
      inputs: () =>
        digest(
          ['package-lock.json', 'package.json', '.npmrc'],
          ['json', 'rc'],
          `${node} ${NPM_CI}`,
        ),
      result: 'node_modules/.package-lock.json',
      run: () => {
        needTools('npm');
        build('npm packages (npm ci)', 'npm', NPM_CI);
      },
    },
    {
      name: 'native',
      inputs: () => digest(['native'], ['.c', '.h', 'Makefile', '.mk'], node),
      result: 'native/build/ipmpd.node',
      run: () => {
        needTools('make', 'cc');
        build('native addon (make -C native)', 'make', ['-C', 'native', '-s'], {
          NODE_INCLUDE: needHeaders().include,
        });
      },
    },
    {
      name: 'typescript',
      inputs: () =>
        digest(['src', 'test', 'tsconfig.json', 'tsconfig.base.json'], ['.ts', '.json'], node),
      result: 'dist/src.tsbuildinfo',
      run: () =>
        build('TypeScript (tsc -b)', process.execPath, ['node_modules/typescript/bin/tsc', '-b']),
    },
    {
      name: 'raw-socket',
      purposes: ['start', 'test', 'bench'],
      inputs: () => digest(['package-lock.json'], ['.json'], node),
      result: `${RAW_SOCKET}/build/Release/raw.node`,
      run: buildRawSocket,
    },
  ];
}

/** npm runs no script of a package (.npmrc), and this package has but one file of C++. */
function buildRawSocket() {
  needTools('c++');
  const include = needExactHeaders();
  mkdirSync(join(root, RAW_SOCKET, 'build/Release'), { recursive: true });
  build('package raw-socket (c++)', 'c++', [
    ...['-std=gnu++20', '-O2', '-fPIC', '-shared', '-w'],
    ...['-isystem', include, '-isystem', 'node_modules/nan'],
    ...['-o', `${RAW_SOCKET}/build/Release/raw.node`, `${RAW_SOCKET}/src/raw.cc`],
  ]);
}

function takeStep(step) {
  const inputs = step.inputs();
  if (readStamps()[step.name] === inputs && existsSync(join(root, step.result))) return;
  try {
    step.run();
    writeStamp(step.name, step.inputs());
  } catch (error) {
    if (step.purposes === undefined || !(error instanceof SetUpError)) throw error;
    say(`going on without ${step.name}: ${error.message}`);
  }
}

/**
 * Does what is still to be done for `purpose` (`build`, `start`, `test`, `bench`, `soak`). Returns
 * the programs of the distribution that are missing still: the caller knows whether it can go on.
 *
 * @throws SetUpError when the build cannot go on
 */
export async function setUp(purpose) {
  needNode();
  return await withLock(
    () => say('waiting for another set-up of this checkout'),
    () => {
      for (const step of steps()) {
        if (step.purposes?.includes(purpose) ?? true) takeStep(step);
      }
      const missing = installMissing(purpose, say);
      extractTools(purpose, say);
      return missing;
    },
  );
}

/** As `setUp`, for commands: prints what is missing and ends the process if it cannot go on. */
export async function setUpOrExit(purpose) {
  try {
    const missing = await setUp(purpose);
    for (const { program, debianPackage } of missing) {
      say(`${program} is missing (Debian package ${debianPackage}; install it as root)`);
    }
    return missing;
  } catch (error) {
    if (!(error instanceof SetUpError)) throw error;
    say(`cannot go on: ${error.message}`);
    process.exit(1);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const purpose = process.argv[2] ?? 'build';
  if (!['build', 'start', 'test', 'bench', 'soak'].includes(purpose)) {
    say(`unknown purpose '${purpose}' (build, start, test, bench, soak)`);
    process.exit(2);
  }
  const missing = await setUpOrExit(purpose);
  process.exit(missing.length === 0 ? 0 : 1);
}
