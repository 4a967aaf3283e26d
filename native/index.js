/**
 * Loads the addon that native/Makefile builds. Only src/native/addon.ts imports it; it checks
 * the version of the interface.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const path = fileURLToPath(new URL('./build/ipmpd.node', import.meta.url));

function load() {
  try {
    return createRequire(import.meta.url)(path);
  } catch (error) {
    throw new Error(`the native addon cannot be loaded (build it with: npm run build): ${path}`, {
      cause: error,
    });
  }
}

export default load();
