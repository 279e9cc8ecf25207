/**
 * One bounded round of background work on batches. Node loops it, a Worker runs it from cron. Rows are the truth:
 * whatever a round does not get to, or a crash interrupts, the next one finds again.
 */
import { unixSeconds } from '../ports/clock.ts';
import type { Deps } from '../ports/deps.ts';
import type { BatchRunner } from './batches/run.ts';
import { budgetRound } from './budgets/round.ts';

const EXPIRED_AT_ONCE = 100;

export interface TickResult {
  /** Batches that work has begun on; when it is not 0 there may be more to do at once. */
  batches: number;
  /** True when segments may have become claimable, or batches were told to stop. */
  changed: boolean;
}

/** Runs one round; the batches' work goes on in `batches`. */
export async function tick(deps: Deps, batches: BatchRunner): Promise<TickResult> {
  const now = unixSeconds(deps.clock);
  const recovered = (await deps.store.segments.recover({ now })) + (await deps.store.shards.recover({ now }));
  const expired = await deps.store.batches.stopExpired(now, EXPIRED_AT_ONCE);
  const stopped = [...expired, ...(await budgetRound(deps, now))];
  for (const id of stopped) await deps.store.shards.hasten(id, now);
  const begun = await batches.wake();
  return { batches: begun, changed: recovered > 0 || stopped.length > 0 };
}
