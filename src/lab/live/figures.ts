/** Figures in few columns: rates, counts, ages. */

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P', 'E'] as const;

/** Three digits and an SI prefix: `0`, `999`, `1.23k`, `45.6M`. Negative values do not occur. */
export function shortNumber(value: number): string {
  let scaled = value;
  let step = 0;
  // 999.5 would be rounded to four digits.
  while (scaled >= 999.5 && step < PREFIXES.length - 1) {
    scaled /= 1000;
    step += 1;
  }
  if (step === 0) return String(Math.round(scaled));
  const decimals = scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0;
  return `${scaled.toFixed(decimals)}${PREFIXES[step]}`;
}

/** Bytes or bytes a second: `812 B`, `8.12 MB`. */
export function shortBytes(bytes: number): string {
  const number = shortNumber(bytes);
  const match = /^(.*?)([kMGTPE]?)$/.exec(number);
  return `${match?.[1] ?? number} ${match?.[2] ?? ''}B`;
}

/** How long ago or for how long: `0.4s`, `12s`, `3m07s`, `2h05m`, `4d03h`. */
export function shortAge(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  return pair(whole, 'ms') ?? pair(Math.floor(whole / 60), 'hm') ?? days(whole);
}

/** `seconds` of sixty in two units; undefined when it is more than sixty of the larger one. */
function pair(value: number, units: string): string | undefined {
  const large = Math.floor(value / 60);
  if (large >= (units === 'hm' ? 24 : 60)) return undefined;
  return `${large}${units[0]}${String(value % 60).padStart(2, '0')}${units[1]}`;
}

function days(seconds: number): string {
  const hours = Math.floor(seconds / 3600);
  return `${Math.floor(hours / 24)}d${String(hours % 24).padStart(2, '0')}h`;
}
