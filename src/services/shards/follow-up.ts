import type { Failure } from '../../core/failure.ts';
import { laneFrom, queueOf } from '../../core/lane.ts';
import { piecesOf } from '../../core/shard-halving.ts';
import { modeOf } from '../../core/shard-plan.ts';
import { windowSeconds } from '../../core/window.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { SegmentRow } from '../../ports/store-segments.ts';
import type { FollowUp, ShardRow } from '../../ports/store-shards.ts';
import type { ShardLine, ShardWork } from './shard-work.ts';
import { leavesTime, nextCandidate } from './ways-on.ts';

export const NOTHING_FOLLOWS: FollowUp = { segments: [], shards: [] };

/** Whether a batch runs its lines now, and how long it has. */
export function windowOf(
  deps: Pick<Deps, 'settings'>,
  batch: Pick<BatchRow, 'completionWindow'>,
): {
  immediate: boolean;
  seconds: number;
} {
  const immediate = batch.completionWindow === 'immediate';
  const seconds = windowSeconds(batch.completionWindow, deps.settings.immediateWindowSeconds) ?? 0;
  return { immediate, seconds };
}

/**
 * What runs the lines that a shard left without a result, on the first target that takes them after `failure`, or on that
 * of the index `to`. Both kinds of work skip lines that have results, so the range stays the shard's own.
 */
export function followUp(work: ShardWork, left: readonly ShardLine[], failure: Failure, to?: number): FollowUp {
  // Lines were left because some target takes them after a failure of their own: at the latest the next one.
  return followAt(work, left, to ?? nextCandidate(work, failure) ?? work.shard.candidate + 1);
}

/** What runs the lines that a shard left without a result on the candidate `next`; it needs no provider of the shard's. */
export function followAt(
  work: Pick<ShardWork, 'deps' | 'shard' | 'batch' | 'lane'>,
  left: readonly ShardLine[],
  next: number,
): FollowUp {
  const first = left[0];
  const last = left.at(-1);
  if (!first || !last) return NOTHING_FOLLOWS;
  const candidate = work.lane.candidates[next];
  const provider = candidate && work.deps.providers.get(candidate.provider);
  const can = { batch: provider?.batch !== undefined, immediate: provider?.immediate !== undefined };
  const sameTarget = next === work.shard.candidate;
  const mode = candidate && !sameTarget ? modeOf(candidate, can, windowOf(work.deps, work.batch)) : 'immediate';
  const range = { firstLine: first.line, lastLine: last.line, lines: left.length };
  if (mode === 'batch' && candidate && leavesTime(work)) {
    return { segments: [], shards: [nextShard(work, next, candidate.provider, candidate.model, range)] };
  }
  // Beyond the last candidate there is nobody: the engine then fails these lines with a reason, and loses none.
  return { segments: [nextSegment(work, Math.min(next, work.lane.candidates.length - 1), range)], shards: [] };
}

/**
 * Two halves of a shard in its place: its lines were too much for one provider batch, or some of them spoil it. `sample`: so
 * many of them are asked for alone, and the halves wait for that (core/shard-halving.ts).
 */
export function halves(work: Pick<ShardWork, 'deps' | 'shard'>, left: readonly ShardLine[], sample = 0): FollowUp {
  const { shard } = work;
  const shards = piecesOf(shard.id, left.length, sample).flatMap(({ id, from, to }) => {
    const first = left[from];
    const last = left[to - 1];
    if (!first || !last || to <= from) return [];
    const range = { firstLine: first.line, lastLine: last.line, lines: to - from };
    return [{ ...nextShard(work, shard.candidate, shard.provider, shard.model, range), id }];
  });
  return { segments: [], shards };
}

/** The same lines once more as a provider batch, less those that have results by now. */
export function again(work: Pick<ShardWork, 'deps' | 'shard'>, left: readonly ShardLine[]): FollowUp {
  const { shard } = work;
  const first = left[0];
  const last = left.at(-1);
  if (!first || !last) return NOTHING_FOLLOWS;
  const range = { firstLine: first.line, lastLine: last.line, lines: left.length };
  return {
    segments: [],
    shards: [{ ...nextShard(work, shard.candidate, shard.provider, shard.model, range), id: `${shard.id}.r` }],
  };
}

/** Single requests in place of a shard, from `candidate` of its lane on. */
function nextSegment({ shard, lane }: Pick<ShardWork, 'shard' | 'lane'>, candidate: number, range: Range): SegmentRow {
  return {
    id: `${shard.id}-i${candidate}`,
    batchId: shard.batchId,
    tenantId: shard.tenantId,
    lane: shard.lane,
    candidate,
    queue: queueOf({ ...laneFrom(lane, candidate), shared: 1 }),
    ...range,
  };
}

type Range = Pick<ShardRow, 'firstLine' | 'lastLine' | 'lines'>;

function nextShard(
  { deps, shard }: Pick<ShardWork, 'deps' | 'shard'>,
  candidate: number,
  provider: string,
  model: string,
  range: Range,
): ShardRow {
  const now = unixSeconds(deps.clock);
  return newShard({
    id: `${shard.id}-b${candidate}`,
    batchId: shard.batchId,
    tenantId: shard.tenantId,
    lane: shard.lane,
    candidate,
    provider,
    model,
    endpoint: shard.endpoint,
    ...range,
    bytes: Math.round((shard.bytes * range.lines) / Math.max(1, shard.lines)),
    tokens: Math.round((shard.tokens * range.lines) / Math.max(1, shard.lines)),
    createdAt: now,
  });
}

/** A shard that nothing has happened to yet. */
export function newShard(
  row: Pick<
    ShardRow,
    | 'id'
    | 'batchId'
    | 'tenantId'
    | 'lane'
    | 'candidate'
    | 'provider'
    | 'model'
    | 'endpoint'
    | 'firstLine'
    | 'lastLine'
    | 'lines'
    | 'bytes'
    | 'tokens'
    | 'createdAt'
  >,
): ShardRow {
  return {
    ...row,
    state: 'pending',
    tries: 0,
    token: null,
    providerBatchId: null,
    refs: {},
    place: null,
    raw: null,
    counts: null,
    failure: null,
    submittedAt: null,
    progressAt: null,
    cancelAskedAt: null,
    endedAt: null,
    ranAt: null,
    cleanedAt: null,
    hours: null,
    nextAt: row.createdAt,
  };
}
