/** The hours of targets, kept by provider batches: they are submitted within them, as far as their batch's window allows. */
import { nextOpening } from '../../core/batch-hours.ts';
import { refusal } from '../../core/failure.ts';
import { detour } from '../../core/retry.ts';
import { latestStart } from '../../core/shard-plan.ts';
import { endShard } from './end.ts';
import { followUp } from './follow-up.ts';
import { takeKept } from './questions.ts';
import type { ShardLine, ShardWork } from './shard-work.ts';
import { save, settle, unfinishedLines } from './shard-work.ts';

/**
 * Whether the shard may be submitted now. Outside the hours of its target it waits for them; where they begin too late for
 * its batch's window, its lines go to the next target of the lane, or without one it is submitted all the same. What of
 * `lines` is known already waits for no hours: it is looked for when the shard is new.
 */
export async function keepHours(work: ShardWork, lines: readonly ShardLine[], isNew: boolean): Promise<boolean> {
  const { deps, shard, batch, lane, candidate, provider } = work;
  const schedules = [provider.schedule, candidate.schedule].filter((schedule) => schedule !== undefined);
  const nowMs = deps.clock.now();
  const latestMs = latestStart(batch, lane.rescueAfterSeconds ?? null) * 1000;
  const openingMs = nextOpening(schedules, nowMs, latestMs);
  if (openingMs === nowMs) {
    if (shard.hours !== null) await save(work, { hours: null });
    return true;
  }
  const next = detour(lane.candidates, shard.candidate);
  if (openingMs === null && next === null) {
    await save(work, { hours: 'missed' });
    return true;
  }
  if (isNew) await takeKept(work, lines);
  const left = await unfinishedLines(work);
  if (left.length === 0) await endShard(work, [], null);
  else if (openingMs !== null) await save(work, { hours: 'waits', nextAt: Math.ceil(openingMs / 1000) });
  else if (next !== null) await leave(work, left, next);
  return false;
}

async function leave(work: ShardWork, left: readonly ShardLine[], next: number): Promise<void> {
  await save(work, { hours: 'left' });
  const failure = refusal('overloaded', 'outside_hours', 'The hours of the target begin too late for this request.');
  await settle(work, { state: 'done', followUp: followUp(work, left, failure, next) });
}
