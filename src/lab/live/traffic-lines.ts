/** The lab's own traffic as a section of the live view: what its user would feel. */

import { shortBytes } from './figures.ts';
import type { Item, Section } from './sections.ts';
import type { EchoState, LiveState, TcpState } from './state.ts';
import { rule, type Span, span } from './text.ts';

/** From this width on both halves of an account are on one line. */
const WIDE = 100;

export function trafficSection({ traffic }: LiveState, width: number): Section {
  const items = traffic === null ? [] : [echoItem(traffic.echo, width), tcpItem(traffic.tcp)];
  return { rank: 4, head: rule([{ at: 2, text: 'traffic of the lab' }], width), items };
}

function echoItem(echo: EchoState | { problem: string }, width: number): Item {
  const name = span('  echo  ', 'bold');
  if ('problem' in echo) return only([name, span(echo.problem, 'bad')], true);
  const { target, perSecond, sent, lost, last } = echo;
  const line = [name, span(`${perSecond}/s to ${target}: ${sent} sent, `), lostSpan(lost)];
  if (last === null) return only(line, false);
  const gap = span(`, longest gap ${last.longestGapMs.toFixed(0)} ms`);
  const since = [span(`since ${last.label}: `), lostSpan(last.lost), gap];
  if (width >= WIDE) return only([...line, span('; '), ...since], false);
  return { line, detail: [span(' '.repeat(name.text.length)), ...since], isTroubled: true };
}

function lostSpan(lost: number): Span {
  return span(`${lost} lost`, lost === 0 ? 'good' : 'warn');
}

function tcpItem(tcp: TcpState | { problem: string }): Item {
  const name = span('  TCP   ', 'bold');
  if ('problem' in tcp) return only([name, span(tcp.problem, 'bad')], true);
  const { target, arrivedBytes, bytesPerSecond } = tcp;
  const rate = span(`${shortBytes(bytesPerSecond)}/s`, bytesPerSecond > 0 ? 'good' : 'bad');
  const text = ` to ${target}, ${shortBytes(arrivedBytes)} arrived`;
  return only([name, rate, span(text)], false);
}

function only(line: readonly Span[], isTroubled: boolean): Item {
  return { line, detail: null, isTroubled };
}
