import type { Progress } from '../../../providers/contract.ts';
import { ProviderError } from '../../../providers/contract.ts';
import type { Failure } from '../../core/failure.ts';
import { refusal } from '../../core/failure.ts';
import { ranAt } from '../../core/ran-at.ts';
import { unixSeconds } from '../../ports/clock.ts';
import { collectShard } from './collect.ts';
import { collectWaste } from './collect-waste.ts';
import { endShard } from './end.ts';
import { again, NOTHING_FOLLOWS } from './follow-up.ts';
import { doubtLines, forgetAbandoned, giveUpAnswers, unreadable } from './lost.ts';
import { seekAbandoned } from './lost-submit.ts';
import { awaitPlace, warnMisplaced } from './misplaced.ts';
import { failNamedLines } from './named-lines.ts';
import { endWaiting, isForgotten, lateFailure, nextLook } from './patience.ts';
import { isElsewhere, isMisplaced } from './place.ts';
import { rejected } from './refused.ts';
import { takeBackDoubts } from './resolve-doubts.ts';
import type { ShardWork } from './shard-work.ts';
import { providerBatch, save, settle, unfinishedLines } from './shard-work.ts';
import { wait } from './submit.ts';
import { isGone, isWasteLost, noteFailing, withoutFailing } from './troubles.ts';

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
    await save(work, { state: 'collecting', ...endOf(work, progress), nextAt: now, failure });
    return collectShard(work, reason);
  }
  return afterFailedBatch(work, progress);
}

/** An abandoned provider batch: when it ends, what it answered is entered as waste. */
export async function pollAbandoned(work: ShardWork): Promise<void> {
  if (work.shard.providerBatchId === null && !(await seekAbandoned(work))) return;
  let progress: Progress | null = null;
  try {
    progress = await work.api.poll(providerBatch(work), work.call);
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    const isAbsent = error.failure.kind === 'not_found' && !isElsewhere(work);
    if (isAbsent) await noteFailing(work);
    if (isMisplaced(work, error.failure)) warnMisplaced(work);
    const isOver = work.shard.endedAt === null ? isGone : isWasteLost;
    if (!(isAbsent && isOver(work, error.failure)) && !isForgotten(work)) return save(work, { nextAt: nextLook(work) });
  }
  const { shard } = work;
  if (progress !== null) {
    // That it has ended was told before: what fails is the reading.
    const isReading = progress.state === 'ended' && shard.endedAt !== null;
    const refs = isReading ? shard.refs : withoutFailing(shard.refs);
    await save(work, { refs: { ...refs, ...progress.refs } });
  }
  if (progress?.state === 'running') return keepWaiting(work);
  if (progress?.state === 'ended') {
    if (shard.endedAt === null) await save(work, endOf(work, progress));
    return enterWaste(work, progress);
  }
  if (progress === null || hasAnswered(progress)) return forgetAbandoned(work);
  await takeBackDoubts(work, 'The provider batch failed before it ran anything.');
  return settle(work, { state: 'done', followUp: NOTHING_FOLLOWS });
}

/** What is kept of the end of a provider batch when it is first seen. */
function endOf({ deps, shard }: ShardWork, progress: Progress): Pick<ShardWork['shard'], 'endedAt' | 'ranAt'> {
  const endedAt = unixSeconds(deps.clock);
  return { endedAt, ranAt: ranAt(progress.endedAt, { submittedAt: shard.submittedAt, endedAt }) };
}

async function enterWaste(work: ShardWork, progress: Progress): Promise<void> {
  try {
    await collectWaste(work, progress);
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    await noteFailing(work);
    if (!isWasteLost(work, error.failure) && !isForgotten(work)) throw error;
    await forgetAbandoned(work);
  }
}

/** Keeps what is new: a changed word or count is progress, and a sign that the provider works on it. */
async function note(work: ShardWork, progress: Progress): Promise<void> {
  const { shard } = work;
  const moved = progress.raw !== shard.raw || JSON.stringify(progress.counts) !== JSON.stringify(shard.counts);
  await save(work, {
    raw: progress.raw,
    counts: progress.counts ?? shard.counts,
    refs: { ...withoutFailing(shard.refs), ...progress.refs },
    failure: progress.failure,
    ...(moved && { progressAt: unixSeconds(work.deps.clock) }),
  });
}

async function keepWaiting(work: ShardWork): Promise<void> {
  if (!(await endWaiting(work))) await save(work, { nextAt: nextLook(work) });
}

async function afterFailedBatch(work: ShardWork, progress: Progress): Promise<void> {
  const failure = progress.failure ?? refusal('server_error', 'provider_batch_failed', 'The provider batch failed.');
  // As where the create call is refused so: no half of it would fare better.
  if (failure.kind === 'quota_full' || failure.kind === 'quota_exhausted') {
    if (hasAnswered(progress)) return askAgain(work);
    await work.api.cleanup(work.shard.refs, work.call);
    return wait(work, failure);
  }
  if (progress.lines.length > 0) return failNamedLines(work, progress.lines);
  if (hasAnswered(progress)) return loseAnswers(work, failure);
  return rejected(work, failure, await unfinishedLines(work));
}

/** Whether it says that requests succeeded: they are paid for, though there are no answers of them. */
function hasAnswered({ counts }: Progress): boolean {
  return counts !== null && counts.succeeded > 0;
}

/** It ran until there was no room or money for more. What it did is not hidden; a shard in its place waits for either. */
async function askAgain(work: ShardWork): Promise<void> {
  await doubtLines(work, await unfinishedLines(work));
  const next = work.batch.stop === null ? again(work, await unfinishedLines(work)) : NOTHING_FOLLOWS;
  return settle(work, { state: 'done', followUp: next });
}

/** It was there, and ran or may have run: what it cost is not hidden. */
async function loseAnswers(work: ShardWork, failure: Failure): Promise<void> {
  if (work.batch.stop === null) return giveUpAnswers(work, unreadable(failure));
  await doubtLines(work, await unfinishedLines(work));
  return endShard(work, await unfinishedLines(work), failure);
}

async function afterPollFailure(work: ShardWork, failure: Failure): Promise<void> {
  const now = unixSeconds(work.deps.clock);
  if (isMisplaced(work, failure)) return awaitPlace(work, failure);
  if (failure.kind === 'not_found') await noteFailing(work);
  if (isGone(work, failure)) return loseAnswers(work, failure);
  if (await endWaiting(work)) return;
  const asked = Math.ceil((failure.retryAfterMs ?? 0) / 1000);
  return save(work, { failure, nextAt: Math.max(nextLook(work), now + asked) });
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
