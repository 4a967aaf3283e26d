/**
 * Set-up of a checkout, by itself or before any other command: npm packages, the native addon,
 * TypeScript, programs of the distribution. Each step is done only when its inputs have changed.
 *
 *   node scripts/setup.mjs [build|start|test|bench|soak]
 */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { installMissing, isProgram } from './packages.mjs';
import { digest, readStamps, root, withLock, writeStamp } from './stamps.mjs';
import { extractTools } from './tools.mjs';

/** Oldest Node.js with what the code uses; also `engines` in package.json. */
const OLDEST_NODE = [20, 19];

/** Programs without which nothing can be built, with the Debian package that brings each. */
const BUILD_TOOLS = { npm: 'npm', make: 'make', cc: 'gcc', 'c++': 'g++', python3: 'python3' };

/** Something is missing that set-up cannot bring by itself; the message says what to do. */
export class SetUpError extends Error {}

function say(text) {
  process.stderr.write(`set-up: ${text}\n`);
}

/** The folder above `include/node` for the running node, where addons find their headers. */
export function nodeHeaders() {
  const candidates = [
    process.env.npm_package_config_node_gyp_nodedir,
    process.env.npm_config_nodedir,
    dirname(dirname(process.execPath)),
    '/usr',
    '/usr/local',
  ];
  return candidates.find((folder) => folder && existsSync(join(folder, 'include/node/node_api.h')));
}

function needHeaders() {
  const headers = nodeHeaders();
  if (headers !== undefined) return headers;
  throw new SetUpError(
    `the header files of Node.js ${process.version} are missing (include/node/node_api.h beside ` +
      `${process.execPath}); install libnode-dev, or the complete Node.js archive`,
  );
}

function needTools() {
  const missing = Object.entries(BUILD_TOOLS).filter(([program]) => !isProgram(program));
  if (missing.length === 0) return;
  const names = missing.map(([program, debianPackage]) => `${program} (Debian: ${debianPackage})`);
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

/** The steps in their order: name, digest of the inputs, a file that must exist, what to do. */
function steps() {
  const node = `${process.version} ${process.arch}`;
  return [
    {
      name: 'packages',
      inputs: () => digest(['package-lock.json', 'package.json', '.npmrc'], ['json', 'rc'], node),
      result: 'node_modules/.package-lock.json',
      run: () => {
        needTools();
        build('npm packages (npm ci)', 'npm', ['ci', '--no-audit', '--no-fund'], {
          npm_package_config_node_gyp_nodedir: needHeaders(),
        });
      },
    },
    {
      name: 'native',
      inputs: () => digest(['native'], ['.c', '.h', 'Makefile', '.mk'], node),
      result: 'native/build/ipmpd.node',
      run: () => {
        needTools();
        build('native addon (make -C native)', 'make', ['-C', 'native', '-s'], {
          NODE_INCLUDE: join(needHeaders(), 'include/node'),
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
  ];
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
        const inputs = step.inputs();
        if (readStamps()[step.name] === inputs && existsSync(join(root, step.result))) continue;
        step.run();
        writeStamp(step.name, step.inputs());
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
