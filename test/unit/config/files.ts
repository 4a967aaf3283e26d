/** What the tests of the configuration share: files on disk, texts, and the errors of both. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConfigError, configErrorFormat } from '../../../src/config/document.ts';
import type { EffectiveConfig } from '../../../src/config/layers.ts';
import { configFromSources } from '../../../src/config/load.ts';
import { ConfigStore } from '../../../src/config/store.ts';
import type { Config } from '../../../src/config/types.ts';

/** What can be read as text or file, or else has errors. */
type Failing = { readonly errors: readonly ConfigError[] };

/** The messages of `result`; none if it has no errors. */
export function errorsOf(result: object | Failing): string[] {
  return 'errors' in result ? result.errors.map(configErrorFormat) : [];
}

/** `result`, which must be without errors. */
export function good<T extends object>(result: T | Failing): T {
  if ('errors' in result) throw new Error(errorsOf(result).join('\n'));
  return result;
}

/** The configuration of a file and its drop-ins. */
export function configOf(...texts: string[]): Config {
  const sources = texts.map((text, at) => ({ file: `f${at}.yaml`, text }));
  return good<EffectiveConfig>(configFromSources(sources)).config;
}

/** Files of a configuration in a folder of their own, which `using` removes. */
export class Files {
  readonly folder = mkdtempSync(join(tmpdir(), 'ipmpd-config-'));
  readonly main = join(this.folder, 'ipmpd.yaml');
  readonly dropIns = join(this.folder, 'ipmpd.d');
  readonly saved = join(this.dropIns, '50-ipmpadm.yaml');

  constructor(main: string) {
    writeFileSync(this.main, main);
  }

  dropIn(name: string, text: string): void {
    mkdirSync(this.dropIns, { recursive: true });
    writeFileSync(join(this.dropIns, name), text);
  }

  async open(given: Parameters<typeof ConfigStore.open>[1] = null): Promise<ConfigStore> {
    return good<ConfigStore>(await ConfigStore.open(this.main, given));
  }

  savedText(): string {
    return readFileSync(this.saved, 'utf8');
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}
