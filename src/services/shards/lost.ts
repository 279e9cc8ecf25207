/** Ends for shards whose answers, or whose provider, are out of reach: their lines are not held up for ever. */
import type { Failure } from '../../core/failure.ts';
import { refusal } from '../../core/failure.ts';
import { rescueAt } from '../../core/shard-plan.ts';
import { isUntouched } from '../../core/shard-state.ts';
import { parseRequestLine } from '../../core/validate-input.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { ShardLease } from '../../ports/store-shards.ts';
import { ForwardReader } from '../batches/forward-reader.ts';
import { endShard, failLines } from './end.ts';
import { followAt, NOTHING_FOLLOWS } from './follow-up.ts';
import { nativeLine } from './native-input.ts';
import { isForgotten } from './patience.ts';
import { sharingOf } from './questions.ts';
import { type EntryWork, entryOf, recordDoubt } from './settle-lines.ts';
import { type ShardLine, type ShardWork, save, settle, unfinishedLines } from './shard-work.ts';
import { isReadable, possibleLines, withKnownIds } from './unread-lines.ts';

const LINES_AT_ONCE = 500;

type DoubtWork = EntryWork & Pick<ShardWork, 'input'>;

/** The same of a provider that is there: what it does not take was never sent to it. */
type SentWork = DoubtWork & Pick<ShardWork, 'provider' | 'api'>;

/**
 * Gives up answers that are out of reach, for `lost`. They may be paid for all the same, so each line gets an entry of unknown
 * amount; then it runs elsewhere, or fails with the reason. `without`: the lines that have none, where others have; all by
 * default. `end`: abandoned where they may be found after all.
 */
export async function giveUpAnswers(
  work: ShardWork,
  lost: Failure,
  { without, end = 'done' }: { without?: readonly ShardLine[] | undefined; end?: 'done' | 'abandoned' } = {},
): Promise<void> {
  const left = without ?? (await unanswered(work));
  await doubtLines(work, left);
  await failLines(work, left, lost);
  await endShard(work, await unfinishedLines(work), lost, end);
}

/** Lines without a result that do not wait for what another shard asks. */
async function unanswered(work: ShardWork): Promise<ShardLine[]> {
  const open = await unfinishedLines(work);
  const { waiting } = await sharingOf(work, open);
  return open.filter(({ line }) => !waiting.has(line));
}

/** Enters those of `lines` that were in the provider batch and have no entry of it: what they cost nobody can say. */
export async function doubtLines(work: DoubtWork, lines: readonly ShardLine[]): Promise<void> {
  for await (const doubtful of parsed(work, await unentered(work, lines))) await recordDoubt(work, doubtful);
}

/**
 * An abandoned provider batch that nobody can ask about any more: its lines ran elsewhere, and what they cost here is not
 * hidden either.
 */
export async function forgetAbandoned(work: DoubtWork): Promise<void> {
  await enterUnknown(work, await possibleLines(work));
  await settle(work, { state: 'done', followUp: NOTHING_FOLLOWS });
}

/** Enters those of `lines` that were in an abandoned provider batch and have no entry of it, with an unknown amount. */
export async function enterUnknown(work: DoubtWork, lines: readonly ShardLine[]): Promise<void> {
  const isThere = await isReadable(work);
  const open = await unentered(work, lines);
  const groups = isThere ? parsed(work, open) : idsOf(work, open);
  for await (const doubtful of groups) {
    await work.deps.store.ledger.append(doubtful.map((each) => entryOf(work, { ...each, result: null }, 1, false)));
  }
}

/** Those of `lines` that have no entry of the shard and no result from before it, as many as it may have sent. */
async function unentered({ deps, shard, ...work }: DoubtWork, lines: readonly ShardLine[]): Promise<ShardLine[]> {
  const { batchId, firstLine, lastLine, createdAt } = shard;
  const known = await deps.store.shards.ledgeredLines(shard.id);
  const before = await deps.store.ledger.decided(batchId, firstLine + 1, lastLine + 1, createdAt);
  const { asked } = await sharingOf({ deps, shard, ...work }, []);
  return lines
    .filter(({ line }) => (asked === null || asked.has(line)) && !known.has(line + 1) && !before.has(line + 1))
    .slice(0, Math.max(0, shard.lines - known.size));
}

