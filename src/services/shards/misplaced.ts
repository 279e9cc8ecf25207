/** Provider batches that are not found where the config says now, as they were made elsewhere: they may run there, and cost. */
import { type Progress, ProviderError } from '../../../providers/contract.ts';
import type { Failure } from '../../core/failure.ts';
import { unixSeconds } from '../../ports/clock.ts';
import { endShard } from './end.ts';
import { doubtLines, giveUpAnswers, unreadable } from './lost.ts';
import { lateSince, nextLook } from './patience.ts';
import { isElsewhereByName, notHere } from './place.ts';
import { type ShardWork, save, unfinishedLines } from './shard-work.ts';

/**
 * Waits for the config to name the place again, as long as the lines may wait: they are not bought a second time before. Then
 * they go on without it, entered as what nobody can price, and it is looked for on. `said`: what the present place says.
 */
export async function awaitPlace(work: ShardWork, said: Failure | null = null): Promise<void> {
  const { deps, shard, batch } = work;
  const now = unixSeconds(deps.clock);
  const failure = notHere(shard.provider, said);
  warnMisplaced(work);
  const since = lateSince(work, now);
  if (since === null || now - since < deps.settings.cancelSeconds) {
    return save(work, { failure, nextAt: nextLook(work) });
  }
  if (batch.stop === null) return giveUpAnswers(work, unreadable(failure), { end: 'abandoned' });
  await doubtLines(work, await unfinishedLines(work));
  return endShard(work, await unfinishedLines(work), failure, 'abandoned');
}

/**
 * Refuses to take it for all that an ended provider batch answered, that another place than its own shows no line of it: a
 * bucket there is empty, or has that name by chance. `counts`: what it has done. Throws ProviderError.
 */
export function refuseOtherPlace(work: ShardWork, lines: number, { counts }: Pick<Progress, 'counts'>): void {
  const mayHaveRun = counts === null || counts.succeeded + counts.failed > 0;
  if (lines === 0 && mayHaveRun && isElsewhereByName(work)) throw new ProviderError(notHere(work.shard.provider));
}

/** Says where it was made: it may run there, and cost. */
export function warnMisplaced({ deps, shard, api }: ShardWork): void {
  const { id, provider, providerBatchId, place } = shard;
  deps.log.warn(
    { shard: id, provider, providerBatchId, madeAt: place?.name, configuredAt: api.place.name },
    'a provider batch is not found where the config says, as it was made elsewhere',
  );
}
