import type { Result } from '../../../providers/contract.ts';
import type { Verdict } from '../../core/healing.ts';
import type { Candidate } from '../../core/lane.ts';
import { targetName } from '../../core/lane.ts';
import type { Unpriced } from '../../core/price-book.ts';
import { priceUsage } from '../../core/pricing.ts';
import type { FoundRates } from '../../core/rates.ts';
import type { Usage } from '../../core/usage.ts';
import { totalInput, totalOutput } from '../../core/usage.ts';
import type { Deps } from '../../ports/deps.ts';
import type { LedgerEntryRow } from '../../ports/store-ledger.ts';
import { type PricedProvider, providerRates } from './provider-rates.ts';

/** What is known of one attempt, before it is priced. */
export interface Attempt {
  tenantId: string;
  keyId: string | null;
  batchId: string | null;
  customId: string | null;
  /** 1-based. */
  line: number | null;
  attempt: number;
  mode: LedgerEntryRow['mode'];
  tags: Record<string, string> | null;
  /** Name of the route that it went by. */
  route: string | null;
  provider: PricedProvider;
  candidate: Candidate;
  /** null when the call was interrupted and nobody knows how it ended. */
  result: Result | null;
  final: boolean;
  /** Unix seconds: when it is entered. */
  at: number;
  /** When the provider ran it, where that is not `at`: it has the prices of that time. */
  ranAt?: number | undefined;
  latencyMs: number | null;
  gpuMicroseconds: number | null;
}

/**
 * The ledger entry of an attempt. An answer with an error and no usage cost nothing; no answer at all may have been
 * billed, so its amount is unknown, never zero.
 */
export function priceAttempt(deps: Pick<Deps, 'prices' | 'ownPrices'>, attempt: Attempt): LedgerEntryRow {
  const { result, provider, candidate } = attempt;
  const usage = withGpuTime(result?.usage ?? null, attempt.gpuMicroseconds);
  const answered = result !== null && (result.ok || result.failure.status !== null);
  const found = ratesOf(deps, attempt, usage);
  const priced = priceOf(found, usage, attempt, answered);
  return {
    createdAt: attempt.at,
    ...(attempt.ranAt !== undefined && { ranAt: attempt.ranAt }),
    tenantId: attempt.tenantId,
    keyId: attempt.keyId,
    batchId: attempt.batchId,
    customId: attempt.customId,
    line: attempt.line,
    attempt: attempt.attempt,
    mode: attempt.mode,
    provider: provider.name,
    target: targetName(candidate),
    model: candidate.model,
    servedModel: result?.ok ? result.servedModel : null,
    status: result?.ok ? 'succeeded' : answered ? 'failed' : 'unknown',
    final: attempt.final,
    statusCode: result === null ? null : result.ok ? result.status : result.failure.status,
    errorCode: result === null ? 'interrupted' : result.ok ? null : result.failure.code,
    usage,
    rawUsage: result?.rawUsage ?? null,
    inputTokens: usage ? totalInput(usage) : 0,
    cachedInputTokens: (usage?.cached_input_tokens ?? 0) + (usage?.cached_audio_tokens ?? 0),
    outputTokens: usage ? totalOutput(usage) : 0,
    rates: 'unpriced' in found ? null : found.rates,
    priceVersion: 'unpriced' in found ? null : found.price_version,
    amountNano: priced.amount,
    listAmountNano: priced.list,
    estimated: attempt.gpuMicroseconds !== null,
    unpricedReason: priced.reason,
    tags: attempt.tags,
    route: attempt.route,
    latencyMs: attempt.latencyMs,
  };
}

function withGpuTime(usage: Usage | null, gpuMicroseconds: number | null): Usage | null {
  return gpuMicroseconds === null ? usage : { ...usage, gpu_microseconds: gpuMicroseconds };
}

function ratesOf(
  deps: Pick<Deps, 'prices' | 'ownPrices'>,
  { provider, candidate, result, mode, at, ranAt = at }: Attempt,
  usage: Usage | null,
): FoundRates | Unpriced {
  return providerRates(deps, provider, {
    model: candidate.model,
    isBatch: mode === 'batch',
    servedTier: result?.ok ? result.serviceTier : null,
    servedModel: result?.ok ? result.servedModel : null,
    rawUsage: result?.rawUsage ?? null,
    at: ranAt,
    inputTokens: usage === null ? undefined : totalInput(usage),
  });
}

function priceOf(
  found: FoundRates | Unpriced,
  usage: Usage | null,
  { result, gpuMicroseconds }: Attempt,
  answered: boolean,
): { amount: number | null; list: number | null; reason: string | null } {
  if (!answered && gpuMicroseconds === null) {
    return { amount: null, list: null, reason: 'no_answer: the call may have been billed' };
  }
  const succeeded = result?.ok === true;
  if ('unpriced' in found) {
    // An error without usage costs nothing, whatever the price would have been.
    const free = !succeeded && usage === null && (result?.ok === false ? (result.failure.status ?? 0) >= 400 : false);
    return free ? { amount: 0, list: 0, reason: null } : { amount: null, list: null, reason: found.unpriced };
  }
  const worked = succeeded || (result?.ok === false && (result.failure.status ?? 500) < 400);
  const { rates, list_rates } = found;
  const priced = priceUsage({ usage, rates, list_rates, succeeded: worked, itemized: false });
  return { amount: priced.amount_nano, list: priced.list_amount_nano, reason: priced.unpriced_reason };
}

/** The entry of an answer that was judged: one that is not taken was paid for all the same. */
export function withVerdict(entry: LedgerEntryRow, verdict: Verdict): LedgerEntryRow {
  switch (verdict.do) {
    case 'take':
      return entry;
    case 'fail':
      return { ...entry, status: 'failed', errorCode: verdict.failure.code };
    case 'retry':
      return { ...entry, status: 'superseded', errorCode: verdict.code, final: false };
  }
}
