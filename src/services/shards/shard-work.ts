import type { BatchApi, BatchCall, Provider, ProviderBatch } from '../../../providers/contract.ts';
import type { Candidate, RunLane } from '../../core/lane.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { FollowUp, ShardChange, ShardLease } from '../../ports/store-shards.ts';
import { type LaneLine, laneLines } from '../batches/lane-lines.ts';
import { committedLines } from '../results/committed-lines.ts';

/** One step of a provider batch may take this long, uploads and downloads apart: they stream. */
const CALL_TIMEOUT_MS = 60_000;

/** Everything that a step of a shard works with. */
export interface ShardWork {
  deps: Deps;
  shard: ShardLease;
  batch: BatchRow;
  input: FileRow;
  lane: RunLane;
  candidate: Candidate;
  provider: Provider;
  api: BatchApi;
  call: BatchCall;
  waits: Waits;
  /** Lines (0-based) whose answer of this step was not taken, with the candidate that they are to go to. */
  healing: Map<number, number>;
}

/** By the id of a shard: of which others all its lines awaited answers when it was last looked at (id, batch). */
export type Waits = Map<string, ReadonlyMap<string, string>>;

export type ShardLine = LaneLine;

/** Thrown when somebody else holds the shard: the step ends without a trace. */
export class LeaseLost extends Error {}

/** A provider's own lists may lag behind its create call: nothing is made again before it was looked for so much later. */
const LIST_LAG_SECONDS = 30;

export function listLagSeconds({ settings }: Pick<Deps, 'settings'>): number {
  return Math.min(LIST_LAG_SECONDS, settings.pollSecondsMin * 3);
}

/** Sets fields of the shard, here and in the store. */
export async function save(work: Pick<ShardWork, 'deps' | 'shard'>, change: ShardChange): Promise<void> {
  if (!(await work.deps.store.shards.save(work.shard.id, work.shard.leaseToken, change))) throw new LeaseLost();
  Object.assign(work.shard, change);
}

/** Ends the shard, or gives it up, with what takes its place; in the store, and its state here. */
export async function settle(
  { deps, shard }: Pick<ShardWork, 'deps' | 'shard'>,
  change: { state: 'done' | 'abandoned'; followUp: FollowUp; nextAt?: number },
): Promise<void> {
  const now = unixSeconds(deps.clock);
  const settled = await deps.store.shards.settle(shard.id, shard.leaseToken, { now, nextAt: now, ...change });
  if (!settled) throw new LeaseLost();
  shard.state = change.state;
}

/** The provider batch of a shard that has one. */
export function providerBatch({ shard }: Pick<ShardWork, 'shard'>): ProviderBatch {
  return { id: shard.providerBatchId ?? '', refs: shard.refs };
}

/** How a shard's provider is called: remote ids are kept as soon as they exist. */
export function batchCall(deps: Deps, shard: ShardLease, signal: AbortSignal): BatchCall {
  const saved: BatchCall['saved'] = (refs) => {
    // Should the process end before the next ref comes, what it made is looked for once the provider's lists show it.
    const late = shard.state === 'submitting' && { nextAt: unixSeconds(deps.clock) + listLagSeconds(deps) };
    return save({ deps, shard }, { refs: { ...shard.refs, ...refs }, ...late });
  };
  return { ...plainCall(deps, signal), saved };
}

/** A call of which nothing is to be kept. */
export function plainCall(deps: Deps, signal: AbortSignal): BatchCall {
  return {
    http: deps.http,
    fetch: deps.fetch,
    timeoutMs: CALL_TIMEOUT_MS,
    maxResponseBytes: deps.settings.maxResponseBytes,
    nowMs: deps.clock.now(),
    signal,
    saved: () => Promise.resolve(),
  };
}

type LinesOf = Pick<ShardWork, 'deps' | 'shard' | 'batch' | 'input'>;

/** The shard's lines that have no committed result, in file order. */
export async function unfinishedLines(work: LinesOf): Promise<ShardLine[]> {
  const { deps, shard } = work;
  const done = await committedLines(deps, shard);
  return (await shardLines(work)).filter(({ line }) => !done.has(line));
}

/** Every line the shard is made of, in file order. */
export function shardLines({ deps, shard, batch, input }: LinesOf): Promise<ShardLine[]> {
  return laneLines(deps, { batch, input }, shard);
}
