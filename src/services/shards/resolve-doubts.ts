/** What was entered of a provider batch while nobody could say what it cost, once that is known. */
import { unixSeconds } from '../../ports/clock.ts';
import type { AdjustableEntry, Resolution } from '../../ports/store-ledger.ts';
import type { ShardWork } from './shard-work.ts';

const ENTRIES_AT_ONCE = 500;

type DoubtWork = Pick<ShardWork, 'deps' | 'shard'>;

/** The entries of the shard that are in doubt, by 1-based line. */
export async function doubtsOf({ deps, shard }: DoubtWork): Promise<Map<number, AdjustableEntry>> {
  const doubts = await deps.store.ledger.doubts(shard.id);
  return new Map(doubts.flatMap((entry) => (entry.line === null ? [] : [[entry.line, entry] as const])));
}

/** States them anew, or takes them back. Rejects where somebody else did so meanwhile: the step is taken again. */
export async function resolve({ deps }: DoubtWork, resolutions: readonly Resolution[], note: string): Promise<void> {
  const now = unixSeconds(deps.clock);
  for (let at = 0; at < resolutions.length; at += ENTRIES_AT_ONCE) {
    const group = resolutions.slice(at, at + ENTRIES_AT_ONCE);
    if (!(await deps.store.ledger.resolve(group, { now, note }))) throw new Error('entries were adjusted meanwhile');
  }
}

/** Takes back all that is in doubt: nothing of it ran. */
export async function takeBackDoubts(work: DoubtWork, note: string): Promise<void> {
  const doubts = await doubtsOf(work);
  await resolve(
    work,
    [...doubts.values()].map((entry) => ({ entry, as: null })),
    note,
  );
}
