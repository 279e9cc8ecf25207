import { Counter, Histogram, Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { createMetrics } from '../../src/http/metrics.ts';

const total = { name: 'a_total', help: 'Counted.\nTwice.', labels: ['method', 'status'] };
const took = { name: 'b_seconds', help: 'Measured.', labels: ['route'], buckets: [0.005, 0.5, 10] };

it('counters and histograms are written as prom-client writes its own', async () => {
  const registry = new Registry();
  const registers = [registry];
  const counter = new Counter({ name: total.name, help: total.help, labelNames: total.labels, registers });
  const histogram = new Histogram({
    name: took.name,
    help: took.help,
    labelNames: took.labels,
    buckets: took.buckets,
    registers,
  });
  const metrics = createMetrics();
  const counted: [method: string, status: number, by: number][] = [
    ['GET', 200, 1],
    ['POST', 200, 2.5],
    ['GET', 404, 1],
    ['GET "x"\\\n', 200, 3],
    ['GET', 200, 4],
  ];
  for (const [method, status, by] of counted) {
    counter.inc({ method, status }, by);
    metrics.count(total, { status, method }, by);
  }
  for (const [index, value] of [0.004, 0.005, 0.3, 0.5, 7, 11, 0, 1e9].entries()) {
    const labels = { route: index % 3 === 0 ? '/a' : '/b' };
    histogram.observe(labels, value);
    metrics.observe(took, labels, value);
  }
  const [first] = counted;
  counter.inc({ method: first?.[0] ?? '', status: 200 });
  metrics.count(total, { method: first?.[0] ?? '', status: 200 });
  const { text } = await metrics.render();
  expect(withSortedLabels(text)).toBe(withSortedLabels(await registry.metrics()));
});

/** The order of labels means nothing. */
function withSortedLabels(text: string): string {
  return text.replaceAll(
    /\{(.*)\}/g,
    (_, labels: string) =>
      `{${labels
        .split(/,(?=\w+=")/)
        .toSorted()
        .join(',')}}`,
  );
}
