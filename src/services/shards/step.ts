import { ProviderError } from '../../../providers/contract.ts';
import { describeError } from '../../core/describe-error.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { ShardLease } from '../../ports/store-shards.ts';
import type { InputWatch } from '../batches/input-lost.ts';
import { collectReadable, collectShard } from './collect.ts';
import { giveUpAnswers, leaveWithoutInput, settleUnserved, unreadable } from './lost.ts';
import { resumeSubmit } from './lost-submit.ts';
import { isForgotten } from './patience.ts';
import { isElsewhereByName, providerFor } from './place.ts';
import { pollAbandoned, pollShard } from './poll.ts';
import { batchCall, LeaseLost, listLagSeconds, type ShardWork, save, type Waits } from './shard-work.ts';
import { submitShard } from './submit.ts';
import { areLost, failingSince, noteFailing } from './troubles.ts';

/** A step that failed for a reason of ours is tried again after this. */
const RETRY_SECONDS = 10;
/** One of an ended provider batch is tried again after a quarter of the time that it fails, at most this. */
const RETRY_SECONDS_MAX = 3_600;

/** Does what is due for a leased shard. Never throws. */
export async function stepShard(
  deps: Deps,
  shard: ShardLease,
  { waits, watch }: { waits: Waits; watch: InputWatch },
  signal: AbortSignal,
): Promise<void> {
  try {
    const work = await openWork(deps, shard, signal);
    if (work) await step({ ...work, waits, healing: new Map() });
  } catch (error) {
    if (error instanceof LeaseLost) return;
    if (!(error instanceof ProviderError)) await watch.note(shard.batchId, error);
    await postpone(deps, shard, describe(error)).catch(() => undefined);
  } finally {
    if (shard.state !== 'pending') waits.delete(shard.id);
  }
}

async function step(work: ShardWork): Promise<void> {
  switch (work.shard.state) {
    case 'pending':
      return submitShard(work);
    case 'submitting':
      return resumeSubmit(work);
    case 'running':
      return pollShard(work);
    case 'collecting':
      return collect(work);
    case 'abandoned':
      return pollAbandoned(work);
    case 'done':
      return cleanUp(work);
  }
}

async function collect(work: ShardWork): Promise<void> {
  try {
    await collectShard(work, work.shard.failure);
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    await noteFailing(work);
    if (!areLost(work, error.failure)) throw error;
    const lost = unreadable(error.failure);
    await giveUpAnswers(work, lost, { without: await collectReadable(work) });
  }
}

/** Removes what the shard left at its provider, and says so in the log. */
async function cleanUp(work: ShardWork): Promise<void> {
  const { deps, shard, api, call } = work;
  const removed = deps.settings.keepProviderFiles === 1 ? [] : await api.cleanup(shard.refs, call);
  await deps.files.delete(`batches/${shard.batchId}/shards/${shard.id}`);
  if (removed.length > 0)
    deps.log.info({ shard: shard.id, provider: shard.provider, removed }, 'provider files removed');
  else if (isElsewhereByName(work) && Object.keys(shard.refs).length > 0) {
    const { id, provider, refs, place } = shard;
    deps.log.warn({ shard: id, provider, refs, madeAt: place?.name }, 'left where the config does not reach any more');
  }
  await save(work, { cleanedAt: unixSeconds(deps.clock) });
}

/** Everything for a step; null when the provider is missing and the shard was dealt with, or put off, without it. */
async function openWork(
  deps: Deps,
  shard: ShardLease,
  signal: AbortSignal,
): Promise<Omit<ShardWork, 'waits' | 'healing'> | null> {
  const batch = await deps.store.batches.get('all', shard.batchId);
  const input = batch && (await deps.store.files.getAny(batch.inputFileId));
  const lane = batch?.lanes[shard.lane];
  if (!batch || !input || lane?.kind !== 'run') throw new Error('its batch or input file is gone');
  if (batch.stop === 'input_lost' && ['submitting', 'running', 'collecting'].includes(shard.state)) {
    await leaveWithoutInput(deps, shard);
    return null;
  }
  const provider = providerFor(deps, shard);
  const candidate = lane.candidates[shard.candidate];
  if (provider?.batch && candidate) {
    const call = batchCall(deps, shard, signal);
    return { deps, shard, batch, input, lane, candidate, provider, api: provider.batch, call };
  }
  const isGone = shard.state === 'done' && (Object.keys(shard.refs).length === 0 || isForgotten({ deps, shard }));
  if (isGone) await save({ deps, shard }, { cleanedAt: unixSeconds(deps.clock) });
  else if (shard.state === 'done' || !(await settleUnserved(deps, shard, { batch, input, lane }))) {
    await postpone(deps, shard, 'its provider is not configured here');
  }
  return null;
}

async function postpone(deps: Deps, shard: ShardLease, reason: string): Promise<void> {
  deps.log.error({ shard: shard.id, provider: shard.provider, state: shard.state, reason }, 'shard step failed');
  const now = unixSeconds(deps.clock);
  // What has failed for long seldom works a moment later; results are large, too.
  const failedAt = failingSince(shard) ?? shard.endedAt;
  const since = failedAt === null ? 0 : Math.min((now - failedAt) / 4, RETRY_SECONDS_MAX);
  const late = shard.state === 'submitting' ? listLagSeconds(deps) : 0;
  const nextAt = now + Math.max(RETRY_SECONDS, Math.round(since), late);
  await deps.store.shards.save(shard.id, shard.leaseToken, { nextAt });
}

function describe(error: unknown): string {
  if (error instanceof ProviderError) return `${error.failure.kind}: ${error.failure.message}`;
  return describeError(error);
}
