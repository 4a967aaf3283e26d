/**
 * The drop-in that `ipmpadm --save` writes, edited as text: what an administrator has written or
 * commented there stays.
 */

import { isMap, isScalar, parseDocument, visit } from 'yaml';
import { OperatorError } from '../base/errors.ts';
import { isMapping, REMOVED } from './document.ts';
import type { ConfigEdit, FileLayer } from './layers.ts';

/** A file as text. */
interface ConfigSource {
  readonly file: string;
  readonly text: string;
}

const HEAD = `# Written by "ipmpadm --save", on top of the files before it. Edit it as you like.
`;

/**
 * `text` of `file` after `edits`; `others` are the other files, from which follows what a removal
 * must mark here. `text` must be YAML that `documentRead` accepts. EINVAL: it has aliases, and an
 * edit of one part would change others.
 */
export function textEdit(
  { file, text }: ConfigSource,
  edits: readonly ConfigEdit[],
  others: readonly FileLayer[],
): string {
  const document = parseDocument(text);
  if (isScalar(document.contents)) document.contents = null;
  visit(document, {
    Alias: () => {
      throw new OperatorError('EINVAL', `${file} has aliases`, 'edit it by hand, then reload');
    },
  });
  for (const { path, value } of edits) {
    for (let depth = 1; depth < path.length; depth++) {
      const above = path.slice(0, depth);
      if (!isMap(document.getIn(above, true))) document.setIn(above, document.createNode({}));
    }
    const isNowhere = value === REMOVED && !others.some((layer) => stands(layer, path));
    if (isNowhere) document.deleteIn(path);
    else document.setIn(path, document.createNode(value));
  }
  const edited = document.toString({ lineWidth: 100 });
  return text === '' ? `${HEAD}${edited}` : edited;
}

function stands({ document }: FileLayer, path: readonly string[]): boolean {
  let value = document.value;
  for (const key of path) {
    const below = isMapping(value) ? value[key] : undefined;
    if (below === undefined) return false;
    value = below;
  }
  return true;
}
