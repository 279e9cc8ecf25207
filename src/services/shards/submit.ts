import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { ProviderBatch } from '../../../providers/contract.ts';
import { ProviderError } from '../../../providers/contract.ts';
import type { Failure } from '../../core/failure.ts';
import { pollSeconds, requeueSeconds } from '../../core/shard-plan.ts';
import { unixSeconds } from '../../ports/clock.ts';
import { holdShard } from '../budgets/hold-shard.ts';
import { endShard, giveUp } from './end.ts';
import { halves } from './follow-up.ts';
import { keepHours } from './hours.ts';
import { type NativeInput, TooLarge, tooFew, writeNativeInput } from './native-input.ts';
import { lateFailure, overdueSince } from './patience.ts';
import { placeOf } from './place.ts';
import { chooseLines, stillWaits, takeKept } from './questions.ts';
import { awaitsSample, rejected } from './refused.ts';
import { partName, settleLines } from './settle-lines.ts';
import type { ShardLine, ShardWork } from './shard-work.ts';
import { listLagSeconds, save, settle, unfinishedLines } from './shard-work.ts';
import { upperCostOf } from './upper-cost.ts';

/** pending → submitting → running: writes the native lines, stores the token, then makes the provider batch. */
export async function submitShard(work: ShardWork): Promise<void> {
  const { shard } = work;
  const lines = await unfinishedLines(work);
  if (lines.length === 0) return endShard(work, [], null);
  // It waited for room or for an operator until its window nears the end: faster lanes can still do it.
  if (overdueSince(work, unixSeconds(work.deps.clock)) !== null) return leaveLate(work, lines);
  if (await stillWaits(work)) return lookLater(work);
  const isNew = shard.nextAt <= shard.createdAt;
  if (!(await keepHours(work, lines, isNew))) return;
  if (await awaitsSample(work, lines)) return;
  if (await isFull(work)) {
    // What is known already waits for nobody's room, but is not looked for at every try.
    if (isNew) await takeKept(work, lines);
    return wait(work, null);
  }
  const asked = await chooseLines(work, lines);
  if (asked.length === 0) return awaitAnswers(work);
  if (!(await hasBudgetRoom(work, asked))) return;
  const input = await writeNativeInput(work, asked).catch((error: unknown) => {
    if (error instanceof TooLarge && asked.length > 1) return null;
    throw error;
  });
  if (input === null) return cutInHalf(work);
  if (input.refused.length > 0) {
    const outcomes = input.refused.map((refused) => ({ ...refused, result: null, warnings: [] }));
    await settleLines(work, outcomes, { name: partName(work, 'refused'), known: new Set(), last: false });
  }
  if (input.lines === 0) return endShard(work, await unfinishedLines(work), input.refused[0]?.failure ?? null);
  // Lines that its batches do not take were counted when the shard was made: what is left may be too few.
  if (input.lines < (work.api.limits.linesMin ?? 0))
    return giveUp(work, tooFew(work, null), await unfinishedLines(work));
  // Who stopped or paused the batch while its lines were written wants none of them sent.
  if (!(await isWanted(work))) return;
  // Nor does a budget that was made or lowered meanwhile.
  if (!(await hasBudgetRoom(work, asked))) return;
  const token = await newToken(work);
  const nextAt = unixSeconds(work.deps.clock) + listLagSeconds(work.deps);
  const place = placeOf(work.api, work.provider.priceRegion);
  const begun = { token, place, tries: shard.tries + 1, bytes: input.bytes, progressAt: unixSeconds(work.deps.clock) };
  await save(work, { state: 'submitting', ...begun, failure: null, nextAt });
  await create(work, input);
}

/** Two of half its lines take its place. */
async function cutInHalf(work: ShardWork): Promise<void> {
  return settle(work, { state: 'done', followUp: halves(work, await unfinishedLines(work)) });
}

async function isWanted({ deps, shard }: ShardWork): Promise<boolean> {
  const batch = await deps.store.batches.get('all', shard.batchId);
  return batch !== null && batch.stop === null && batch.pausedAt === null;
}

async function leaveLate(work: ShardWork, lines: readonly ShardLine[]): Promise<void> {
  await takeKept(work, lines);
  return giveUp(work, lateFailure(), await unfinishedLines(work));
}

/** Every line that is left waits for the answer that another shard asks for. */
async function awaitAnswers(work: ShardWork): Promise<void> {
  const left = await unfinishedLines(work);
  return left.length === 0 ? endShard(work, [], null) : lookLater(work);
}

async function lookLater(work: ShardWork): Promise<void> {
  const { deps, shard } = work;
  const now = unixSeconds(deps.clock);
  const seconds = pollSeconds(now - shard.createdAt, deps.settings.pollSecondsMin, deps.random.unit());
  return save(work, { failure: null, nextAt: now + seconds });
}

