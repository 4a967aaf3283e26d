/**
 * V8's own trace (--log-ic --log-code --log-deopt), read for two questions: which call sites and
 * property accesses have met objects of more than one shape, and which optimised code was
 * discarded.
 *
 * The trace names an access by an address within the code of its function, so the lines of code
 * that is made are kept until the end. An access that has no feedback yet (`0`) becomes
 * monomorphic (`1`), polymorphic (`P`: up to four shapes) and megamorphic (`N`).
 */

/** An access that has met several shapes. */
export interface Site {
  /** Function, file and place. */
  readonly where: string;
  /** The property, or the kind of access. */
  readonly what: string;
  readonly isMegamorphic: boolean;
}

/** Optimised code that was discarded: where, why, and how often. */
export interface Deopt {
  readonly where: string;
  readonly why: string;
  readonly times: number;
}

/** What a trace shows of the files that were asked about. */
export interface Shapes {
  /** Accesses with feedback, of any number of shapes. */
  readonly sites: number;
  /** Those with several. */
  readonly severalShapes: readonly Site[];
  /** Functions that were optimised. */
  readonly optimised: number;
  /** Deoptimisations before the second mark, all together, and after it. */
  readonly deoptsBefore: number;
  readonly deoptsAfter: readonly Deopt[];
}

/** What is looked for: files, and the names of two functions that are called as marks. */
export interface TraceQuery {
  readonly files: RegExp;
  /** From here on accesses count. */
  readonly begin: string;
  /** From here on deoptimisations are listed. */
  readonly warm: string;
}

interface Code {
  readonly address: number;
  readonly end: number;
  readonly name: string;
}

/**
 * From V8's marks of code: `*` is the work of the optimising compiler. A quote follows where the
 * code is for one closure (since V8 12), and an `o` precedes where it replaces a running loop
 * (since V8 14).
 */
const OPTIMISED = /^o?\*'?$/;
const MEGAMORPHIC = 'N';
const POLYMORPHIC = 'P';

/** Reads a trace, line by line. */
export class TraceReader {
  readonly #query: TraceQuery;
  readonly #codes: Code[] = [];
  readonly #states = new Map<string, { site: Site; state: string }>();
  readonly #optimised = new Set<string>();
  readonly #deopts = new Map<string, { where: string; why: string; times: number }>();
  #deoptsBefore = 0;
  #hasBegun = false;
  #isWarm = false;

  constructor(query: TraceQuery) {
    this.#query = query;
  }

  /** One line, without its end. */
  line(text: string): void {
    const fields = text.split(',');
    const [event = ''] = fields;
    if (event === 'code-creation') this.#created(fields);
    else if (event === 'code-move') this.#moved(fields);
    else if (event === 'code-deopt') this.#deoptimised(fields);
    else if (event.endsWith('IC')) this.#accessed(fields);
  }

  /** What was found. @throws Error if a mark is missing, so that nothing was looked at */
  shapes(): Shapes {
    if (!this.#hasBegun || !this.#isWarm) throw new Error('the trace does not show the marks');
    const sites = [...this.#states.values()];
    const several = sites.filter(({ state }) => state === POLYMORPHIC || state === MEGAMORPHIC);
    return {
      sites: sites.length,
      severalShapes: several.map(({ site }) => site),
      optimised: this.#optimised.size,
      deoptsBefore: this.#deoptsBefore,
      deoptsAfter: [...this.#deopts.values()],
    };
  }

  /** code-creation, type, kind, time, address, size, name, function, tier */
  #created([, , , , address = '', size = '', name = '', , tier = '']: string[]): void {
    const begin = Number.parseInt(address, 16);
    this.#codes.push({ address: begin, end: begin + Number(size), name });
    const [functionName] = name.split(' ');
    if (functionName === this.#query.begin) this.#hasBegun = true;
    if (functionName === this.#query.warm) this.#isWarm = true;
    if (OPTIMISED.test(tier) && this.#query.files.test(name)) this.#optimised.add(name);
  }

  /** code-move, from, to */
  #moved([, from = '', to = '']: string[]): void {
    const code = this.#codes.findLast(({ address }) => address === Number.parseInt(from, 16));
    if (code === undefined) return;
    const address = Number.parseInt(to, 16);
    this.#codes.push({ address, end: address + code.end - code.address, name: code.name });
  }

  /** code-deopt, time, size, address, inlining, offset, kind, place, reason */
  #deoptimised([, , , , , , , place = '', why = '']: string[]): void {
    if (!this.#query.files.test(place)) return;
    if (!this.#isWarm) {
      this.#deoptsBefore++;
      return;
    }
    const key = `${place} ${why}`;
    const where = place.replaceAll(/file:\S*\/(?=src\/)/g, '');
    const found = this.#deopts.get(key) ?? { where, why, times: 0 };
    this.#deopts.set(key, { ...found, times: found.times + 1 });
  }

  /** kind, address, time, line, column, state before, state after, shape, name */
  #accessed(fields: string[]): void {
    const [kind = '', address = '', , line, column, , state = '', , name = ''] = fields;
    // X: the function has no feedback yet, and nothing is remembered.
    if (!this.#hasBegun || state === 'X') return;
    const at = Number.parseInt(address, 16);
    const code = this.#codes.findLast((each) => at >= each.address && at < each.end);
    if (code === undefined || !this.#query.files.test(code.name)) return;
    const [functionName, url = ''] = code.name.split(' ');
    const file = url.replace(/^.*\/(?=src\/)/, '').replace(/:\d+:\d+$/, '');
    const where = `${functionName} (${file}:${line}:${column})`;
    const what = name === '' ? kind : `${kind} ${name}`;
    const site = { where, what, isMegamorphic: state === MEGAMORPHIC };
    this.#states.set(`${where} ${kind}`, { site, state });
  }
}
