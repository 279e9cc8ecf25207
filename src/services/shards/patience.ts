/** How long a provider batch is waited for, and how it is left: by its batch's end, by the route's policy, or when it is stuck. */
import { ProviderError } from '../../../providers/contract.ts';
import type { Failure } from '../../core/failure.ts';
import { refusal } from '../../core/failure.ts';
import { pollSeconds, rescueAt } from '../../core/shard-plan.ts';
import { unixSeconds } from '../../ports/clock.ts';
import { followUp, NOTHING_FOLLOWS } from './follow-up.ts';
import type { ShardWork } from './shard-work.ts';
import { providerBatch, save, settle, unfinishedLines } from './shard-work.ts';
import { nextCandidate } from './ways-on.ts';

/** No provider keeps a batch for so long: one that was given up and cannot be asked about is forgotten then. */
const FORGOTTEN_SECONDS = 30 * 86_400;

/**
 * Since when (Unix seconds) the lines should not wait for this target any more: their batch stops, its window nears its end,
 * or the provider has not moved for long; the latter two only where there is somewhere else to go. null while they wait.
 */
export function overdueSince(work: ShardWork, now: number): number | null {
  const { batch, shard, deps } = work;
  const late = lateSince(work, now);
  if (batch.stop !== null || nextCandidate(work, lateFailure()) === null) return late;
  const movedAt = shard.state === 'running' ? shard.progressAt : null;
  const stuckAt = movedAt === null ? Number.POSITIVE_INFINITY : movedAt + deps.settings.stuckSeconds;
  if (stuckAt > now) return late;
  return Math.min(stuckAt, late ?? stuckAt);
}

/** The same of a provider batch that cannot be asked whether it moves. */
export function lateSince(work: ShardWork, now: number): number | null {
  const { batch, lane } = work;
  if (batch.stop !== null) return batch.stop === 'expired' ? batch.expiresAt : (batch.cancellingAt ?? now);
  if (nextCandidate(work, lateFailure()) === null) return null;
  const since = rescueAt(batch, lane.rescueAfterSeconds ?? null);
  return since <= now ? since : null;
}

/**
 * Tells a provider batch that has had its time to stop, again and again as a call may be lost, and leaves it when it does
 * not: true when that ended the wait. It is left on time also when the provider answers nothing at all.
 */
export async function endWaiting(work: ShardWork): Promise<boolean> {
  const { deps, shard } = work;
  const now = unixSeconds(deps.clock);
  if (shard.state === 'running' && shard.cancelAskedAt === null) {
    if (overdueSince(work, now) === null) return false;
    await save(work, { cancelAskedAt: now });
    warnIfStuck(work, now);
  } else if (shard.state === 'running' && now - (shard.cancelAskedAt ?? now) >= deps.settings.cancelSeconds) {
    await abandon(work);
    return true;
  }
  try {
    await work.api.cancel(providerBatch(work), work.call);
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    deps.log.info({ shard: shard.id, error: error.failure.message }, 'the provider did not take a cancel');
  }
  return false;
}

function warnIfStuck({ deps, shard, batch }: ShardWork, now: number): void {
  if (batch.stop !== null || now - (shard.progressAt ?? now) < deps.settings.stuckSeconds) return;
  const { provider, providerBatchId, raw, progressAt } = shard;
  deps.log.warn({ shard: shard.id, provider, providerBatchId, raw, progressAt }, 'a provider batch is stuck');
}

/** It does not end in time. Its lines go on elsewhere from here; what it still answers will be waste. */
async function abandon(work: ShardWork): Promise<void> {
  const left = await unfinishedLines(work);
  const next = work.batch.stop === null ? followUp(work, left, lateFailure()) : NOTHING_FOLLOWS;
  await settle(work, { state: 'abandoned', followUp: next, nextAt: nextLook(work) });
}

/** When to look at a provider batch again: by its age; often once it was told to stop, its end being worth looking for. */
export function nextLook({ deps, shard }: ShardWork): number {
  const { settings, random } = deps;
  const now = unixSeconds(deps.clock);
  const byAge = pollSeconds(now - (shard.submittedAt ?? shard.createdAt), settings.pollSecondsMin, random.unit());
  const isEnding = shard.state === 'running' && shard.cancelAskedAt !== null;
  return now + (isEnding ? Math.min(byAge, settings.pollSecondsMin * 3) : byAge);
}

/** True of a provider batch that is too old to exist. */
export function isForgotten({ deps, shard }: Pick<ShardWork, 'deps' | 'shard'>): boolean {
  return unixSeconds(deps.clock) - (shard.submittedAt ?? shard.createdAt) > FORGOTTEN_SECONDS;
}

export function lateFailure(): Failure {
  return refusal('expired', 'provider_too_late', 'The provider did not run this request in time.');
}
