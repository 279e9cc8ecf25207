import { isTerminal } from '../../../core/batch-state.ts';
import { GradeError } from '../../../core/eval/grader.ts';
import { unixSeconds } from '../../../ports/clock.ts';
import type { Deps } from '../../../ports/deps.ts';
import type { EvalLease, EvalTargetRow } from '../../../ports/store-evals.ts';
import { judgeBatchIds } from '../judge-batches.ts';
import { planRun } from '../run-plan.ts';
import { absorb } from './absorb.ts';
import { ask } from './ask.ts';
import { stopBatches } from './clean-up.ts';
import { collect } from './collect.ts';
import { grade } from './grade.ts';
import { askJudges } from './judge.ts';
import { takeItems } from './take-items.ts';
import { next, type TargetWork, type Turn, TurnOver, take } from './turn.ts';

/** Brings a run on as far as it goes now: to its end, to a batch that runs, or to the end of the turn. */
export async function advanceRun(deps: Deps, lease: EvalLease, turn: Turn): Promise<void> {
  const { run, targets } = lease;
  const found = await deps.store.evals.get('all', run.evalId);
  if (found === null) return;
  try {
    const plan = planRun(found, run, targets);
    const begun = run.status === 'queued' ? await takeItems(deps, run, plan, turn) : run;
    if (begun === null) return;
    const ended: EvalTargetRow[] = [];
    for (const target of targets) {
      const work: TargetWork = { ...turn, deps, run: begun, plan, target };
      if (await advanceTarget(work)) ended.push(work.target);
    }
    if (ended.length < targets.length) return;
    const failed = ended.every(({ error }) => error !== null) ? (ended[0]?.error ?? null) : null;
    const status = failed === null ? 'completed' : 'failed';
    await deps.store.evalWork.end(run.id, turn.token, { status, error: failed, now: unixSeconds(deps.clock) });
  } catch (error) {
    if (error instanceof TurnOver) return stopIfCanceled(deps, lease);
    if (!(error instanceof GradeError)) throw error;
    // Checked when it was made: by another version of Weir, then.
    const { code, message } = error;
    await deps.store.evalWork.end(run.id, turn.token, {
      status: 'failed',
      error: { code, message },
      now: unixSeconds(deps.clock),
    });
  }
}

/** A run that was cancelled while a batch of it was made may have been cleaned up before that batch was there. */
async function stopIfCanceled(deps: Deps, lease: EvalLease): Promise<void> {
  const found = await deps.store.evals.getRun('all', lease.run.evalId, lease.run.id);
  if (found === null || found.run.status === 'canceled') await stopBatches(deps, lease);
}

/** True when the target is done. */
async function advanceTarget(work: TargetWork): Promise<boolean> {
  while (work.mayGoOn()) {
    switch (work.target.stage) {
      case 'ask':
        await ask(work);
        break;
      case 'sampling':
        if (await runs(work, work.target.batchId)) return false;
        await take(work, { to: next('collect') });
        break;
      case 'collect':
        await collect(work);
        break;
      case 'judge':
        await askJudges(work);
        break;
      case 'judging':
        for (const id of judgeBatchIds(work.target)) if (await runs(work, id)) return false;
        await take(work, { to: next('absorb') });
        break;
      case 'absorb':
        await absorb(work, [work.target.judgeBatchId], 'absorb_embeddings');
        break;
      case 'absorb_embeddings':
        await absorb(work, [work.target.embeddingBatchId], 'absorb_others');
        break;
      case 'absorb_others':
        await absorb(work, work.target.otherJudgeBatchIds, 'grade');
        break;
      case 'grade':
        await grade(work);
        break;
      case 'done':
        return true;
    }
  }
  return work.target.stage === 'done';
}

/** Whether a batch has not ended. */
async function runs({ deps }: TargetWork, id: string | null): Promise<boolean> {
  const batch = id === null ? null : await deps.store.batches.get('all', id);
  return batch !== null && !isTerminal(batch.status);
}
