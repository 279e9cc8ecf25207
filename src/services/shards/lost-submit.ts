/** Create calls of which nobody knows how they ended: the provider is asked for their token, as long as it may have one. */
import { type ProviderBatch, ProviderError } from '../../../providers/contract.ts';
import type { Failure } from '../../core/failure.ts';
import { refusal } from '../../core/failure.ts';
import { isUntouched } from '../../core/shard-state.ts';
import { unixSeconds } from '../../ports/clock.ts';
import { giveUp } from './end.ts';
import { NOTHING_FOLLOWS } from './follow-up.ts';
import { giveUpAnswers } from './lost.ts';
import { awaitPlace } from './misplaced.ts';
import { isForgotten, nextLook, overdueSince } from './patience.ts';
import { isElsewhere, isElsewhereByName, isMisplaced, notHere } from './place.ts';
import { takeBackDoubts } from './resolve-doubts.ts';
import type { ShardWork } from './shard-work.ts';
import { save, settle, unfinishedLines } from './shard-work.ts';
import { begin } from './submit.ts';

/** So long after a create call was given up, a provider that lists no batch of it never made one: lists are late by minutes. */
const ABSENT_SECONDS = 86_400;
/** Create calls of one shard that are remembered: a provider that takes none for days is no reason to fill the database. */
const REMEMBERED_MAX = 100;

/** A submit of which nobody knows how it ended: the provider is asked for the token before anything is made again. */
export async function resumeSubmit(work: ShardWork): Promise<void> {
  const { deps, shard } = work;
  // What a crash broke off goes on: some of its lines may be entered as given up.
  if (shard.cancelAskedAt !== null) return giveUpSubmit(work, shard.failure);
  let found: ProviderBatch | null;
  try {
    found = await lookFor(work);
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    if (Object.keys(shard.refs).length > 0 && isMisplaced(work, error.failure)) return awaitSubmit(work, error.failure);
    if (!isHopeless(work)) throw error;
    return giveUpSubmit(work, error.failure);
  }
  if (found) return begin(work, found);
  if (await mayBeElsewhere(work)) return awaitSubmit(work);
  // Nothing came of it, as far as the provider knows: what was uploaded goes, and the next try has a token of its own.
  await work.api.cleanup(shard.refs, work.call);
  if (!isUntouched(shard) && shard.tries <= REMEMBERED_MAX) await remember(work);
  await save(work, { state: 'pending', token: null, refs: {}, nextAt: unixSeconds(deps.clock) });
}

function awaitSubmit(work: ShardWork, said: Failure | null = null): Promise<void> {
  return isHopeless(work) ? giveUpSubmit(work, notHere(work.shard.provider, said)) : awaitPlace(work, said);
}

/**
 * Whether the create call went to another place than the config names now. It was not made yet where no ref was kept, and not
 * elsewhere where the shard's input is: another key sees it, too.
 */
async function mayBeElsewhere(work: ShardWork): Promise<boolean> {
  const { shard, api, call } = work;
  if (Object.keys(shard.refs).length === 0 || !isElsewhere(work)) return false;
  return isElsewhereByName(work) || (await api.cleanup(shard.refs, call)).length === 0;
}

/** Should a provider's list lag for longer than it was waited for, what appears under the token is this shard's, and cost. */
async function remember({ deps, shard }: ShardWork): Promise<void> {
  const now = unixSeconds(deps.clock);
  const { leaseToken: _token, leaseUntil: _until, ...row } = shard;
  const failure = refusal('bad_response', 'submit_unknown', 'The provider did not list a batch of this create call.');
  const ended = { state: 'done', endedAt: now, cleanedAt: now, nextAt: now } as const;
  await deps.store.shards.insertMany([{ ...row, ...ended, id: `${shard.id}.lost${shard.tries}`, refs: {}, failure }]);
}

