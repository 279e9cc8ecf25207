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

/** The second of each store's last look at what time brings: ticks may follow each other closely. */
const lastLooks = new WeakMap<object, number>();

/** Runs one round; the batches' work goes on in `batches`. */
export async function tick(deps: Deps, batches: BatchRunner): Promise<TickResult> {
  const changed = await lookAtTime(deps);
  return { batches: await batches.wake(), changed };
}

/** What is due by the clock, in whole seconds: leases and windows that ended, and budgets. Answers whether there was any. */
async function lookAtTime(deps: Deps): Promise<boolean> {
  const now = unixSeconds(deps.clock);
  if (lastLooks.get(deps.store) === now) return false;
  const { segments, shards, batches } = deps.store;
  const [ofSegments, ofShards, expired] = await Promise.all([
    segments.recover({ now }),
    shards.recover({ now }),
    batches.stopExpired(now, EXPIRED_AT_ONCE),
  ]);
  const stopped = [...expired, ...(await budgetRound(deps, now))];
  for (const id of stopped) await shards.hasten(id, now);
  // What there was too much of is gone on with by the next round.
  if (expired.length < EXPIRED_AT_ONCE) lastLooks.set(deps.store, now);
  return ofSegments + ofShards + stopped.length > 0;
}
