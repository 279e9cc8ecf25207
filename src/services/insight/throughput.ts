import { meanInFlight } from '../../core/concurrency.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { BatchThroughput } from '../../protocol/batch-insight.ts';
import { fetchBatch } from '../batches/retrieve.ts';

const POINTS_MAX = 90;
const STRETCHES = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 86_400];

/** How fast a batch went, from its start to its end or to now, in at most 90 stretches. */
export async function batchThroughput(deps: Deps, context: Context, id: string): Promise<BatchThroughput> {
  const batch = await fetchBatch(deps, context, id);
  const from = batch.inProgressAt ?? batch.createdAt;
  const end =
    batch.completedAt ?? batch.cancelledAt ?? batch.expiredAt ?? batch.finalizingAt ?? unixSeconds(deps.clock);
  const stretch = STRETCHES.find((seconds) => (end - from) / seconds < POINTS_MAX) ?? 86_400;
  const found = await deps.store.insight.throughput(id, stretch);
  const requests = new Map(found.map((point) => [point.at, point.requests]));
  const first = Math.min(from - (from % stretch), found[0]?.at ?? from);
  const last = Math.max(end - (end % stretch), found.at(-1)?.at ?? 0);
  const start = first - (first % stretch);
  const count = Math.floor((last - start) / stretch) + 1;
  const busy = await deps.store.insight.busyTimes(id, stretch);
  const times = [...busy, ...(deps.inFlight?.busy(id) ?? [])];
  const inFlight = meanInFlight(times, { start: start * 1000, stretchMs: stretch * 1000, count });
  const data = inFlight.map((mean, index) => {
    const at = start + index * stretch;
    return { at, requests: requests.get(at) ?? 0, in_flight: mean === null ? null : Math.round(mean * 100) / 100 };
  });
  return { object: 'batch.throughput', bucket_seconds: stretch, data };
}
