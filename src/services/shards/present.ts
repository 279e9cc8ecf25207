import { formatUsd } from '../../core/money.ts';
import { shardAlert } from '../../core/shard-alert.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { ShardRow } from '../../ports/store-shards.ts';
import type { BatchShard } from '../../protocol/batch.ts';
import { isElsewhere, notHere, providerFor } from './place.ts';
import { plainCall } from './shard-work.ts';

const DETAILS_TIMEOUT_MS = 10_000;

type Shown = ShardRow & { amountNano: bigint; unpriced: number };
type ShownAt = Parameters<typeof shardAlert>[1];

/** The shards of a batch as clients see them; with `details` each with the provider's own answer, asked for now. */
export async function presentShards(deps: Deps, batchId: string, details: boolean): Promise<BatchShard[]> {
  const shards = await deps.store.shards.list(batchId);
  if (shards.length === 0) return [];
  const now = unixSeconds(deps.clock);
  const paused = await deps.store.shards.pausedTargets(now);
  const general = { now, paused, stuckSeconds: deps.settings.stuckSeconds };
  const atOf = (shard: Shown) => ({
    ...general,
    outOfReach: () => (isAtProvider(deps, shard) ? null : notHere(shard.provider)),
  });
  if (!details) return shards.map((shard) => presentShard(shard, atOf(shard)));
  return Promise.all(shards.map((shard) => withDetails(deps, shard, atOf(shard))));
}

function isAtProvider(deps: Deps, shard: ShardRow): boolean {
  const api = providerFor(deps, shard)?.batch;
  return api === undefined || !isElsewhere({ shard, api });
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
    unpriced_entries: shard.unpriced,
  };
}

/** The same with the provider's untouched answer; without it where the provider does not answer. */
async function withDetails(deps: Deps, shard: Shown, at: ShownAt): Promise<BatchShard> {
  const api = providerFor(deps, shard)?.batch;
  if (!api || shard.providerBatchId === null) return presentShard(shard, at);
  const call = plainCall(deps, AbortSignal.timeout(DETAILS_TIMEOUT_MS));
  const progress = await api.poll({ id: shard.providerBatchId, refs: shard.refs }, call).catch(() => null);
  return { ...presentShard(shard, at), provider_details: progress?.details ?? null };
}
