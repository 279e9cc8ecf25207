import type { Metric, MetricLabels } from '../ports/metrics.ts';

/** A line of Prometheus' text, as prom-client's registry writes it. */
interface Line {
  metricName?: string;
  labels: MetricLabels;
  sharedLabels?: MetricLabels;
  value: number;
}

/** What a registry asks of a metric. */
interface Rendered {
  name: string;
  help: string;
  type: 'counter' | 'histogram';
  values: Line[];
}

interface Valued<Value> {
  labels: MetricLabels;
  value: Value;
}

/** Where the labels so far lead to. */
class Branch<Value> {
  valued: Valued<Value> | null = null;
  private readonly next = new Map<string, Branch<Value>>();

  to(label: string): Branch<Value> {
    let next = this.next.get(label);
    if (next === undefined) {
      next = new Branch();
      this.next.set(label, next);
    }
    return next;
  }
}

/**
 * The values of a metric by their labels, each label by itself: they are few texts that come again and again. prom-client's
 * own counters and histograms check, sort and join the labels of each value, which took a call longer than its price.
 */
class Series<Value> {
  readonly name: string;
  private readonly metric: Metric;
  private readonly make: () => Value;
  private readonly names: readonly string[];
  private readonly root = new Branch<Value>();
  private readonly all: Valued<Value>[] = [];

  constructor(metric: Metric, make: () => Value) {
    this.name = metric.name;
    this.metric = metric;
    this.make = make;
    this.names = metric.labels ?? [];
  }

  protected at(labels: MetricLabels): Valued<Value> {
    let branch = this.root;
    for (const name of this.names) branch = branch.to(String(labels[name]));
    if (branch.valued === null) {
      branch.valued = { labels: { ...labels }, value: this.make() };
      this.all.push(branch.valued);
    }
    return branch.valued;
  }

  protected rendered(type: Rendered['type'], lines: (labels: MetricLabels, value: Value) => Line[]): Rendered {
    const { name, help } = this.metric;
    return { name, help, type, values: this.all.flatMap(({ labels, value }) => lines(labels, value)) };
  }
}

/** A counter by its labels. */
export class CounterSeries extends Series<number> {
  constructor(metric: Metric) {
    super(metric, () => 0);
  }

  add(labels: MetricLabels, by: number): void {
    this.at(labels).value += by;
  }

  get(): Rendered {
    return this.rendered('counter', (labels, value) => [{ labels, value }]);
  }
}

interface Measured {
  /** How many values each bucket has for itself; the last one those beyond all bounds. */
  counts: number[];
  sum: number;
}

/** A histogram by its labels. */
export class HistogramSeries extends Series<Measured> {
  private readonly bounds: readonly number[];

  constructor(metric: Metric, bounds: readonly number[]) {
    super(metric, () => ({ counts: Array.from({ length: bounds.length + 1 }, () => 0), sum: 0 }));
    this.bounds = bounds;
  }

  observe(labels: MetricLabels, value: number): void {
    const { value: measured } = this.at(labels);
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket += 1;
    measured.counts[bucket] = (measured.counts[bucket] ?? 0) + 1;
    measured.sum += value;
  }

  get(): Rendered {
    return this.rendered('histogram', (sharedLabels, { counts, sum }) => {
      let count = 0;
      const buckets = [...this.bounds, '+Inf'].map((le, index): Line => {
        count += counts[index] ?? 0;
        return { metricName: `${this.name}_bucket`, labels: { le }, sharedLabels, value: count };
      });
      const total = (what: string, value: number): Line => ({
        metricName: `${this.name}_${what}`,
        labels: {},
        sharedLabels,
        value,
      });
      return [...buckets, total('sum', sum), total('count', count)];
    });
  }
}
