/**
 * Where the header files of the running Node.js are. They lie beside its program in the archives of
 * nodejs.org, in containers and in packages of npm, and in /usr where a distribution has them.
 *
 * Our addon uses Node-API and libuv, which are the same in all versions: headers of another version
 * will do. An addon that uses V8 (raw-socket) needs the headers of this very version, else it is
 * built and cannot be loaded.
 */

import { readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Folders that may have `include/node`, the most likely first. */
function candidates() {
  const beside = dirname(dirname(realpathSync(process.execPath)));
  const configured = process.env.npm_config_nodedir;
  return [...(configured ? [configured] : []), beside, '/usr', '/usr/local'];
}

/** The version of V8's interface in a folder's headers; undefined: there are no headers. */
function modulesVersionOf(include) {
  try {
    const text = readFileSync(join(include, 'node_version.h'), 'utf8');
    return /^#define NODE_MODULE_VERSION (\d+)$/m.exec(text)?.[1];
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/**
 * The folder with `node_api.h`: of this version if there is one (`isExact`), else of another one;
 * undefined if there are no headers.
 */
export function nodeHeaders(folders = candidates(), wanted = process.versions.modules) {
  const found = folders
    .map((folder) => join(folder, 'include/node'))
    .map((include) => ({ include, version: modulesVersionOf(include) }))
    .filter(({ version }) => version !== undefined)
    .map(({ include, version }) => ({ include, isExact: version === wanted }));
  return found.find(({ isExact }) => isExact) ?? found[0];
}
