import type { Progress } from '../../../providers/contract.ts';
import { ProviderError } from '../../../providers/contract.ts';
import type { Failure } from '../../core/failure.ts';
import { refusal } from '../../core/failure.ts';
import { pollSeconds, rescueAt } from '../../core/shard-plan.ts';
import { parseRequestLine } from '../../core/validate-input.ts';
import { unixSeconds } from '../../ports/clock.ts';
import { ForwardReader } from '../batches/forward-reader.ts';
import { collectShard, collectWaste, providerBatch } from './collect.ts';
import { endShard } from './end.ts';
import { followUp, NOTHING_FOLLOWS } from './follow-up.ts';
import { nativeLine } from './native-input.ts';
import { nextCandidate, settleLines } from './settle-lines.ts';
import type { ShardWork } from './shard-work.ts';
import { save, unfinishedLines } from './shard-work.ts';
import { rejected, resubmitOthers, wait } from './submit.ts';

/** A provider's lists may lag behind its own create call; a batch that is still not found after this is gone. */
const NOT_FOUND_GRACE_SECONDS = 600;

/** Looks at a running provider batch, and does what its state asks for. */
export async function pollShard(work: ShardWork): Promise<void> {
  let progress: Progress;
  try {
    progress = await work.api.poll(providerBatch(work), work.call);
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    return afterPollFailure(work, error.failure);
  }
  await note(work, progress);
  if (progress.state === 'running') return keepWaiting(work);
  if (progress.state === 'ended') {
    const now = unixSeconds(work.deps.clock);
    const reason = reasonOf(progress);
    // Whoever goes on collecting after a crash knows why lines are missing.
    const failure = work.batch.stop === null ? reason : progress.failure;
    await save(work, { state: 'collecting', endedAt: now, nextAt: now, failure });
    return collectShard(work, reason);
  }
  return afterFailedBatch(work, progress);
}

/** An abandoned provider batch: when it ends, what it answered is entered as waste. */
export async function pollAbandoned(work: ShardWork): Promise<void> {
  const progress = await work.api.poll(providerBatch(work), work.call).catch((error: unknown) => {
    if (error instanceof ProviderError && error.failure.kind === 'not_found') return null;
    throw error;
  });
  if (progress?.state === 'running') return keepWaiting(work);
  if (progress?.state === 'ended') {
    await save(work, { refs: { ...work.shard.refs, ...progress.refs } });
    return collectWaste(work);
  }
  const now = unixSeconds(work.deps.clock);
  const change = { state: 'done' as const, now, nextAt: now, followUp: NOTHING_FOLLOWS };
  await work.deps.store.shards.settle(work.shard.id, work.shard.leaseToken, change);
}

/** Keeps what is new: a changed word or count is progress, and a sign that the provider works on it. */
async function note(work: ShardWork, progress: Progress): Promise<void> {
  const { shard } = work;
  const moved = progress.raw !== shard.raw || JSON.stringify(progress.counts) !== JSON.stringify(shard.counts);
  await save(work, {
    raw: progress.raw,
    counts: progress.counts ?? shard.counts,
    refs: { ...shard.refs, ...progress.refs },
    failure: progress.failure,
    ...(moved && { progressAt: unixSeconds(work.deps.clock) }),
  });
}

async function keepWaiting(work: ShardWork): Promise<void> {
  const { deps, shard } = work;
  const now = unixSeconds(deps.clock);
  const asked = shard.cancelAskedAt;
  if (shard.state === 'running' && asked === null && shouldStop(work, now)) {
    await work.api.cancel(providerBatch(work), work.call);
    return save(work, { cancelAskedAt: now, nextAt: now + deps.settings.pollSecondsMin });
  }
  if (shard.state === 'running' && asked !== null && now - asked >= deps.settings.cancelSeconds) return abandon(work);
  const age = now - (shard.submittedAt ?? now);
  const wanted = pollSeconds(age, deps.settings.pollSecondsMin, deps.random.unit());
  // Once it was told to stop, its end is worth looking for often.
  return save(work, { nextAt: now + (asked === null ? wanted : Math.min(wanted, deps.settings.pollSecondsMin * 3)) });
}

