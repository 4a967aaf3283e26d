/**
 * A counter whose 64-bit values are rendered exactly, and the prom-client registry that lets it.
 *
 * The registry asks each of its metrics for text through one method; for exact counters that
 * method gives their own.
 */
import { Registry } from 'prom-client';

/** Series with 64-bit values, set from a snapshot. */
export class ExactCounter {
  readonly name: string;
  readonly help: string;
  readonly type = 'counter';
  readonly #labelNames: readonly string[];
  readonly #series = new Map<string, bigint>();

  constructor(name: string, help: string, labelNames: readonly string[]) {
    this.name = name;
    this.help = help;
    this.#labelNames = labelNames;
  }

  /** Forgets all series. */
  reset(): void {
    this.#series.clear();
  }

  set(labels: Readonly<Record<string, string>>, value: bigint): void {
    const pairs = this.#labelNames.map((name) => `${name}="${escapeLabel(labels[name] ?? '')}"`);
    this.#series.set(pairs.join(','), value);
  }

  /** The exposition text: HELP, TYPE, one line for each series. */
  text(): string {
    const lines = [`# HELP ${this.name} ${this.help}`, `# TYPE ${this.name} ${this.type}`];
    for (const [labels, value] of this.#series) {
      lines.push(labels === '' ? `${this.name} ${value}` : `${this.name}{${labels}} ${value}`);
    }
    return lines.join('\n');
  }

  /** For readers of the registry's JSON: the nearest doubles. */
  async get(): Promise<object> {
    const values = [...this.#series].map(([labels, value]) => ({
      value: Number(value),
      labels: { series: labels },
    }));
    return { name: this.name, help: this.help, type: this.type, values, aggregator: 'sum' };
  }
}

function escapeLabel(value: string): string {
  return value.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/"/g, '\\"');
}

/** A metric as the registry holds it. */
type Registered = Parameters<Registry['registerMetric']>[0];

/** The part of the registry that its type declarations leave out. */
interface TextOfMetric {
  getMetricsAsString(metric: unknown): Promise<string>;
}

const textOfMetric = (Registry.prototype as unknown as TextOfMetric).getMetricsAsString;

/** A registry that may hold exact counters beside prom-client's own metrics. */
export class ExactRegistry extends Registry {
  registerExact(counter: ExactCounter): void {
    this.registerMetric(counter as unknown as Registered);
  }

  /** Called by `metrics()` for each metric. */
  async getMetricsAsString(metric: unknown): Promise<string> {
    if (metric instanceof ExactCounter) return metric.text();
    return await textOfMetric.call(this, metric);
  }
}
