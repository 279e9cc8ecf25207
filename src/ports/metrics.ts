/** A metric as Prometheus names it. Label values come from bounded sets: never ids, tenants or client text. */
export interface Metric {
  name: string;
  help: string;
  labels?: readonly string[];
  /** Upper bounds of a histogram's buckets. */
  buckets?: readonly number[];
}

export type MetricLabels = Readonly<Record<string, string | number>>;

/** Counts and measures. A metric comes to be at its first use; the same name always means the same metric. */
export interface Metrics {
  /** Adds to a counter. */
  count(metric: Metric, labels: MetricLabels, by?: number): void;
  /** Sets a gauge. */
  set(metric: Metric, labels: MetricLabels, value: number): void;
  /** Forgets a gauge's values, before they are set anew. */
  reset(metric: Metric): void;
  /** Adds a value to a histogram. */
  observe(metric: Metric, labels: MetricLabels, value: number): void;
  /** Runs `fill` before every rendering; a rejection leaves that source out. */
  onRender(fill: () => Promise<void>): void;
  /** Everything in Prometheus' text format. */
  render(): Promise<{ type: string; text: string }>;
}
