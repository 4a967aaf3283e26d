/**
 * What parseDocument of the package does, in steps: a file as large as is allowed takes a tenth of
 * a second, in which the daemon would do nothing else. Only the last step, which makes nodes of
 * the words, cannot be divided; it takes a quarter of the time.
 */

import { Composer, type Document, Lexer, type LineCounter, Parser, YAMLParseError } from 'yaml';
import { assert } from '../base/assert.ts';
import type { Steps } from '../base/turns.ts';

/** Words that are read in one step: about a millisecond's work (ours). */
const WORDS_A_STEP = 500;

/** As the package says it. */
const SEVERAL = 'Source contains multiple documents; please use YAML.parseAllDocuments()';

/** Parses `text`; `lines` learns where its lines begin. Throws if it is nested beyond the stack. */
export function* yamlSteps(text: string, lines: LineCounter): Steps<Document.Parsed> {
  const parser = new Parser(lines.addNewLine);
  const tokens = [];
  lines.addNewLine(0);
  let words = 0;
  for (const word of new Lexer().lex(text)) {
    tokens.push(...parser.next(word));
    if (++words % WORDS_A_STEP === 0) yield;
  }
  tokens.push(...parser.end());
  yield;
  // The parser compares each key with all others; the walk does it in one look.
  const options = { prettyErrors: false, logLevel: 'error', uniqueKeys: false } as const;
  const composer = new Composer(options);
  const [document, second] = composer.compose(tokens, true, text.length);
  assert(document !== undefined, 'an empty text is a document too');
  if (second !== undefined) {
    const place: [number, number] = [second.range[0], second.range[1]];
    document.errors.push(new YAMLParseError(place, 'MULTIPLE_DOCS', SEVERAL));
  }
  return document;
}
