import { formatUsd } from '../../core/money.ts';
import type { Deps } from '../../ports/deps.ts';
import type { ShardRow } from '../../ports/store-shards.ts';
import type { BatchShard } from '../../protocol/batch.ts';
import { plainCall } from './shard-work.ts';

const DETAILS_TIMEOUT_MS = 10_000;

/** A shard as clients see it. */
export function presentShard(shard: ShardRow & { amountNano: bigint }): BatchShard {
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
    amount_nano_usd: Number(shard.amountNano),
    amount_usd: formatUsd(shard.amountNano) ?? '0',
  };
}

/** The same with the provider's untouched answer; without it where the provider does not answer. */
export async function withDetails(deps: Deps, shard: ShardRow & { amountNano: bigint }): Promise<BatchShard> {
  const api = deps.providers.get(shard.provider)?.batch;
  if (!api || shard.providerBatchId === null) return presentShard(shard);
  const call = plainCall(deps, AbortSignal.timeout(DETAILS_TIMEOUT_MS));
  const progress = await api.poll({ id: shard.providerBatchId, refs: shard.refs }, call).catch(() => null);
  return { ...presentShard(shard), provider_details: progress?.details ?? null };
}