/** The batch stops, its window nears its end, or the provider has not moved for long, and there is somewhere else to go. */
function shouldStop(work: ShardWork, now: number): boolean {
  const { batch, shard, deps } = work;
  if (batch.stop !== null) return true;
  const elsewhere = nextCandidate(work, lateFailure()) !== null;
  if (!elsewhere) return false;
  const stuck = now - (shard.progressAt ?? now) >= deps.settings.stuckSeconds;
  return stuck || now >= rescueAt(batch, work.lane.rescueAfterSeconds ?? null);
}

/** It does not end in time. Its lines go on elsewhere from here; what it still answers will be waste. */
async function abandon(work: ShardWork): Promise<void> {
  const { deps, shard, batch } = work;
  const now = unixSeconds(deps.clock);
  const left = await unfinishedLines(work);
  const next = batch.stop === null ? followUp(work, left, lateFailure()) : NOTHING_FOLLOWS;
  const nextAt = now + pollSeconds(now - (shard.submittedAt ?? now), deps.settings.pollSecondsMin, deps.random.unit());
  await deps.store.shards.settle(shard.id, shard.leaseToken, { state: 'abandoned', now, nextAt, followUp: next });
}

async function afterFailedBatch(work: ShardWork, progress: Progress): Promise<void> {
  const failure = progress.failure ?? refusal('server_error', 'provider_batch_failed', 'The provider batch failed.');
  if (failure.kind === 'quota_full') {
    await work.api.cleanup(work.shard.refs, work.call);
    return wait(work, failure);
  }
  if (progress.lines.length > 0) return failNamedLines(work, progress.lines);
  return rejected(work, failure, await unfinishedLines(work));
}

/** `line` counts the lines of the provider's input file: the shard's unfinished lines in order, less those it never held. */
async function failNamedLines(work: ShardWork, named: Progress['lines']): Promise<void> {
  const left = await unfinishedLines(work);
  const failures = new Map(named.map(({ line, failure }) => [line, failure]));
  const reader = new ForwardReader(work.deps.files, work.input.contentKey);
  const outcomes = [];
  let position = 0;
  for (const line of left) {
    const request = parseRequestLine(await reader.read(line));
    if (typeof nativeLine(work, line, request) !== 'string') continue;
    position += 1;
    const failure = failures.get(position);
    if (failure) outcomes.push({ line, request, result: null, failure, warnings: [] });
  }
  if (outcomes.length === 0) return rejected(work, named[0]?.failure ?? lateFailure(), left);
  await settleLines(work, outcomes, {
    name: `${work.shard.id}-named-${work.shard.tries}`,
    known: new Set(),
    last: true,
  });
  return resubmitOthers(work);
}

async function afterPollFailure(work: ShardWork, failure: Failure): Promise<void> {
  const { deps, shard } = work;
  const now = unixSeconds(deps.clock);
  const gone = failure.kind === 'not_found' && now - (shard.submittedAt ?? now) > NOT_FOUND_GRACE_SECONDS;
  if (gone) return endShard(work, await unfinishedLines(work), failure);
  if (shard.cancelAskedAt !== null && now - shard.cancelAskedAt >= deps.settings.cancelSeconds) return abandon(work);
  const asked = Math.ceil((failure.retryAfterMs ?? 0) / 1000);
  const wanted = pollSeconds(now - (shard.submittedAt ?? now), deps.settings.pollSecondsMin, deps.random.unit());
  return save(work, { failure, nextAt: now + Math.max(wanted, asked) });
}

function reasonOf(progress: Progress): Failure | null {
  switch (progress.reason) {
    case 'expired':
      return refusal('expired', 'batch_expired', 'The provider did not run this request within its window.');
    case 'cancelled':
      return lateFailure();
    case 'failed':
      return progress.failure;
    case 'completed':
    case null:
      return null;
  }
}

function lateFailure(): Failure {
  return refusal('expired', 'provider_too_late', 'The provider did not run this request in time.');
}
