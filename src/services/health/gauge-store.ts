import type { Deps } from '../../ports/deps.ts';
import type { Metric, Metrics } from '../../ports/metrics.ts';
import { countAlerts } from '../shards/alerts.ts';

/** However often they are asked for, the figures are counted once in this time. */
const countedMs = 2_000;

const batches: Metric = { name: 'weir_batches', help: 'Batches by status.', labels: ['status'] };
const backlog: Metric = {
  name: 'weir_segment_backlog_lines',
  help: 'Lines of segments that wait or are being worked on, by queue.',
  labels: ['queue', 'state'],
};
const shards: Metric = {
  name: 'weir_shards',
  help: 'Shards by provider and state: what was sent, or is to be sent, to batch services.',
  labels: ['provider', 'state'],
};
const alerts: Metric = {
  name: 'weir_shard_alerts',
  help: 'Shards that need a look: an operator is needed, no progress, results unread.',
  labels: ['provider', 'code'],
};
const deliveries: Metric = {
  name: 'weir_webhook_deliveries_pending',
  help: 'Events that wait to be delivered to a webhook.',
};
const up: Metric = { name: 'weir_store_up', help: 'Whether the database answered the last count: 1 or 0.' };

/** Gauges of what the store holds, counted when the metrics are read. */
export function gaugeStore(deps: Pick<Deps, 'store' | 'clock' | 'log' | 'settings'>, metrics: Metrics): void {
  let countedAt = Number.NEGATIVE_INFINITY;
  let counting: Promise<void> | null = null;

  async function count(): Promise<void> {
    try {
      const [statuses, queues] = await Promise.all([deps.store.batches.countByStatus(), deps.store.segments.backlog()]);
      await gaugeShards(deps, metrics);
      metrics.set(deliveries, {}, await deps.store.webhooks.countPending());
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

async function gaugeShards(deps: Pick<Deps, 'store' | 'clock' | 'settings'>, metrics: Metrics): Promise<void> {
  const [states, counts] = await Promise.all([deps.store.shards.countByState(), countAlerts(deps)]);
  metrics.reset(shards);
  for (const { provider, state, count } of states) metrics.set(shards, { provider, state }, count);
  const sums = new Map<string, { provider: string; code: string; shards: number }>();
  for (const { provider, code, shards: number } of counts) {
    const key = `${provider} ${code}`;
    sums.set(key, { provider, code, shards: (sums.get(key)?.shards ?? 0) + number });
  }
  metrics.reset(alerts);
  for (const { provider, code, shards: number } of sums.values()) metrics.set(alerts, { provider, code }, number);
}
