import type { Progress, ProviderError } from '../../../providers/contract.ts';
import type { LedgerEntryRow, Resolution } from '../../ports/store-ledger.ts';
import { failuresLast } from './failures-last.ts';
import { NOTHING_FOLLOWS } from './follow-up.ts';
import { enterUnknown } from './lost.ts';
import { refuseOtherPlace } from './misplaced.ts';
import { lineOfKey } from './native-input.ts';
import { type Answered, outcomesOf } from './outcomes.ts';
import { doubtsOf, resolve } from './resolve-doubts.ts';
import { type EnteredLine, entryOf } from './settle-lines.ts';
import { providerBatch, type ShardWork, settle } from './shard-work.ts';
import { isReadable, possibleLines, unreadOutcomes } from './unread-lines.ts';
import { untilFailure } from './until-failure.ts';
import { usageShares } from './usage-shares.ts';

const LINES_AT_ONCE = 500;
const FOUND = 'The provider batch was found, and says what it did.';

/**
 * Of an abandoned shard whose provider batch has ended: its lines run elsewhere, so its answers are waste; what they cost
 * is not hidden. What was entered of it while it could not be asked is stated anew; of answers that are missing, nobody can
 * say what they cost.
 */
export async function collectWaste(work: ShardWork, progress: Pick<Progress, 'counts' | 'reason'>): Promise<void> {
  const { deps, shard } = work;
  const known = await deps.store.shards.ledgeredLines(shard.id);
  const doubts = await doubtsOf(work);
  const every = new Map((await possibleLines(work)).map((line) => [line.line, line]));
  const isThere = await isReadable(work);
  const shares = usageShares(work, providerBatch(work));
  let succeeded = 0;
  let lines = 0;
  let group: Answered[] = [];
  const flush = async (): Promise<void> => {
    const fresh: LedgerEntryRow[] = [];
    const told: Resolution[] = [];
    for (const outcome of await (isThere ? outcomesOf(work, group, shares) : unreadOutcomes(work, group))) {
      const line = outcome.line.line + 1;
      const doubt = doubts.get(line);
      const entry = wasteOf(work, outcome);
      if (doubt !== undefined) told.push({ entry: doubt, as: entry });
      else if (entry !== null && !known.has(line)) fresh.push(entry);
      doubts.delete(line);
      known.add(line);
    }
    group = [];
    await deps.store.ledger.append(fresh);
    await resolve(work, told, FOUND);
  };
  const reading: { failure: ProviderError | null } = { failure: null };
  const answers = untilFailure(work.api.results(providerBatch(work), work.call), reading);
  for await (const answer of failuresLast(answers)) {
    lines += 1;
    const line = every.get(lineOfKey(answer.key) ?? -1);
    if (line && (answer.result.ok || answer.records !== undefined)) succeeded += answer.records ?? 1;
    if (line) group.push({ line, answer, isShared: false });
    if (group.length >= LINES_AT_ONCE) await flush();
  }
  await flush();
  if (reading.failure !== null) throw reading.failure;
  refuseOtherPlace(work, lines, progress);
  if (showsAll(progress, succeeded)) {
    const left = [...doubts.values()].map((entry) => ({ entry, as: null }));
    await resolve(work, left, 'The provider batch ended before this request ran.');
  } else {
    await enterUnknown(
      work,
      [...every.values()].filter(({ line }) => !known.has(line + 1)),
    );
  }
  await settle(work, { state: 'done', followUp: NOTHING_FOLLOWS });
}

/** Whether the lines without an answer did not run, by the provider's own count or its word. */
function showsAll({ counts, reason }: Pick<Progress, 'counts' | 'reason'>, succeeded: number): boolean {
  return counts === null ? reason !== 'completed' : succeeded >= counts.succeeded;
}

/** The entry of an answer that nobody waits for; null for a line that was not run. */
function wasteOf(work: ShardWork, outcome: EnteredLine): LedgerEntryRow | null {
  const { result } = outcome;
  if (result === null || (!result.ok && !result.failure.reachedProvider)) return null;
  const entry = entryOf(work, outcome, 1, false);
  return entry.status === 'succeeded' ? { ...entry, status: 'superseded' } : entry;
}
