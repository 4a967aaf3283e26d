/** The picture of a failover as SVG: packets of each NIC over time, the cut and the repair. */

import type { Deed, FailoverRecord } from './record.ts';

const WIDTH = 820;
const HEIGHT = 300;
const LEFT = 60;
const RIGHT = 16;
const TOP = 44;
const BOTTOM = 40;
const COLOURS = ['#1f6feb', '#d29922', '#2da44e', '#bf3989'];

const CAPTION = 'packets a second in and out of each NIC; 1000 echo requests a second';

/** Ours: samples over which a point is averaged, so that one late reading is no spike. */
const SMOOTH = 5;

/** The text of the picture; it depends on the record alone. */
export function drawFailover(record: FailoverRecord): string {
  const { nics, samples, cut, repair } = record;
  const endMs = samples.at(-1)?.atMs ?? 1;
  const rates = nics.map((nic) => ratesOf(record, nic));
  const most = Math.ceil(Math.max(...rates.flat().map(([, rate]) => rate)) / 500) * 500;
  const x = (ms: number): number => LEFT + (ms / endMs) * (WIDTH - LEFT - RIGHT);
  const y = (rate: number): number => HEIGHT - BOTTOM - (rate / most) * (HEIGHT - TOP - BOTTOM);
  const lines = rates.map((points, index) => {
    const path = points.map(([ms, rate]) => `${x(ms).toFixed(1)},${y(rate).toFixed(1)}`).join(' ');
    return `<polyline fill="none" stroke-width="2" stroke="${COLOURS[index]}" points="${path}"/>`;
  });
  const names = nics.map((nic, index) =>
    text(LEFT + 90 * index, 18, nic, `fill="${COLOURS[index]}" font-weight="bold"`),
  );
  const scale = [0, most / 2, most].flatMap((rate) => [
    `<path stroke="#8884" d="M${LEFT},${y(rate)}H${WIDTH - RIGHT}"/>`,
    text(LEFT - 6, y(rate) + 4, String(rate), 'text-anchor="end"'),
  ]);
  const seconds = Array.from({ length: Math.floor(endMs / 500) + 1 }, (_, half) =>
    text(x(half * 500), HEIGHT - 22, `${half / 2} s`, 'text-anchor="middle"'),
  );
  const deed = (name: string, { atMs, lost, longestGapMs }: Deed): string[] => [
    `<path stroke="#cf222e" stroke-dasharray="4 3" ` +
      `d="M${x(atMs).toFixed(1)},${TOP - 8}V${HEIGHT - BOTTOM}"/>`,
    text(x(atMs) + 5, TOP - 12, `${name}: ${lost} lost, longest gap ${longestGapMs} ms`, ''),
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" ` +
      'font-family="sans-serif" font-size="12" fill="#888">',
    '<title>Packets a second on two NICs of a group while one is cut and repaired</title>',
    ...[...names, ...scale, ...seconds, ...lines],
    ...deed('cut', cut),
    ...deed('repair', repair),
    text(LEFT, HEIGHT - 5, CAPTION, ''),
    '</svg>',
    '',
  ].join('\n');
}

/** Packets a second, each the mean of some samples. */
function ratesOf({ samples }: FailoverRecord, nic: string): (readonly [number, number])[] {
  return samples.slice(SMOOTH).map(({ atMs }, index) => {
    const window = samples.slice(index + 1, index + 1 + SMOOTH);
    const packets = window.reduce((sum, sample) => sum + (sample.packets[nic] ?? 0), 0);
    const spanMs = atMs - (samples[index]?.atMs ?? 0);
    return [atMs - spanMs / 2, (packets / spanMs) * 1000];
  });
}

function text(x: number, y: number, words: string, attributes: string): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${words}</text>`;
}
