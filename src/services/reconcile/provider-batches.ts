import { type BatchApi, type Provider, ProviderError } from '../../../providers/contract.ts';
import { formatUsd } from '../../core/money.ts';
import { totalInput, totalOutput } from '../../core/usage.ts';
import type { Deps } from '../../ports/deps.ts';
import type { SubmittedShard } from '../../ports/store-shards.ts';
import type { ProviderBatchAccount } from '../../protocol/reconciliation.ts';
import { findOrphans } from '../shards/orphans.ts';
import { isElsewhere, notHere, providerFor } from '../shards/place.ts';
import { plainCall } from '../shards/shard-work.ts';

/** Provider batches asked for in one call, so that it ends in time. */
const SHARDS_MAX = 200;

type Told = Pick<ProviderBatchAccount, 'state'> &
  Partial<Pick<ProviderBatchAccount, 'provider_status' | 'reason' | 'billed_input_tokens' | 'billed_output_tokens'>>;

/**
 * Every provider batch submitted in a time, with the tokens that the provider says it used beside those of the ledger; what
 * providers hold that no row knows; and what rows know that providers do not. Reads only.
 */
export async function reconcileBatches(
  deps: Deps,
  query: { from: number; to: number; after: string | null; providers: readonly Provider[] },
  signal: AbortSignal,
) {
  const { from, to, after, providers } = query;
  const names = new Set(providers.map(({ name }) => name));
  const shards = await deps.store.shards.submitted({ from, to, after, limit: SHARDS_MAX });
  const data: ReturnType<typeof present>[] = [];
  for (const shard of shards) {
    if (names.has(shard.provider)) data.push(present(shard, await ask(deps, shard, signal)));
  }
  const { orphans, unreachable } = await orphansOf(deps, providers, signal);
  const hasMore = shards.length === SHARDS_MAX;
  return { object: 'list' as const, data, orphans, unreachable, has_more: hasMore, last_id: shards.at(-1)?.id ?? null };
}

async function ask(deps: Deps, shard: SubmittedShard, signal: AbortSignal): Promise<Told> {
  const api = providerFor(deps, shard)?.batch;
  if (api === undefined) return { state: 'unreachable', reason: 'the provider has no batches any more' };
  try {
    return await compare(api, shard, plainCall(deps, signal));
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    const { kind, message } = error.failure;
    if (kind === 'not_found' && isElsewhere({ shard, api })) {
      return { state: 'unreachable', reason: notHere(shard.provider).message };
    }
    if (kind !== 'not_found') return { state: 'unreachable', reason: message };
    return shard.cleanedAt === null ? { state: 'unknown_at_provider', reason: message } : { state: 'removed' };
  }
}

async function compare(api: BatchApi, shard: SubmittedShard, call: Parameters<BatchApi['poll']>[1]): Promise<Told> {
  const batch = { id: shard.providerBatchId ?? '', refs: shard.refs };
  const { state, raw, usage } = await api.poll(batch, call);
  if (state === 'running') return { state: 'running', provider_status: raw };
  const totals = usage === undefined ? ((await api.totals?.(batch, call)) ?? null) : null;
  const told = usage ?? (totals && { inputTokens: totalInput(totals.usage), outputTokens: totalOutput(totals.usage) });
  if (told === null) return { state: 'not_told', provider_status: raw };
  const isEqual = told.inputTokens === shard.ledger.inputTokens && told.outputTokens === shard.ledger.outputTokens;
  return {
    state: isEqual ? 'equal' : 'differs',
    provider_status: raw,
    billed_input_tokens: told.inputTokens,
    billed_output_tokens: told.outputTokens,
  };
}

function present({ ledger, ...shard }: SubmittedShard, told: Told) {
  return {
    batch_id: shard.batchId,
    shard_id: shard.id,
    provider: shard.provider,
    provider_batch_id: shard.providerBatchId,
    model: shard.model,
    submitted_at: shard.submittedAt,
    ledger_entries: ledger.entries,
    ledger_input_tokens: ledger.inputTokens,
    ledger_output_tokens: ledger.outputTokens,
    ledger_nano_usd: ledger.amountNano,
    ledger_usd: formatUsd(ledger.amountNano) ?? '0',
    provider_status: null,
    billed_input_tokens: null,
    billed_output_tokens: null,
    reason: null,
    ...told,
  };
}

async function orphansOf(deps: Deps, providers: readonly Provider[], signal: AbortSignal) {
  const orphans: { provider: string; kind: string; id: string; token: string; created_at: number; live: boolean }[] =
    [];
  const unreachable: { provider: string; reason: string }[] = [];
  for (const provider of providers) {
    try {
      for (const { kind, id, token, createdAt, live } of await findOrphans(deps, provider, signal)) {
        orphans.push({ provider: provider.name, kind, id, token, created_at: createdAt, live });
      }
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      unreachable.push({ provider: provider.name, reason: error.failure.message });
    }
  }
  return { orphans, unreachable };
}
