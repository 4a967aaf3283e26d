/**
 * The live view as lines: a pure function of its state and the size of the terminal.
 *
 * Everything fits. While there is room each group and each NIC has a second line with the cause of
 * its state; then only those that are not well; then none; then lists are cut, with those that
 * are not well first, and end with how many more there are. The help takes the place of all this.
 */

import { shortAge } from './figures.ts';
import { allot, type Section } from './sections.ts';
import type { LiveState } from './state.ts';
import { addressSection, eventSection, groupSection, nicSection } from './tables.ts';
import { cutLine, type Line, type Span, span, spread, trimLine } from './text.ts';
import { trafficSection } from './traffic-lines.ts';

const HELP: readonly string[] = [
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

/** The lines of the whole screen: exactly `height`, none longer than `width`. */
export function renderLive(state: LiveState, width: number, height: number): Line[] {
  const rows = Math.max(0, height - 2);
  const body = state.screen === 'help' ? help(state) : tables(state, width, rows);
  const lines = [header(state, width), ...body.slice(0, rows)];
  while (lines.length < height - 1) lines.push([]);
  lines.push(footer(state, width));
  return lines.slice(0, height).map((line) => trimLine(cutLine(line, width)));
}

/** The whole text; what does not fit is cut by the caller. */
function help({ hints }: LiveState): Line[] {
  return [...HELP, ...hints.map((hint) => `  ${hint}`)].map((text) => {
    return text.startsWith('# ') ? [span(` ${text.slice(2)}`, 'bold')] : [span(text)];
  });
}

function tables(state: LiveState, width: number, rows: number): Line[] {
  if (state.daemon === null) return [[], [span('  waiting for the first answer of ipmpd')]];
  const sections: Section[] = [
    groupSection(state, width),
    nicSection(state, width),
    addressSection(state, width),
    trafficSection(state, width),
    eventSection(state, width),
  ];
  return allot(sections, rows);
}

function header(state: LiveState, width: number): Line {
  const { daemon } = state;
  const left = [span(' IPMP lab', 'bold')];
  if (daemon !== null) {
    const uptime = shortAge(daemon.uptimeS * 1000);
    left.push(span(`   ipmpd ${daemon.version}, up ${uptime}`, 'dim'));
  }
  const badges = [...(state.isPaused ? [span(' paused ', 'badge')] : []), ...condition(state)];
  const right = badges.flatMap((badge) => [badge, span(' ')]);
  return spread(left, right, width);
}

/** How all is, in a word or two. */
function condition(state: LiveState): Span[] {
  const { exit, silentSinceMs, daemon, nowMs } = state;
  if (exit !== null) return [span(`ipmpd has ended (${exit})`, 'bad')];
  if (silentSinceMs !== null) {
    return [span(`ipmpd has not answered for ${shortAge(nowMs - silentSinceMs)}`, 'bad')];
  }
  if (daemon === null) return [];
  const { groups } = daemon;
  if (groups.length === 0) return [span('no groups', 'warn')];
  const worst = (['failed', 'degraded', 'ok'] as const).map((word) => {
    const count = groups.filter(({ state: each }) => each === word).length;
    return { word, count };
  });
  const { word, count } = worst.find((each) => each.count > 0) ?? { word: 'ok', count: 0 };
  const style = word === 'ok' ? 'good' : word === 'failed' ? 'bad' : 'warn';
  const text = groups.length === 1 ? word : `${count} of ${groups.length} groups ${word}`;
  return [span(text, style)];
}

function footer(state: LiveState, width: number): Line {
  const { screen, cables, notice, isPaused } = state;
  if (screen === 'choice') {
    const choices = cables.flatMap(({ key, uplink, isCut }) => [
      span(`  ${key}`, 'bold'),
      span(` ${isCut ? 'repair' : 'cut'} ${uplink}`),
    ]);
    return spread([span(' which cable?', 'bold'), ...choices, ...key('Esc', 'none')], [], width);
  }
  if (screen === 'help') return spread(key('any key', 'back'), [], width);
  const keys = [
    ...key('q', 'quit'),
    ...key('?', 'help'),
    ...key('c', 'cut or repair'),
    ...key('space', isPaused ? 'go on' : 'pause'),
  ];
  const right = notice === null ? [] : [span(` ${notice.text} `, notice.isBad ? 'bad' : 'plain')];
  return spread(keys, right, width);
}

function key(name: string, does: string): Span[] {
  return [span(`  ${name}`, 'bold'), span(` ${does}`, 'dim')];
}
