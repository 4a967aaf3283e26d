/**
 * The text of metrics in Prometheus' exposition format, for values that we have already.
 *
 * Values are rendered exactly: counters have 64 bits, and prom-client's own metrics hold doubles,
 * which round above 2^53. A family belongs to one rendering, so renderings may overlap.
 */

/** Names and values of labels, in the order in which they are shown. */
export type Labels = Readonly<Record<string, string>>;

/** One metric: its name, help and type, and the series set so far. */
export class MetricFamily {
  readonly name: string;
  readonly #head: string;
  readonly #lines: string[] = [];

  constructor(name: string, type: 'counter' | 'gauge', help: string) {
    this.name = name;
    this.#head = `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
  }

  /** How many series have been set. */
  get size(): number {
    return this.#lines.length;
  }

  /** Adds the series with these labels, as `labelText` gives them; once for each. */
  set(labels: string, value: bigint | number): void {
    this.#lines.push(`${this.name}${labels} ${value}\n`);
  }

  /** HELP, TYPE, one line for each series. */
  text(): string {
    return this.#head + this.#lines.join('');
  }
}

/** Labels in the form that follows the name of a metric; nothing if there are none. */
export function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/"/g, '\\"');
}
