/**
 * What package.json, package-lock.json and .npmrc promise: the same packages from any registry, no
 * program of a package run at installation, and versions that every supported Node.js can use.
 */

import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { none, sources } from './source.ts';

interface LockedPackage {
  readonly version: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly dev?: true;
  readonly hasInstallScript?: true;
}

const textOf = (path: string): string => sources([path], [path])[0]?.text ?? '';

const manifest = JSON.parse(textOf('package.json')) as {
  readonly engines: { readonly node: string };
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly allowScripts: Readonly<Record<string, boolean>>;
};
const lock = JSON.parse(textOf('package-lock.json')) as {
  readonly packages: Readonly<Record<string, LockedPackage>>;
};
const locked = Object.entries(lock.packages).filter(([path]) => path !== '');

/** [major, minor] of a version or of a range `>=major.minor`. */
function versionOf(text: string): [number, number] {
  const [, major, minor] = /^(?:>=)?(\d+)\.(\d+)/.exec(text) ?? [];
  return [Number(major), Number(minor)];
}

test('the lock file names contents, and no place to load them from', () => {
  ok(locked.length > 50, `${locked.length} packages`);
  none(
    locked.filter(([, { resolved, integrity }]) => resolved || !/^sha512-/.test(integrity ?? '')),
  );
  doesNotMatch(textOf('package-lock.json'), /"resolved"|https?:\/\/[^"]*registry/);
});

test('nan is a version that compiles with the newest supported Node.js', () => {
  const [major, minor] = versionOf(lock.packages['node_modules/nan']?.version ?? '');
  // 2.19, which raw-socket asks for, does not compile with Node.js 24.
  ok(major === 2 && minor >= 30, `nan ${major}.${minor}`);
});

test('no script of a package is run: .npmrc forbids it, and allowScripts names them', () => {
  match(textOf('.npmrc'), /^ignore-scripts=true$/m);
  const names = locked
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([path]) => path.replace(/^.*node_modules\//, ''));
  deepEqual(manifest.allowScripts, Object.fromEntries(names.map((name) => [name, false])));
});

test('no package of the daemon has to be compiled', () => {
  const production = locked.filter(([, { dev, hasInstallScript }]) => !dev && hasInstallScript);
  none(production);
});

test('the oldest Node.js is the same in set-up, package.json, README and the types', () => {
  const oldest = versionOf(manifest.engines.node);
  const [, list] = /^const OLDEST_NODE = \[(.*)\];$/m.exec(textOf('scripts/setup.mjs')) ?? [];
  equal(list, oldest.join(', '));
  ok(textOf('README.md').includes(`Node.js ${oldest.join('.')} or later`));
  // Types of a later one would accept what the oldest does not have.
  deepEqual(versionOf(manifest.devDependencies['@types/node'] ?? ''), oldest);
});

test('the README names the versions of Node.js that `npm run versions` has passed with', () => {
  const rows = textOf('scripts/versions.mjs').matchAll(/^ {2}\['([\d.]+)', '\d+'\],$/gm);
  const tried = [...rows].map(([, version]) => version ?? '');
  ok(tried.length >= 4, tried.join(' '));
  deepEqual(versionOf(tried[0] ?? ''), versionOf(manifest.engines.node));
  const [, passed = ''] =
    /`npm run versions` has passed with\s+([^;)]*)/.exec(textOf('README.md')) ?? [];
  const named = passed.split(/,\s*|\s+and\s+/);
  deepEqual(
    named.map((version, at) => version.startsWith(`${tried[at]}.`)),
    tried.map(() => true),
    passed,
  );
});
