import { type Counter, collectDefaultMetrics, Gauge, type Histogram, Registry } from 'prom-client';
import type { Metric, Metrics } from '../ports/metrics.ts';
import { CounterSeries, HistogramSeries } from './metric-series.ts';

/**
 * Metrics in a registry of their own. `process`: the figures of the process too (memory, event loop, garbage
 * collection), which only Node can tell.
 */
export function createMetrics(options: { process?: boolean } = {}): Metrics {
  const registry = new Registry();
  if (options.process === true) collectDefaultMetrics({ register: registry });
  const fills: (() => Promise<void>)[] = [];
  const counter = named((metric) => {
    const series = new CounterSeries(metric);
    // A registry asks no more of a metric than they have.
    registry.registerMetric(series as unknown as Counter);
    return series;
  });
  const gauge = named((metric) => new Gauge<string>(config(registry, metric)));
  const histogram = named((metric) => {
    const series = new HistogramSeries(metric, metric.buckets ?? [0.1, 1, 10]);
    registry.registerMetric(series as unknown as Histogram);
    return series;
  });
  return {
    count: (metric, labels, by) => counter(metric).add(labels, by ?? 1),
    set: (metric, labels, value) => gauge(metric).set({ ...labels }, value),
    reset: (metric) => gauge(metric).reset(),
    observe: (metric, labels, value) => histogram(metric).observe(labels, value),
    onRender: (fill) => {
      fills.push(fill);
    },
    async render() {
      await Promise.allSettled(fills.map((fill) => fill()));
      return { type: registry.contentType, text: await registry.metrics() };
    },
  };
}

function config(registry: Registry, metric: Metric) {
  return { name: metric.name, help: metric.help, labelNames: [...(metric.labels ?? [])], registers: [registry] };
}

/** Makes a metric at its first use and finds it by name after that. */
function named<T>(make: (metric: Metric) => T): (metric: Metric) => T {
  const made = new Map<string, T>();
  return (metric) => {
    let value = made.get(metric.name);
    if (value === undefined) {
      value = make(metric);
      made.set(metric.name, value);
    }
    return value;
  };
}
