/** Provider batches that their provider refused as a whole: whether lines of theirs are to blame is found out by parts. */
import type { Failure } from '../../core/failure.ts';
import {
  blockOf,
  faultIn,
  isOfCall,
  isRefused,
  isSample,
  isTooMany,
  refusedAnyway,
  rootOf,
  sampleLines,
  wholeOf,
} from '../../core/shard-halving.ts';
import { pollSeconds } from '../../core/shard-plan.ts';
import { unixSeconds } from '../../ports/clock.ts';
import { giveUp } from './end.ts';
import { halves } from './follow-up.ts';
import { tooFew } from './native-input.ts';
import { sharingOf } from './questions.ts';
import type { ShardLine, ShardWork } from './shard-work.ts';
import { save, settle } from './shard-work.ts';
import { nextCandidate } from './ways-on.ts';

/**
 * The provider takes this batch not at all. With several lines some of them may be to blame: halves find out, in as many
 * rounds as the count has binary digits, and samples whether it is all of them (core/shard-halving.ts). A single line
 * fails, or goes to its next target.
 */
export async function rejected(work: ShardWork, failure: Failure, left: readonly ShardLine[]): Promise<void> {
  const { shard, api } = work;
  if (failure.kind !== 'invalid_request') return giveUp(work, failure, left);
  if (isOfCall(failure)) return giveUp(work, refusedAnyway(work.provider.name, failure, 'call'), left);
  if (isSample(shard.id)) {
    if (shard.state === 'running') await api.cleanup(shard.refs, work.call);
    return save(work, { ...LEFT_NOTHING, failure, nextAt: nextAt(work) });
  }
  const { asked } = await sharingOf(work, []);
  const lines = asked === null ? left.length : left.filter(({ line }) => asked.has(line)).length;
  await save(work, { failure });
  if (lines <= 1) return giveUp(work, failure, left);
  // Halves that the service would refuse for their size alone find out nothing; single requests do.
  const least = api.limits.linesMin ?? 1;
  if (lines < 2 * least) return giveUp(work, tooFew(work, failure), left);
  if (await isHopeless(work, failure)) {
    return giveUp(work, refusedAnyway(work.provider.name, failure, 'many'), left);
  }
  const block = blockOf(shard.id);
  const isClear = block === null || (await faultOf(work, block)).fault === 'lines';
  const sample = isClear ? 0 : sampleLines(lines, least);
  return settle(work, { state: 'done', followUp: halves(work, left, sample) });
}

/** Whether so many parts were refused that those which are left had better go where each line is asked for alone, if there is such. */
async function isHopeless(work: ShardWork, failure: Failure): Promise<boolean> {
  const { deps, shard } = work;
  if (nextCandidate(work, refusedAnyway(work.provider.name, failure, 'many')) === null) return false;
  const root = rootOf(shard.id);
  if (root === shard.id) return false;
  const { lines } = (await deps.store.shards.get(root)) ?? shard;
  return isTooMany((await deps.store.shards.cutFrom(root)).filter(isRefused).length, lines);
}

/** Nothing of a try is left at the provider. */
const LEFT_NOTHING = { state: 'pending', token: null, refs: {}, providerBatchId: null } as const;

/**
 * Whether a pending shard is not to be submitted now: it waits for what a sample of a refused provider batch tells, or was
 * that sample, or its lines have been given up by what the samples told.
 */
export async function awaitsSample(work: ShardWork, left: readonly ShardLine[]): Promise<boolean> {
  const { shard } = work;
  const whole = wholeOf(shard.id);
  const block = whole === null ? null : blockOf(whole);
  const own = isSample(shard.id) && isRefused(shard) ? shard.failure : null;
  if (block === null || (isSample(shard.id) && own === null)) return false;
  const { fault, failure, isSampled } = await faultOf(work, block);
  if (!isSampled) return false;
  if (fault === 'open') {
    await save(work, { nextAt: nextAt(work) });
    return true;
  }
  if (fault === 'whole' && failure !== null) {
    await giveUp(work, refusedAnyway(work.provider.name, own ?? failure, 'all'), left);
    return true;
  }
  if (own === null) return false;
  const isAlone = left.length < 2 * (work.api.limits.linesMin ?? 1);
  await giveUp(work, isAlone && left.length > 1 ? tooFew(work, own) : own, left);
  return true;
}

/** Whose fault the refusals in a block are, with the words of one, and whether a sample stands beside the shard. */
async function faultOf({ deps, shard }: ShardWork, block: string) {
  const shards = await deps.store.shards.cutFrom(block);
  const whole = wholeOf(shard.id);
  const submittedAt = shards.find(({ id }) => id === whole)?.submittedAt ?? null;
  const refusedAfter = submittedAt === null ? null : Math.max(0, shard.createdAt - submittedAt);
  const at = { now: unixSeconds(deps.clock), refusedAfter };
  return {
    fault: faultIn(block, shards, at),
    failure: shards.find(isRefused)?.failure ?? null,
    isSampled: shards.some(({ id }) => id === `${whole}.p`),
  };
}

/** When to ask again what the samples tell. */
function nextAt({ deps, shard }: ShardWork): number {
  const now = unixSeconds(deps.clock);
  return now + pollSeconds(now - shard.createdAt, deps.settings.pollSecondsMin, deps.random.unit());
}
