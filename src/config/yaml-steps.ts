/**
 * What parseDocument of the package does, in steps: a file as large as is allowed takes a tenth of
 * a second, in which the daemon would do nothing else. Only the last step, which makes nodes of
 * the words, cannot be divided; it takes a quarter of the time.
 */

import {
  Composer,
  CST,
  type Document,
  Lexer,
  type LineCounter,
  Parser,
  YAMLParseError,
} from 'yaml';
import { assert } from '../base/assert.ts';
import type { Steps } from '../base/turns.ts';
import { DEPTH_MAX, FILE_WORDS_MAX } from '../model/limits.ts';

/** Words that are read in one step: about a millisecond's work (ours). */
const WORDS_A_STEP = 500;

/** Words that no node is made of: the mark before a plain text is one. */
const SILENT = new Set<string | null>(['space', 'newline', 'comment', 'scalar']);

/** A mistake in the words of the package. */
const SEVERAL = 'Source contains multiple documents; please use YAML.parseAllDocuments()';

/** What the parser's stack may hold beside collections: the document, and the scalar in hand. */
const STACK_SPARE = 2;

/** Why a text is not parsed to its end. */
export interface TooMuch {
  readonly line: number;
  readonly what: string;
  readonly allowed: string;
}

/**
 * Parses `text`; `lines` learns where its lines begin. The parser for words has a stack of its own
 * and does not recurse; what makes nodes of them does. So the depth, and the number of words, are
 * bounded at each word, before any node is made.
 */
export function* yamlSteps(text: string, lines: LineCounter): Steps<Document.Parsed | TooMuch> {
  const parser = new Parser(lines.addNewLine);
  const tokens = [];
  lines.addNewLine(0);
  let words = 0;
  let telling = 0;
  for (const word of new Lexer().lex(text)) {
    for (const token of parser.next(word)) tokens.push(token);
    const isDeep = parser.stack.length > DEPTH_MAX + 1 + STACK_SPARE;
    if (!SILENT.has(CST.tokenType(word))) telling++;
    if (isDeep || telling > FILE_WORDS_MAX) {
      const { line } = lines.linePos(parser.offset);
      if (isDeep)
        return { line, what: 'is nested too deeply', allowed: `at most ${DEPTH_MAX} levels` };
      return { line, what: 'is too much', allowed: `at most ${FILE_WORDS_MAX} words` };
    }
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
