import { cacheAsk, keyCacheSeconds } from '../cache/cache-key.ts';
import type { ShardOutcome } from './settle-lines.ts';
import type { ShardWork } from './shard-work.ts';

/** Keeps those answers of a provider batch that its route or its key allows to be given again. Resolves when they are kept. */
export async function keepAnswers(
  { deps, batch, candidate }: Pick<ShardWork, 'deps' | 'batch' | 'candidate'>,
  outcomes: readonly ShardOutcome[],
): Promise<void> {
  const keySeconds = await keyCacheSeconds(deps.limiter, batch.keyId);
  let kept: Promise<void> | null = null;
  for (const { request, result, isEstimated, isShared } of outcomes) {
    // What such an answer is worth is a guess.
    if (result?.ok !== true || isEstimated === true || isShared === true) continue;
    const ask = cacheAsk(batch.tenantId, request, candidate, keySeconds);
    if (ask !== null) kept = deps.answers.keep(ask, result);
  }
  await kept;
}