async function* parsed(work: DoubtWork | SentWork, lines: readonly ShardLine[]) {
  const reader = new ForwardReader(work.deps.files, work.input.contentKey);
  for (let at = 0; at < lines.length; at += LINES_AT_ONCE) {
    const group = [];
    for (const line of lines.slice(at, at + LINES_AT_ONCE)) {
      const request = parseRequestLine(await reader.read(line));
      if ('api' in work && typeof nativeLine(work, line, request) !== 'string') continue;
      group.push({ line, request });
    }
    yield group;
  }
}

async function* idsOf(work: DoubtWork, lines: readonly ShardLine[]) {
  for (let at = 0; at < lines.length; at += LINES_AT_ONCE) {
    yield await withKnownIds(
      work,
      lines.slice(at, at + LINES_AT_ONCE).map((line) => ({ line })),
    );
  }
}

/**
 * Of a batch that stopped as its input is lost: nothing that is answered can be delivered, so it waits for nobody. What is at
 * the provider is told to stop from here, and what it did is entered.
 */
export async function leaveWithoutInput(deps: Deps, shard: ShardLease): Promise<void> {
  const now = unixSeconds(deps.clock);
  const isThere = shard.state !== 'submitting' || !isUntouched(shard);
  await save({ deps, shard }, isThere ? { cancelAskedAt: shard.cancelAskedAt ?? now } : { token: null });
  await settle({ deps, shard }, { state: isThere ? 'abandoned' : 'done', followUp: NOTHING_FOLLOWS, nextAt: now });
}

/** A shard without its provider: what was made there cannot be asked about. */
type Unserved = Pick<ShardWork, 'batch' | 'input' | 'lane'>;

/**
 * The shard's provider is not in the config any more, or has no batch service there. What was not submitted goes on at
 * once; what was submitted waits for the config to come back, until the window nears its end or the batch stops: then it is
 * entered as what nobody can price. False while it waits. What may be left at the provider is stopped and removed should
 * it come back.
 */
export async function settleUnserved(deps: Deps, shard: ShardLease, at: Unserved): Promise<boolean> {
  const { batch, lane } = at;
  const now = unixSeconds(deps.clock);
  const candidate = lane.candidates[shard.candidate];
  const work = candidate && { deps, shard, ...at, candidate, provider: { name: shard.provider, priceProvider: null } };
  if (shard.state === 'abandoned') {
    if (!isForgotten({ deps, shard })) return false;
    if (work) await forgetAbandoned(work);
    return true;
  }
  const late = now >= rescueAt(batch, lane.rescueAfterSeconds ?? null);
  if (shard.state !== 'pending' && batch.stop === null && !late) return false;
  if (work && mayHaveRun(shard)) await doubtLines(work, await unfinishedLines(work));
  // With nobody after it, the engine fails the lines and names the provider that is missing.
  const left = batch.stop === null ? await unfinishedLines({ deps, shard, ...at }) : [];
  const followUp = followAt({ deps, shard, ...at }, left, shard.candidate + 1);
  // Whether its create call worked can be asked when the provider is back.
  const isThere = shard.state === 'running' || (shard.state === 'submitting' && mayHaveRun(shard));
  const state = isThere ? 'abandoned' : 'done';
  await settle({ deps, shard }, { state, followUp, nextAt: now + 60 });
  const { provider, providerBatchId, refs } = shard;
  if (shard.state !== 'pending') {
    deps.log.warn(
      { shard: shard.id, provider, providerBatchId, refs },
      'left at a provider that is not configured here',
    );
  }
  return true;
}

/** Whether lines of it may have been sent. */
function mayHaveRun(shard: ShardLease): boolean {
  if (shard.state === 'submitting') return !isUntouched(shard);
  return shard.state === 'running' || shard.state === 'collecting';
}

/** Why lines of which the provider has answers have none: `failure` is what reading them met. */
export function unreadable(failure: Failure): Failure {
  const message = `The provider's results could not be read: ${failure.message}`;
  return { ...refusal('bad_response', 'results_unreadable', message), reachedProvider: true };
}
