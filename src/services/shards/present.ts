import { formatUsd } from '../../core/money.ts';
import { shardAlert } from '../../core/shard-alert.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { ShardRow } from '../../ports/store-shards.ts';
import type { BatchShard } from '../../protocol/batch.ts';
import { plainCall } from './shard-work.ts';

const DETAILS_TIMEOUT_MS = 10_000;

type Shown = ShardRow & { amountNano: bigint };
type ShownAt = Parameters<typeof shardAlert>[1];

/** The shards of a batch as clients see them; with `details` each with the provider's own answer, asked for now. */
export async function presentShards(deps: Deps, batchId: string, details: boolean): Promise<BatchShard[]> {
  const shards = await deps.store.shards.list(batchId);
  if (shards.length === 0) return [];
  const now = unixSeconds(deps.clock);
  const paused = await deps.store.shards.pausedTargets(now);
  const at = { now, paused, stuckSeconds: deps.settings.stuckSeconds };
  if (!details) return shards.map((shard) => presentShard(shard, at));
  return Promise.all(shards.map((shard) => withDetails(deps, shard, at)));
}

function presentShard(shard: Shown, at: ShownAt): BatchShard {
  const { counts, failure } = shard;
  return {
    id: shard.id,
    provider: shard.provider,
    model: shard.model,
    endpoint: shard.endpoint,
    state: shard.state,
    provider_batch_id: shard.providerBatchId,
    provider_status: shard.raw,
    request_counts: { total: shard.lines, completed: counts?.succeeded ?? null, failed: counts?.failed ?? null },
    submitted_at: shard.submittedAt,
    ended_at: shard.endedAt,
    next_at: shard.state === 'done' ? null : shard.nextAt,
    error: failure && { code: failure.code, message: failure.message },
    alert: shardAlert(shard, at),
    amount_nano_usd: Number(shard.amountNano),
    amount_usd: formatUsd(shard.amountNano) ?? '0',
  };
}

/** The same with the provider's untouched answer; without it where the provider does not answer. */
async function withDetails(deps: Deps, shard: Shown, at: ShownAt): Promise<BatchShard> {
  const api = deps.providers.get(shard.provider)?.batch;
  if (!api || shard.providerBatchId === null) return presentShard(shard, at);
  const call = plainCall(deps, AbortSignal.timeout(DETAILS_TIMEOUT_MS));
  const progress = await api.poll({ id: shard.providerBatchId, refs: shard.refs }, call).catch(() => null);
  return { ...presentShard(shard, at), provider_details: progress?.details ?? null };
}
