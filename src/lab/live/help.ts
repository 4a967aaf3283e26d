/** The help of the live view. */

import type { LiveState } from './state.ts';
import { type Line, type Span, span } from './text.ts';

const TEXT: readonly string[] = [
  '# keys',
  '  c      cut or repair the cable of a NIC; its number does so at once',
  '  space  hold the picture, and go on; the lab itself goes on meanwhile',
  '  q      leave (as Ctrl-C): the daemon puts everything back, the lab is removed',
  '',
  '# the lab',
  '  host ─┬─ eth0 ─── switch A ─┬─ gateway 192.0.2.1',
  '        └─ eth1 ─── switch B ─┘',
  '',
  '# the picture',
  '  in, out   bytes and packets a second, from the kstats of group and NIC',
  '  why       the cause of the state; of an event it is in brackets',
  '  echo, TCP what a user of the host feels: measured from outside the daemon',
  '',
  '# from another terminal',
];

/** The whole text; what does not fit is cut by the caller. */
export function renderHelp({ hints }: Pick<LiveState, 'hints'>): Line[] {
  return [...TEXT, ...hints.map((hint) => `  ${hint}`)].map(lineOf);
}

function lineOf(text: string): Span[] {
  return text.startsWith('# ') ? [span(` ${text.slice(2)}`, 'bold')] : [span(text)];
}
