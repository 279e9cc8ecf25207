import { createHash } from 'node:crypto';
import { formatId, ID_BYTES, type IdPrefix } from '../../../core/ids.ts';
import type { Context, Deps } from '../../../ports/deps.ts';
import type { EvalRunRow, EvalStep, EvalTargetRow } from '../../../ports/store-evals.ts';
import type { RunPlan } from '../run-plan.ts';

/** How many batches the judges of a target may be, beside those that are asked by their models' routes in its window. */
export const JUDGE_PLACES_MAX = 8;

export type Part = 'answers' | 'judges' | 'embeddings' | `judges-${number}`;

/** The parts of a target that are batches. */
export const PARTS: readonly Part[] = [
  'answers',
  'judges',
  'embeddings',
  ...Array.from({ length: JUDGE_PLACES_MAX }, (_, index): Part => `judges-${index + 1}`),
];

/** How long a turn of work may go on, and under which lease. */
export interface Turn {
  token: string;
  /** Asked before every page. */
  mayGoOn(): boolean;
  signal: AbortSignal;
}

/** What the steps of one target share. */
export interface TargetWork extends Turn {
  deps: Deps;
  run: EvalRunRow;
  plan: RunPlan;
  /** Where it stands, after every step that was taken. */
  target: EvalTargetRow;
}

/** The lease was lost, or the run was cancelled: whoever holds it now goes on. */
export class TurnOver extends Error {}

/** Takes a step, and moves `work.target` on. Throws TurnOver when it was not taken. */
export async function take(
  work: TargetWork,
  step: Pick<EvalStep, 'to' | 'outputs' | 'answers' | 'grades'>,
): Promise<void> {
  const { stage, cursor, target, runId } = work.target;
  const taken = await work.deps.store.evalWork.step({
    runId,
    token: work.token,
    target,
    from: { stage, cursor },
    ...step,
  });
  if (!taken) throw new TurnOver();
  work.target = { ...work.target, ...step.to };
}

/** The next stage, from its beginning. */
export function next(stage: EvalTargetRow['stage']): Pick<EvalTargetRow, 'stage' | 'cursor'> {
  return { stage, cursor: 0 };
}

/** The id that a part of a target has, whoever makes it and however often. */
export function partId(runId: string, target: number, part: Part, prefix: IdPrefix): string {
  const bytes = createHash('sha256').update(`${prefix} ${runId} ${target} ${part}`).digest();
  return formatId(prefix, bytes.subarray(0, ID_BYTES));
}

/** On behalf of whom a part is made. */
export function partContext(run: EvalRunRow, target: number, part: Part, signal: AbortSignal): Context {
  return {
    actor: { tenantId: run.tenantId, keyId: run.keyId, role: 'user' },
    newId: (prefix) => partId(run.id, target, part, prefix),
    signal,
  };
}
