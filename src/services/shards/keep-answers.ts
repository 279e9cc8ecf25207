import { cacheAsk, keyCacheSeconds } from '../cache/cache-key.ts';
import type { ShardOutcome } from './settle-lines.ts';
import type { ShardWork } from './shard-work.ts';
import { unfitAnswers } from './unfit-answers.ts';

/** Keeps those answers of a provider batch that its route or its key allows to be given again. Resolves when they are kept. */
export async function keepAnswers(
  work: Pick<ShardWork, 'deps' | 'batch' | 'shard' | 'lane' | 'candidate'>,
  outcomes: readonly ShardOutcome[],
): Promise<void> {
  const { deps, batch, candidate } = work;
  const unfit = await unfitAnswers(
    work,
    outcomes.map(({ line }) => line),
  );
  const keySeconds = await keyCacheSeconds(deps.limiter, batch.keyId);
  let kept: Promise<void> | null = null;
  for (const { line, request, result, isEstimated, isShared } of outcomes) {
    // What such an answer is worth is a guess.
    if (result?.ok !== true || isEstimated === true || isShared === true) continue;
    const before = unfit.get(line.line + 1) ?? [];
    const ask = cacheAsk(batch.tenantId, request, candidate, keySeconds, { unfit: before, raisedBy: before });
    if (ask !== null) kept = deps.answers.keep(ask, result);
  }
  await kept;
}