/** The provider has not told in time whether it took the batch, and its lines should not wait for it any longer. */
function isHopeless(work: ShardWork): boolean {
  const now = unixSeconds(work.deps.clock);
  const since = overdueSince(work, now);
  return since !== null && now - since >= work.deps.settings.cancelSeconds;
}

/** Its lines wait no longer; it is looked for on, as it may run and cost. */
async function giveUpSubmit(work: ShardWork, failure: Failure | null): Promise<void> {
  const { deps, shard } = work;
  const why = failure ?? refusal('connection', 'connection_error', 'The provider did not answer.');
  if (isUntouched(shard)) {
    await save(work, { token: null });
    return giveUp(work, why, await unfinishedLines(work));
  }
  await save(work, { cancelAskedAt: shard.cancelAskedAt ?? unixSeconds(deps.clock), failure: why });
  const { id, provider, token, refs } = shard;
  deps.log.warn(
    { shard: id, provider, token, refs },
    'nobody knows whether the provider took a batch: it is looked for',
  );
  const lost = refusal(
    'bad_response',
    'submit_unknown',
    `Nobody knows whether the provider took the batch: ${why.message}`,
  );
  return giveUpAnswers(work, { ...lost, reachedProvider: true }, { end: 'abandoned' });
}

/**
 * Looks for what a given-up create call may have made; true when it is there, to be told to stop and entered. What the
 * provider does not list in a day of answers was never made: what was entered of it is taken back.
 */
export async function seekAbandoned(work: ShardWork): Promise<boolean> {
  const { deps, shard } = work;
  const now = unixSeconds(deps.clock);
  let found: ProviderBatch | null;
  try {
    found = await lookFor(work);
    if (found === null && isElsewhere(work)) throw new ProviderError(notHere(shard.provider));
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    // Who never answers again leaves open what it cost.
    if (isForgotten(work)) await forget(work);
    else await save(work, { failure: error.failure, nextAt: nextLook(work) });
    return false;
  }
  if (found !== null) {
    const refs = { ...shard.refs, ...found.refs };
    await save(work, { providerBatchId: found.id, refs, failure: null, submittedAt: shard.progressAt ?? now });
    const { id, provider, providerBatchId } = shard;
    deps.log.warn({ shard: id, provider, providerBatchId }, 'a provider batch whose create call was given up is there');
    return true;
  }
  if (now - (shard.cancelAskedAt ?? shard.createdAt) < ABSENT_SECONDS) {
    await save(work, { failure: null, nextAt: nextLook(work) });
    return false;
  }
  await takeBackDoubts(work, 'The provider never took the batch.');
  await forget(work);
  return false;
}

/** Should it appear after all, the search for orphans stops and removes it. */
async function forget(work: ShardWork): Promise<void> {
  await save(work, { token: null });
  await settle(work, { state: 'done', followUp: NOTHING_FOLLOWS });
}

async function lookFor(work: ShardWork): Promise<ProviderBatch | null> {
  const { shard, api, call } = work;
  return (await api.find(shard.token ?? '', shard.refs, call)) ?? (await removeTraces(work));
}

/**
 * An upload whose answer was lost left an object that no ref names: it is found by its token, and removed. Answers a provider
 * batch of that token, should there be one after all. Where nothing can be listed now, the search for orphans does it later.
 */
async function removeTraces({ deps, shard, api, call }: ShardWork): Promise<ProviderBatch | null> {
  if (Object.keys(shard.refs).length > 0) return null;
  try {
    for await (const object of api.inventory(call)) {
      if (object.token !== shard.token) continue;
      if (object.kind === 'batch') return { id: object.id, refs: object.refs };
      const removed = await api.cleanup(object.refs, call);
      deps.log.info({ shard: shard.id, provider: shard.provider, removed }, 'removed the upload of a lost answer');
    }
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    deps.log.warn({ shard: shard.id, error: error.failure.message }, 'what a lost answer left could not be searched');
  }
  return null;
}