async function create(work: ShardWork, { lines, bytes, key }: NativeInput): Promise<void> {
  const { deps, shard, api, candidate } = work;
  try {
    const batch = await api.submit(
      {
        token: shard.token ?? '',
        endpoint: shard.endpoint,
        model: candidate.model,
        lines,
        bytes,
        open: () => readAll(work, key),
        options: optionsOf(work),
      },
      work.call,
    );
    await begin(work, batch);
    await deps.files.delete(key);
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    await afterRefusal(work, error.failure, await unfinishedLines(work));
  }
}

/** What the client gave in `provider_options` for this provider. */
function optionsOf({ batch, provider }: ShardWork): Readonly<Record<string, unknown>> {
  return new Map(Object.entries(batch.options?.providerOptions ?? {})).get(provider.name) ?? {};
}

async function* readAll(work: ShardWork, key: string): AsyncGenerator<Uint8Array> {
  for await (const chunk of await work.deps.files.read(key)) yield chunk;
}

/** The provider has taken the batch. */
export async function begin(work: ShardWork, batch: ProviderBatch): Promise<void> {
  const now = unixSeconds(work.deps.clock);
  await save(work, {
    state: 'running',
    providerBatchId: batch.id,
    refs: { ...work.shard.refs, ...batch.refs },
    submittedAt: now,
    progressAt: now,
    nextAt: now + work.deps.settings.pollSecondsMin,
  });
}

/** The provider said no, or said nothing: the kind of the failure decides whether it is asked, tried later, or given up. */
async function afterRefusal(work: ShardWork, failure: Failure, left: readonly ShardLine[]): Promise<void> {
  const { deps } = work;
  const now = unixSeconds(deps.clock);
  switch (failure.kind) {
    case 'timeout':
    case 'connection':
    case 'server_error':
    case 'bad_response':
    case 'interrupted':
    case 'overloaded': {
      // It may have worked all the same: the next step looks for the token first.
      const late = failure.reachedProvider ? listLagSeconds(deps) : 0;
      return save(work, { failure, nextAt: now + Math.max(deps.settings.pollSecondsMin, late) });
    }
    case 'quota_full':
    case 'rate_limited':
    case 'authentication':
    case 'permission':
    case 'quota_exhausted':
      await work.api.cleanup(work.shard.refs, work.call);
      return wait(work, failure);
    case 'not_found':
    case 'invalid_request':
    case 'unsupported':
    case 'cancelled':
    case 'expired':
      await work.api.cleanup(work.shard.refs, work.call);
      // With fields of the client's in the call, they are the likelier cause, and every half would carry them too.
      if (Object.keys(optionsOf(work)).length > 0) return giveUp(work, failure, left);
      return rejected(work, failure, left);
  }
}

/** Back to pending: there is no room, or an operator is needed. Nothing of the try is left at the provider. */
export async function wait(work: ShardWork, failure: Failure | null): Promise<void> {
  const { deps, shard } = work;
  const seconds = requeueSeconds(shard.tries, deps.settings.pollSecondsMin, deps.random.unit());
  const asked = Math.ceil((failure?.retryAfterMs ?? 0) / 1000);
  const nextAt = unixSeconds(deps.clock) + Math.max(seconds, asked);
  await save(work, { state: 'pending', token: null, refs: {}, providerBatchId: null, failure, nextAt });
}

/** Job slots and queued tokens are counted here first: a refusal costs an upload. */
async function isFull({ deps, shard, api }: ShardWork): Promise<boolean> {
  const { jobs, enqueuedTokens } = api.limits;
  if (jobs !== null && (await deps.store.shards.load(shard.provider, null)).jobs >= jobs) return true;
  if (enqueuedTokens === null) return false;
  const { tokens, jobs: running } = await deps.store.shards.load(shard.provider, shard.model);
  return running > 0 && tokens + shard.tokens > enqueuedTokens;
}

/**
 * Whether its batch's budgets let it be made. If not, it waits for what is under way or halves take its place; where they
 * leave nothing for it, the batch is stopped.
 */
async function hasBudgetRoom(work: ShardWork, asked: readonly ShardLine[]): Promise<boolean> {
  const { deps, shard, batch, api } = work;
  const linesMin = api.limits.linesMin ?? 0;
  const most = () => upperCostOf(work, asked);
  const room = await holdShard(deps, batch, { id: shard.id, lines: asked.length, linesMin, most });
  if (room === 'go') return true;
  if (room === 'halve') {
    await cutInHalf(work);
    return false;
  }
  await wait(work, null);
  if (room === 'stop') {
    await deps.store.budgets.stopBatch(batch.id, unixSeconds(deps.clock));
    await deps.store.shards.hasten(batch.id, unixSeconds(deps.clock));
    deps.nudge();
  }
  return false;
}

/** Unique for shard and try, and recognisable as this installation's. */
async function newToken({ deps, shard }: ShardWork): Promise<string> {
  const entropy = Buffer.from(deps.random.bytes(8)).toString('hex');
  const hash = createHash('sha256')
    .update(`${shard.id} ${shard.tries + 1} ${entropy}`)
    .digest('hex')
    .slice(0, 24);
  return `weir-${await deps.store.shards.installation()}-${hash}`;
}
