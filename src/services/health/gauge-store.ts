import type { Deps } from '../../ports/deps.ts';
import type { Metric, Metrics } from '../../ports/metrics.ts';

/** However often they are asked for, the figures are counted once in this time. */
const countedMs = 2_000;

const batches: Metric = { name: 'weir_batches', help: 'Batches by status.', labels: ['status'] };
const backlog: Metric = {
  name: 'weir_segment_backlog_lines',
  help: 'Lines of segments that wait or are being worked on, by queue.',
  labels: ['queue', 'state'],
};
const up: Metric = { name: 'weir_store_up', help: 'Whether the database answered the last count: 1 or 0.' };

/** Gauges of what the store holds, counted when the metrics are read. */
export function gaugeStore(deps: Pick<Deps, 'store' | 'clock' | 'log'>, metrics: Metrics): void {
  let countedAt = Number.NEGATIVE_INFINITY;
  let counting: Promise<void> | null = null;

  async function count(): Promise<void> {
    try {
      const [statuses, queues] = await Promise.all([deps.store.batches.countByStatus(), deps.store.segments.backlog()]);
      for (const [status, number] of Object.entries(statuses)) metrics.set(batches, { status }, number);
      metrics.reset(backlog);
      for (const { queue, pending, leased } of queues) {
        metrics.set(backlog, { queue, state: 'pending' }, pending);
        metrics.set(backlog, { queue, state: 'leased' }, leased);
      }
      metrics.set(up, {}, 1);
    } catch (error) {
      metrics.set(up, {}, 0);
      deps.log.warn({ err: error }, 'the store could not be counted for the metrics');
    }
    countedAt = deps.clock.now();
  }

  metrics.onRender(async () => {
    if (deps.clock.now() - countedAt < countedMs) return;
    counting ??= count().finally(() => {
      counting = null;
    });
    await counting;
  });
}
