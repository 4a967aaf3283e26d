/** Pages of docs/, and of those that are made from tables the way to write them anew. */
import { readFileSync, writeFileSync } from 'node:fs';

const ROOT = new URL('../../../', import.meta.url);

/** The text of a file of the repository. */
export function fileText(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8');
}

/** The text of a page as it should be, written first if IPMPD_WRITE_DOCS=1 asks for it. */
export function pageText(path: string, made: string): string {
  if (process.env.IPMPD_WRITE_DOCS === '1') writeFileSync(new URL(path, ROOT), made);
  return fileText(path);
}
